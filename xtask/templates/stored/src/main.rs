//! The `@name@` function.

use std::process::ExitCode;

use chassis::auth::Authenticator;
use @name@::{@Type@Store, Config};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    chassis::runtime::start(Config::read, async |config| {
        // Before the first request, and both at once.
        let authenticator = Authenticator::open(config.auth.clone());
        let (authenticator, store) = tokio::join!(authenticator, @Type@Store::open(config));
        @name@::router(store, authenticator)
    })
    .await
}
