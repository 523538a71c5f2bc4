//! The `@name@` function.

use std::process::ExitCode;

use @name@::{Config, @Type@Store};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    chassis::runtime::start(Config::read, async |config| {
        @name@::router(@Type@Store::open(config).await)
    })
    .await
}
