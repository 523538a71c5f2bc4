//! The `mysqldata` function.

use std::process::ExitCode;

use chassis::auth::Authenticator;
use mysqldata::{App, Config};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    chassis::runtime::start(Config::read, async |config| {
        let authenticator = Authenticator::open(config.auth.clone());
        let (authenticator, app) = tokio::join!(authenticator, App::open(config));
        mysqldata::router(app, authenticator)
    })
    .await
}
