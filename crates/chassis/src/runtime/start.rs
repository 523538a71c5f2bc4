//! The start of every function.

use std::{fmt::Debug, process::ExitCode};

use lambda_runtime::{Diagnostic, LambdaEvent};
use serde::{Deserialize, Serialize};

use super::Handler;
use crate::{
    Environment,
    http::Router,
    telemetry::{self, Telemetry},
};

/// The exit code of a function that is not configured (`EX_CONFIG` of
/// sysexits.h).
const EXIT_CONFIG: u8 = 78;

/// The allocator of the functions as they are deployed: musl's own doubles the time
/// of a warm call.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

/// Starts a function that serves HTTP and runs it until the platform ends it.
///
/// `configure` reads the environment. What is missing or malformed is logged,
/// all of it, and the process exits with 78. `build` builds the service while
/// Lambda gives full CPU: clients and connections belong there. It cannot fail:
/// a function starts even when its store is unavailable.
pub async fn start<C, S: Clone + Send + Sync + 'static>(
    configure: impl FnOnce(&mut Environment) -> Option<C>,
    build: impl AsyncFnOnce(C) -> Router<S>,
) -> ExitCode {
    let configure = |environment: &mut Environment| {
        let custom_base_path = Handler::custom_base_path(environment);
        let telemetry = Telemetry::read(environment);
        let config = configure(environment);
        Some((custom_base_path?, telemetry?, config?))
    };
    start_handler(configure, async |(custom_base_path, telemetry, config)| {
        let service = build(config).await.into_service();
        let handler = Handler::new(service.with_telemetry(telemetry), custom_base_path);
        move |event| {
            let handler = handler.clone();
            async move { handler.handle(event).await }
        }
    })
    .await
}

/// Starts a function that handles events other than HTTP requests. `build` returns
/// the handler of an event.
pub async fn start_handler<C, H, I, O, E, F>(
    configure: impl FnOnce(&mut Environment) -> Option<C>,
    build: impl AsyncFnOnce(C) -> H,
) -> ExitCode
where
    H: FnMut(LambdaEvent<I>) -> F,
    F: Future<Output = Result<O, E>>,
    I: for<'de> Deserialize<'de>,
    O: Serialize,
    E: Into<Diagnostic> + Debug,
{
    telemetry::start();
    let mut environment = Environment::process();
    let config = configure(&mut environment);
    // An optional variable that is malformed is an error too.
    let Some(config) = config.filter(|_| environment.errors().is_empty()) else {
        for error in environment.errors() {
            tracing::error!("{error}");
        }
        return ExitCode::from(EXIT_CONFIG);
    };
    if std::env::var_os("AWS_LAMBDA_RUNTIME_API").is_none() {
        tracing::error!(
            "AWS_LAMBDA_RUNTIME_API is not set: this is a Lambda function, which Lambda or \
             `cargo lambda watch` starts. `cargo xtask up` runs the whole system."
        );
        return ExitCode::from(EXIT_CONFIG);
    }
    let handler = build(config).await;
    match lambda_runtime::run(lambda_runtime::service_fn(handler)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = error.to_string(), "the Lambda runtime ended");
            ExitCode::FAILURE
        }
    }
}
