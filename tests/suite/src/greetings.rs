//! What a newcomer tries first, and health.

use super::case;
use crate::surfaces::{Api, Case, Outcome};

const TEXT: [(&str, &str); 1] = [("accept", "text/plain")];

pub fn cases() -> Vec<Case> {
    vec![
        case!("the greeting as JSON", greeting),
        case!("the greeting as text and as a page", greeting_otherwise),
        case!("the stores' greetings as text", stores),
        case!("the health of each function", own_health),
        case!("the health of all functions", health),
    ]
}

async fn greeting(api: &Api) -> Outcome {
    api.get("/")
        .await?
        .status(200)?
        .header("content-type", "application/json")?
        .header("vary", "Accept")?
        .text(r#"{"message":"Hello Kea"}"#)?;
    Ok(())
}

async fn greeting_otherwise(api: &Api) -> Outcome {
    let text = api.get_with("/", &TEXT).await?;
    text.status(200)?
        .header("content-type", "text/plain; charset=utf-8")?
        .text("Hello KEA!")?;
    let accept = [("accept", "text/html,application/xml;q=0.9,*/*;q=0.8")];
    let page = api.get_with("/", &accept).await?;
    let shown = String::from_utf8_lossy(page.body()).contains("Hello KEA!");
    page.status(200)?
        .header("content-type", "text/html; charset=utf-8")?
        .that(shown, "a page that says Hello KEA!")?;
    Ok(())
}

async fn stores(api: &Api) -> Outcome {
    for (path, text) in [("/nosqldata", "Test NoSQL"), ("/mysqldata", "Test MySQL")] {
        let greeting = api.get_with(path, &TEXT).await?;
        greeting.status(200)?.header("vary", "Accept")?.text(text)?;
    }
    Ok(())
}

async fn own_health(api: &Api) -> Outcome {
    for function in crate::FUNCTIONS {
        api.get(&format!("/health/{function}"))
            .await?
            .status(200)?
            .header("content-type", "application/health+json")?
            .member("/serviceId", function)?
            .member("/status", "pass")?;
    }
    Ok(())
}

/// The function asks all the others over HTTP, through the surface itself.
async fn health(api: &Api) -> Outcome {
    let all = api.get("/health").await?;
    all.status(200)?.member("/status", "pass")?;
    for function in crate::FUNCTIONS.iter().filter(|&&it| it != "health") {
        all.member(&format!("/checks/{function}/0/status"), "pass")?;
    }
    Ok(())
}
