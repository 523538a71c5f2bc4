//! The `mysqldata` function.

use std::process::ExitCode;

use mysqldata::{Config, Orders};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    chassis::start(Config::read, async |config| {
        mysqldata::router(Orders::open(config).await)
    })
    .await
}
