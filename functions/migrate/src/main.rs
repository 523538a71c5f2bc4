//! The `migrate` function.

use std::process::ExitCode;

use migrate::Migrate;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let configure = |environment: &mut _| Some(Migrate::configure(environment));
    chassis::runtime::start_handler(configure, async |migrate| {
        move |event| {
            let migrate = migrate.clone();
            async move { migrate.handle(event).await }
        }
    })
    .await
}
