//! Handling an event: from Lambda's event to its response.
//!
//! Every event of an HTTP API becomes a response: an error or a panic here would be an
//! opaque 500 of the gateway instead of a problem. An event of another kind fails the
//! invocation.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use json::{FieldErrors, Pointer};
use lambda_runtime::{Diagnostic, LambdaEvent};

use super::{
    event::{Event, Kind},
    response::GatewayResponse,
};
use crate::{Environment, Problem, context::Invocation, http::Service, telemetry::Telemetry};

/// The failure of an invocation with an event that is not an HTTP API event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnsupportedEvent(String);

impl fmt::Display for UnsupportedEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(received) = self;
        write!(
            f,
            "received {received}, expected an API Gateway HTTP API event of payload version 2.0"
        )
    }
}

impl From<UnsupportedEvent> for Diagnostic {
    fn from(error: UnsupportedEvent) -> Self {
        Self {
            error_type: "UnsupportedEvent".to_owned(),
            error_message: error.to_string(),
        }
    }
}

/// The handler that Lambda invokes: from an event to a response, the same for a deployed
/// function and for an event that a test replays.
#[derive(Clone)]
pub struct Handler {
    service: Service,
    base_path: String,
    telemetry: Arc<Telemetry>,
    /// Whether an event was handled already.
    warm: Arc<AtomicBool>,
}

impl Handler {
    /// The handler of the events of `service`. `base_path` is that of a custom
    /// domain, such as `/v1`, or empty; see [`Handler::base_path`].
    #[must_use]
    pub fn new(service: Service, base_path: String) -> Self {
        Self {
            service,
            base_path,
            telemetry: Arc::default(),
            warm: Arc::default(),
        }
    }

    /// Sets where metrics and traces go.
    #[must_use]
    pub fn with_telemetry(self, telemetry: Telemetry) -> Self {
        Self {
            telemetry: Arc::new(telemetry),
            ..self
        }
    }

    /// Reads the base path of a custom domain from the environment, with a slash
    /// in front or without; `None` if it is malformed.
    pub fn base_path(environment: &mut Environment) -> Option<String> {
        let what = "the base path of a custom domain, such as shop/v1, or empty";
        let base_path = environment.optional("BASE_PATH", what, |path| {
            let segments = path.strip_prefix('/').unwrap_or(path);
            let allowed = |b: u8| b.is_ascii_alphanumeric() || b"$-_.+!*'()/".contains(&b);
            let valid = segments.bytes().all(allowed) && segments.split('/').all(|s| !s.is_empty());
            valid
                .then(|| format!("/{segments}"))
                .ok_or("it is not a base path")
        });
        Some(base_path?.unwrap_or_default())
    }

    /// Handles an event. A malformed HTTP API event is a 400.
    ///
    /// # Errors
    ///
    /// [`UnsupportedEvent`], after one line in the log, if the event is not an
    /// HTTP API event.
    pub async fn handle(
        &self,
        event: LambdaEvent<Event>,
    ) -> Result<GatewayResponse, UnsupportedEvent> {
        let LambdaEvent { payload, context } = event;
        let cold_start = !self.warm.swap(true, Relaxed);
        let (mut event, mut error) = match payload.0 {
            Kind::Unsupported(kind) => {
                let error = UnsupportedEvent(kind);
                let function = self.service.name();
                tracing::error!(function, request_id = context.request_id, "{error}");
                return Err(error);
            }
            Kind::Malformed(event) => (event, Some("is not a valid HTTP API event")),
            Kind::Request(event) => (event, None),
        };
        let domain = event.request_context.domain_name.take();
        let translated = event.into_request(&self.base_path);
        error = error.or(translated.error);
        let base_path = translated.base_path;
        let request = translated.request.map(axum::body::Body::from);
        let invocation = Invocation {
            request_id: context.request_id,
            deadline: context.deadline,
            xray_trace: context.xray_trace_id,
            domain,
            base_path,
            telemetry: Arc::clone(&self.telemetry),
            cold_start,
        };
        let response = match error {
            Some(error) => {
                let mut errors = FieldErrors::new();
                errors.add(&Pointer::root(), error);
                let problem = Problem::malformed(errors);
                self.service.refuse(problem, &request, invocation)
            }
            None => self.service.serve(request, invocation).await,
        };
        Ok(GatewayResponse::of(response).await)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_path_is_read_from_the_environment() {
        let read = |path: &str| Handler::base_path(&mut Environment::of([("BASE_PATH", path)]));
        assert_eq!(read(""), Some(String::new()));
        assert_eq!(read("/v1"), Some("/v1".to_owned()));
        assert_eq!(read("shop/v1"), Some("/shop/v1".to_owned()));
        for bad in ["/", "/v1/", "//", "/a b", "/é"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
