//! The `health` function.

use std::process::ExitCode;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    chassis::start(health::Config::read, async |config| health::router(config)).await
}
