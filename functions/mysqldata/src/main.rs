//! The `mysqldata` function.

use std::process::ExitCode;

use mysqldata::{App, Config};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    chassis::runtime::start(Config::read, async |config| {
        mysqldata::router(App::open(config).await)
    })
    .await
}
