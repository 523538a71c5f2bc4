//! What `main` of every function does.

use std::{fmt::Debug, process::ExitCode};

use lambda_runtime::{Diagnostic, LambdaEvent};
use serde::{Deserialize, Serialize};

use crate::{Handler, Router, config::Environment, telemetry};

/// Starts a function that answers HTTP and runs it until the platform ends it:
/// the log, the configuration, the service, then event after event.
///
/// `configure` reads the environment; what is missing or malformed there is
/// told, all at once, and the process exits with 78 (`EX_CONFIG`). `build`
/// makes the service while Lambda gives full CPU: clients and connections
/// belong there. It cannot fail: a function comes up while its store is away.
pub async fn start<C, S: Clone + Send + Sync + 'static>(
    configure: impl FnOnce(&mut Environment) -> Option<C>,
    build: impl AsyncFnOnce(C) -> Router<S>,
) -> ExitCode {
    start_handler(configure, async |config| {
        let handler = Handler::new(build(config).await.into_service());
        move |event| {
            let handler = handler.clone();
            async move { handler.handle(event).await }
        }
    })
    .await
}

/// Starts a function whose events are of another kind, and runs it in the same
/// way. `build` gives what answers an event.
pub async fn start_handler<C, H, E, A, X, F>(
    configure: impl FnOnce(&mut Environment) -> Option<C>,
    build: impl AsyncFnOnce(C) -> H,
) -> ExitCode
where
    H: FnMut(LambdaEvent<E>) -> F,
    E: for<'de> Deserialize<'de>,
    A: Serialize,
    X: Into<Diagnostic> + Debug,
    F: Future<Output = Result<A, X>>,
{
    telemetry::start();
    let mut environment = Environment::default();
    let config = configure(&mut environment);
    let Some(config) = config.filter(|_| environment.faults().is_empty()) else {
        for fault in environment.faults() {
            tracing::error!("{fault}");
        }
        return ExitCode::from(78);
    };
    if std::env::var_os("AWS_LAMBDA_RUNTIME_API").is_none() {
        tracing::error!(
            "AWS_LAMBDA_RUNTIME_API is not set: this is a Lambda function, which Lambda or \
             `cargo lambda watch` starts. `cargo xtask up` runs the whole system."
        );
        return ExitCode::from(78);
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
