//! The `migrate` function.

use std::process::ExitCode;

use migrate::{Config, Migrate};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    chassis::runtime::start_handler(Config::read, async |config| {
        let migrate = Migrate::new(config);
        move |event| {
            let migrate = migrate.clone();
            // The SDK's futures are large, so they go to the heap.
            Box::pin(async move { migrate.handle(event).await })
        }
    })
    .await
}
