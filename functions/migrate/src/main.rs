//! The `migrate` function.

use std::process::ExitCode;

use migrate::{Config, Migrate};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    chassis::start_handler(Config::read, async |config| {
        let migrate = Migrate::new(config);
        move |event| {
            let migrate = migrate.clone();
            // The SDK's futures are deep: on the heap they end there.
            Box::pin(async move { migrate.handle(event).await })
        }
    })
    .await
}
