//! Lambda events in, Lambda responses out.
//!
//! `lambda_http` translates an event into a request. What it would panic at is
//! corrected here first: a panic outside the service is an opaque 500 of the
//! gateway instead of a problem.

use std::{
    convert::Infallible,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderValue, Uri, header::HOST};
use json::{FieldErrors, Pointer};
use lambda_http::{
    Adapter, Body, LambdaEvent, aws_lambda_events::apigw::ApiGatewayV2httpRequest,
    request::LambdaRequest,
};
use lambda_runtime::Diagnostic;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, value::RawValue};
use tower::Service as _;
use url::Url;

use super::{Environment, context::Invocation};
use crate::{
    http::{Problem, Service},
    telemetry::Telemetry,
};

/// The longest path with its query. API Gateway itself accepts 10,240 bytes of
/// request line and headers.
const MAX_TARGET_BYTES: usize = 32 * 1024;

/// The most bytes of the names and values of all headers.
const MAX_HEADER_BYTES: usize = 32 * 1024;

/// The route key of a gateway that passes on every request, as `cargo lambda
/// watch` and a function URL do.
const ANY_ROUTE: &str = "$default";

/// The stage that is not part of the path.
const DEFAULT_STAGE: &str = "$default";

/// The characters that are escaped in a query.
const QUERY: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// The characters that are escaped in a path. An HTTP API decodes the path in its
/// event, so it may have any character.
const PATH: &AsciiSet = &QUERY.add(b'?');

/// An event from Lambda.
#[derive(Debug)]
pub struct Event(Kind);

#[derive(Debug)]
enum Kind {
    /// An API Gateway HTTP API event of payload version 2.0.
    Request(Box<ApiGatewayV2httpRequest>),
    /// Such an event, but malformed; its path, as far as it can be read.
    Malformed(String),
    /// Another event: its kind, for the operator.
    Unsupported(String),
}

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let event = Box::<RawValue>::deserialize(deserializer)?;
        let request = serde_json::from_str::<Box<ApiGatewayV2httpRequest>>(event.get());
        Ok(Self(match request {
            Ok(request) if matches!(request.version.as_deref(), None | Some("2.0")) => {
                Kind::Request(request)
            }
            _ => classify(&serde_json::from_str(event.get()).unwrap_or_default()),
        }))
    }
}

/// The kind of an event that is not a well-formed HTTP API event.
fn classify(event: &Value) -> Kind {
    let text = |pointer| event.pointer(pointer).and_then(Value::as_str);
    let has = |pointer| event.pointer(pointer).is_some();
    let source = text("/Records/0/eventSource").or_else(|| text("/Records/0/EventSource"));
    let kind = if has("/requestContext/elb") {
        "an Application Load Balancer event"
    } else if has("/requestContext/connectionId") {
        "an API Gateway WebSocket event"
    } else if text("/version") == Some("1.0") || has("/httpMethod") {
        "an API Gateway event of payload version 1.0"
    } else if has("/requestContext/http") || text("/version") == Some("2.0") {
        let path = text("/rawPath").unwrap_or_default();
        return Kind::Malformed(path.to_owned());
    } else if let Some(source) = source {
        match source {
            "aws:sqs" => "an SQS event",
            "aws:sns" => "an SNS event",
            "aws:s3" => "an S3 event",
            "aws:dynamodb" => "a DynamoDB stream event",
            "aws:kinesis" => "a Kinesis event",
            _ => "an event of records",
        }
    } else if text("/detail-type") == Some("Scheduled Event") {
        "a scheduled event"
    } else if has("/detail-type") {
        "an EventBridge event"
    } else if has("/RequestType") {
        "a CloudFormation custom resource event"
    } else {
        match event {
            Value::Object(members) if members.is_empty() => "an empty object",
            Value::Object(_) => "an object that is not an event of API Gateway, such as a warm-up",
            Value::Array(_) => "an array",
            Value::String(_) => "a string",
            Value::Number(_) => "a number",
            Value::Bool(_) => "a boolean",
            Value::Null => "null",
        }
    };
    Kind::Unsupported(kind.to_owned())
}

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

    /// The service.
    #[must_use]
    pub fn service(&self) -> &Service {
        &self.service
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
    ) -> Result<impl Serialize + fmt::Debug + use<>, UnsupportedEvent> {
        let LambdaEvent { payload, context } = event;
        let cold_start = !self.warm.swap(true, Relaxed);
        let (request, base_path, refusal) = match payload.0 {
            Kind::Unsupported(kind) => {
                let error = UnsupportedEvent(kind);
                let function = self.service.name();
                tracing::error!(function, request_id = context.request_id, "{error}");
                return Err(error);
            }
            Kind::Malformed(path) => {
                let mut request = Box::<ApiGatewayV2httpRequest>::default();
                request.raw_path = Some(path);
                let normalized = normalize(request, &self.base_path);
                let (request, base_path) = normalized.unwrap_or_default();
                (request, base_path, Some("is not a valid HTTP API event"))
            }
            Kind::Request(mut request) => {
                let body_error = remove_malformed_body(&mut request);
                match normalize(request, &self.base_path) {
                    Ok((request, base_path)) => (request, base_path, body_error),
                    Err(wrong) => (Box::default(), String::new(), Some(wrong)),
                }
            }
        };
        let refusal = refusal.map(|wrong| {
            let mut errors = FieldErrors::new();
            errors.add(&Pointer::root(), wrong);
            Problem::malformed(errors)
        });
        let service = self.service.clone();
        let invocation = Invocation {
            base_path,
            telemetry: Arc::clone(&self.telemetry),
            cold_start,
        };
        let respond = tower::service_fn(move |mut request: lambda_http::Request| {
            let (service, refusal) = (service.clone(), refusal.clone());
            request.extensions_mut().insert(invocation.clone());
            async move {
                let request = request.map(body);
                Ok::<_, Infallible>(match refusal {
                    Some(problem) => service.refuse(problem, &request),
                    None => service.call(request).await,
                })
            }
        });
        let event = LambdaEvent::new(LambdaRequest::ApiGatewayV2(*request), context);
        // A service made of a function is always ready, and cannot fail. The adapter
        // does not live until the response, because it is not `Send`.
        let response = Adapter::from(respond).call(event);
        match response.await {
            Ok(response) => Ok(response),
            Err(never) => match never {},
        }
    }
}

fn body(body: Body) -> axum::body::Body {
    match body {
        Body::Text(text) => text.into(),
        Body::Binary(bytes) => bytes.into(),
        _ => axum::body::Body::empty(),
    }
}

/// The event as `lambda_http` requires it, with the base path that was removed
/// from its path; or what is wrong with it.
fn normalize(
    mut event: Box<ApiGatewayV2httpRequest>,
    custom_base_path: &str,
) -> Result<(Box<ApiGatewayV2httpRequest>, String), &'static str> {
    let stage = event.request_context.stage.take();
    let path = event.raw_path.take().unwrap_or_default();
    let (base_path, path) = split_base_path(&path, stage.as_deref(), custom_base_path);
    // An HTTP API whose routes have paths has decoded the path, and a `%` in it
    // is no escape: decoded again, `%2541` would be the letter A.
    let path = match event.route_key.as_deref() {
        None | Some("" | ANY_ROUTE) => escape_percent(path),
        Some(_) => path.replace('%', "%25"),
    };
    let path = utf8_percent_encode(&path, PATH).to_string();
    let path = if path.starts_with('/') {
        path
    } else {
        format!("/{path}")
    };

    // An event that was written by hand may have only the parameters.
    let query = match event.raw_query_string.take() {
        Some(query) if !query.is_empty() => query,
        _ => event.query_string_parameters.to_query_string(),
    };
    let query = utf8_percent_encode(&query, QUERY).to_string();

    if path.len() + query.len() > MAX_TARGET_BYTES {
        return Err("has a path and query of more than 32 KiB");
    }
    let headers = event.headers.iter();
    let header_bytes: usize = headers
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum();
    if header_bytes > MAX_HEADER_BYTES {
        return Err("has headers of more than 32 KiB");
    }

    // `lambda_http` builds a URL of these. Only its path and query are used, so
    // a host that would break it is left out.
    event.headers.remove("x-forwarded-proto");
    let host = event.headers.get(HOST).map(HeaderValue::to_str);
    if host.is_some_and(|host| !host.is_ok_and(|host| fits(host, &path))) {
        event.headers.remove(HOST);
    }
    let domain = event.request_context.domain_name.take();
    event.request_context.domain_name = domain.filter(|domain| fits(domain, &path));

    let base_path = base_path.to_owned();
    event.raw_path = Some(path);
    event.raw_query_string = Some(query);
    Ok((event, base_path))
}

/// Removes a body that is declared as base64 and is not; describes the defect.
fn remove_malformed_body(event: &mut ApiGatewayV2httpRequest) -> Option<&'static str> {
    let body = event
        .body
        .take_if(|body| event.is_base64_encoded && STANDARD.decode(body).is_err());
    body.map(|_| "has a body that is not the base64 it is said to be")
}

/// Splits a path into its base path, which is not part of the routes, and the
/// rest. The base path is a named stage, or that of a custom domain.
fn split_base_path<'p>(path: &'p str, stage: Option<&str>, custom: &str) -> (&'p str, &'p str) {
    let stage = stage.filter(|stage| !stage.is_empty() && *stage != DEFAULT_STAGE);
    let stage = stage.map(|stage| format!("/{stage}")).unwrap_or_default();
    for base_path in [custom, &stage] {
        if !base_path.is_empty()
            && let Some(rest) = path.strip_prefix(base_path)
            && (rest.is_empty() || rest.starts_with('/'))
        {
            return path.split_at(path.len() - rest.len());
        }
    }
    ("", path)
}

/// Whether a URL of this host and path is valid and has this path still.
fn fits(host: &str, path: &str) -> bool {
    let url = |host| Url::parse(&format!("https://{host}{path}"));
    match (url(host), url("localhost")) {
        (Ok(url), Ok(plain)) => {
            url.path() == plain.path()
                && url.query().is_none()
                && url.as_str().parse::<Uri>().is_ok()
        }
        _ => false,
    }
}

/// Escapes each `%` that starts no escape.
fn escape_percent(path: &str) -> String {
    let mut escaped = String::with_capacity(path.len());
    for (at, c) in path.char_indices() {
        escaped.push(c);
        let hex = |n| {
            path.as_bytes()
                .get(at + n)
                .is_some_and(u8::is_ascii_hexdigit)
        };
        if c == '%' && !(hex(1) && hex(2)) {
            escaped.push_str("25");
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_path_ends_at_a_slash_or_with_the_path() {
        for (path, stage, custom, expected) in [
            ("/prod/things", Some("prod"), "", ("/prod", "/things")),
            ("/prod", Some("prod"), "", ("/prod", "")),
            ("/production", Some("prod"), "", ("", "/production")),
            ("/things", Some("prod"), "", ("", "/things")),
            ("/things", Some("$default"), "", ("", "/things")),
            ("/v1/things", Some("$default"), "/v1", ("/v1", "/things")),
            ("/v1/things", Some("prod"), "/v1", ("/v1", "/things")),
            ("/v1/v1", None, "/v1", ("/v1", "/v1")),
        ] {
            assert_eq!(split_base_path(path, stage, custom), expected, "{path}");
        }
    }

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

    #[test]
    fn other_events_are_named() {
        for (event, kind) in [
            (
                r#"{"requestContext":{"elb":{}},"httpMethod":"GET"}"#,
                "an Application Load Balancer event",
            ),
            (
                r#"{"version":"1.0","resource":"/","httpMethod":"GET"}"#,
                "an API Gateway event of payload version 1.0",
            ),
            (
                r#"{"requestContext":{"connectionId":"a","eventType":"CONNECT"}}"#,
                "an API Gateway WebSocket event",
            ),
            (r#"{"Records":[{"eventSource":"aws:sqs"}]}"#, "an SQS event"),
            (r#"{"Records":[{"EventSource":"aws:sns"}]}"#, "an SNS event"),
            (r#"{"Records":[{"eventSource":"aws:s3"}]}"#, "an S3 event"),
            (
                r#"{"Records":[{"eventSource":"aws:dynamodb"}]}"#,
                "a DynamoDB stream event",
            ),
            (
                r#"{"Records":[{"eventSource":"aws:kinesis"}]}"#,
                "a Kinesis event",
            ),
            (
                r#"{"Records":[{"eventSource":"aws:other"}]}"#,
                "an event of records",
            ),
            (
                r#"{"detail-type":"Order","source":"shop"}"#,
                "an EventBridge event",
            ),
            (
                r#"{"RequestType":"Create"}"#,
                "a CloudFormation custom resource event",
            ),
            (
                r#"{"detail-type":"Scheduled Event","source":"aws.events"}"#,
                "a scheduled event",
            ),
            ("{}", "an empty object"),
            (
                r#"{"warmup":true}"#,
                "an object that is not an event of API Gateway, such as a warm-up",
            ),
            ("[]", "an array"),
            (r#""ping""#, "a string"),
            ("1", "a number"),
            ("true", "a boolean"),
            ("null", "null"),
        ] {
            let Event(received) = serde_json::from_str(event).unwrap();
            assert!(
                matches!(&received, Kind::Unsupported(name) if name == kind),
                "{event}: {received:?}"
            );
        }
        let malformed = [
            r#"{"version":"2.0"}"#,
            r#"{"version":"2.0","requestContext":{"http":{"method":7}}}"#,
            r#"{"requestContext":{"http":{}}}"#,
        ];
        for event in malformed {
            let Event(received) = serde_json::from_str(event).unwrap();
            assert!(
                matches!(received, Kind::Malformed(_)),
                "{event}: {received:?}"
            );
        }
    }

    /// The target that a service gets for a path, a query and a parameter.
    fn target(path: &str, query: Option<&str>) -> Result<String, &'static str> {
        let mut event = Box::new(ApiGatewayV2httpRequest::default());
        event.raw_path = Some(path.to_owned());
        event.raw_query_string = query.map(str::to_owned);
        event.query_string_parameters =
            std::collections::HashMap::from([("a".to_owned(), "1".to_owned())]).into();
        let (event, _) = normalize(event, "")?;
        let (path, query) = (event.raw_path.unwrap(), event.raw_query_string.unwrap());
        Ok(format!("{path}?{query}"))
    }

    #[test]
    fn the_query_is_that_of_the_url_or_of_the_parameters() {
        assert_eq!(target("/x", Some("b=2&b=3")), Ok("/x?b=2&b=3".to_owned()));
        assert_eq!(target("/x", Some("")), Ok("/x?a=1".to_owned()));
        assert_eq!(target("/x", None), Ok("/x?a=1".to_owned()));
    }

    #[test]
    fn a_target_has_at_most_32_kib() {
        let path = |bytes: usize| format!("/{}", "p".repeat(bytes - 1 - "b".len()));
        assert!(target(&path(MAX_TARGET_BYTES), Some("b")).is_ok());
        let refused = target(&path(MAX_TARGET_BYTES + 1), Some("b"));
        assert_eq!(refused, Err("has a path and query of more than 32 KiB"));
        assert_eq!(MAX_TARGET_BYTES, 32_768);
    }
}
