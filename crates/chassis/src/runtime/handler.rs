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

use base64::{display::Base64Display, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::HeaderMap;
use json::{FieldErrors, Pointer};
use lambda_runtime::{Diagnostic, LambdaEvent};
use serde::{Serialize, Serializer};

use super::event::{Event, Kind, Translated};
use crate::{Environment, Problem, context::Invocation, http::Service};

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
    custom_base_path: String,
    /// Whether an event was handled already.
    warm: Arc<AtomicBool>,
}

impl Handler {
    /// The handler of the events of `service`. `custom_base_path` is that of a custom
    /// domain, such as `/v1`, or empty; see [`Handler::custom_base_path`].
    #[must_use]
    pub fn new(service: Service, custom_base_path: String) -> Self {
        Self {
            service,
            custom_base_path,
            warm: Arc::default(),
        }
    }

    /// Reads the base path of a custom domain from the environment, with a slash
    /// in front or without; `None` if it is malformed.
    pub fn custom_base_path(environment: &mut Environment) -> Option<String> {
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
        let event = match payload.0 {
            Kind::Request(event) => event,
            Kind::Unsupported(kind) => {
                let error = UnsupportedEvent(kind);
                let function = self.service.name();
                tracing::error!(function, request_id = context.request_id, "{error}");
                return Err(error);
            }
        };
        let Translated {
            request,
            domain,
            base_path,
            error,
        } = event.into_request(&self.custom_base_path);
        let invocation = Invocation {
            request_id: context.request_id,
            deadline: context.deadline,
            xray_trace: context.xray_trace_id,
            domain,
            base_path,
            cold_start,
            refusal: error.map(|error| {
                let mut errors = FieldErrors::new();
                errors.add(&Pointer::root(), error);
                Problem::malformed(errors)
            }),
        };
        let request = request.map(axum::body::Body::from);
        let response = self.service.serve(request, invocation).await;
        Ok(GatewayResponse::of(response).await)
    }
}

/// A response, as an HTTP API expects it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GatewayResponse {
    status_code: u16,
    #[serde(serialize_with = "write_headers")]
    headers: HeaderMap,
    // `cargo lambda watch` requires these two members.
    multi_value_headers: NoMembers,
    cookies: [(); 0],
    body: GatewayBody,
    is_base64_encoded: bool,
}

#[derive(Debug, Serialize)]
struct NoMembers {}

/// A body: text as it is, and anything else in base64.
#[derive(Debug)]
struct GatewayBody(Bytes);

impl GatewayBody {
    fn as_text(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }
}

impl Serialize for GatewayBody {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.as_text() {
            Some(text) => serializer.serialize_str(text),
            None => serializer.collect_str(&Base64Display::new(&self.0, &STANDARD)),
        }
    }
}

impl GatewayResponse {
    pub(super) async fn of(response: axum::response::Response) -> Self {
        let (parts, body) = response.into_parts();
        // A body is in memory already, so reading it does not fail.
        let body = axum::body::to_bytes(body, usize::MAX).await;
        let body = GatewayBody(body.unwrap_or_default());
        Self {
            status_code: parts.status.as_u16(),
            headers: parts.headers,
            multi_value_headers: NoMembers {},
            cookies: [],
            is_base64_encoded: body.as_text().is_none(),
            body,
        }
    }
}

/// Values of the same name are one, with commas between them.
fn write_headers<S: Serializer>(headers: &HeaderMap, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(headers.keys().map(|name| {
        let values = headers.get_all(name).iter();
        let values: Vec<_> = values
            .map(|value| String::from_utf8_lossy(value.as_bytes()))
            .collect();
        (name.as_str(), values.join(", "))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_path_is_read_from_the_environment() {
        let read =
            |path: &str| Handler::custom_base_path(&mut Environment::of([("BASE_PATH", path)]));
        assert_eq!(read(""), Some(String::new()));
        assert_eq!(read("/v1"), Some("/v1".to_owned()));
        assert_eq!(read("shop/v1"), Some("/shop/v1".to_owned()));
        for bad in ["/", "/v1/", "//", "/a b", "/é"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
