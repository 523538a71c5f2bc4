//! The `oscheck` function.

use std::process::ExitCode;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    chassis::runtime::start(|_| Some(()), async |()| oscheck::router()).await
}
