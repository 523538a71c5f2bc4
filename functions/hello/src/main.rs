//! The `hello` function.

use std::process::ExitCode;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    chassis::runtime::start(|_| Some(()), async |()| hello::router()).await
}
