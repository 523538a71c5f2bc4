//! The `health` function.

use std::process::ExitCode;

use chassis::auth::Authenticator;
use health::Config;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    chassis::runtime::start(Config::read, async |config| {
        let authenticator = Authenticator::open(config.auth.clone()).await;
        health::router(config, authenticator)
    })
    .await
}
