//! The `health` function.

use std::process::ExitCode;

use health::Config;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    chassis::runtime::start(Config::read, async |config| health::router(config)).await
}
