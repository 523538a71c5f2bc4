//! What `oscheck` says of where it runs.

use super::case;
use crate::surfaces::{Api, Case, Outcome};

pub fn cases() -> Vec<Case> {
    vec![case!("the operating system", operating_system)]
}

async fn operating_system(api: &Api) -> Outcome {
    let message = "Your operation system is: Linux";
    let told = api.get("/oscheck").await?;
    told.status(200)?
        .member("/message", message)?
        .member("/system", "Linux")?
        .that(!told.text_at("/release")?.is_empty(), "a release")?
        .that(
            !told.text_at("/architecture")?.is_empty(),
            "an architecture",
        )?;
    let text = api
        .get_with("/oscheck", &[("accept", "text/plain")])
        .await?;
    text.status(200)?.text(message)?;
    Ok(())
}
