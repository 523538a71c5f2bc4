//! The `@name@` function.

use std::process::ExitCode;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    // The first argument reads the configuration: there is none.
    chassis::runtime::start(|_| Some(()), async |()| @name@::router()).await
}
