//! The `nosqldata` function.

use std::process::ExitCode;

use nosqldata::{Catalogue, Config};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    chassis::runtime::start(Config::read, async |config| {
        nosqldata::router(Catalogue::open(config).await)
    })
    .await
}
