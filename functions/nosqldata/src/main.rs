//! The `nosqldata` function.

use std::process::ExitCode;

use chassis::auth::Authenticator;
use nosqldata::{Catalogue, Config};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    chassis::runtime::start(Config::read, async |config| {
        let authenticator = Authenticator::open(config.auth.clone());
        let (authenticator, catalogue) = tokio::join!(authenticator, Catalogue::open(config));
        nosqldata::router(catalogue, authenticator)
    })
    .await
}
