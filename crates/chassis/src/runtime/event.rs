//! Lambda events in, Lambda responses out.
//!
//! Only what a service reads is parsed, and every event of the HTTP API becomes a
//! response: an error or a panic here would be an opaque 500 of the gateway instead of a
//! problem. An event of another kind fails the invocation.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use base64::{Engine, display::Base64Display, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, uri::PathAndQuery};
use json::{FieldErrors, Pointer};
use lambda_runtime::{Diagnostic, LambdaEvent};
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error as _, IgnoredAny},
};
use serde_json::{Value, value::RawValue};

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
    Request(Box<GatewayRequest>),
    /// Such an event, but malformed: what can be read of it.
    Malformed(Box<GatewayRequest>),
    /// Another event: its kind, for the operator.
    Unsupported(String),
}

/// A request, as an HTTP API describes it.
/// Source: Amazon API Gateway Developer Guide, "Create AWS Lambda proxy integrations
/// for HTTP APIs", payload format version 2.0.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct GatewayRequest {
    version: Option<String>,
    route_key: Option<String>,
    raw_path: Option<String>,
    /// In place of `raw_path` in events that were written by hand.
    path: Option<String>,
    raw_query_string: Option<String>,
    query_string_parameters: Option<BTreeMap<String, String>>,
    #[serde(default, deserialize_with = "read_headers")]
    headers: HeaderMap,
    request_context: GatewayContext,
    body: Option<String>,
    is_base64_encoded: Option<bool>,
    /// Only in the event of an authorizer.
    route_arn: Option<IgnoredAny>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct GatewayContext {
    domain_name: Option<String>,
    stage: Option<String>,
    http: HttpDescription,
}

#[derive(Debug, Default, Deserialize)]
struct HttpDescription {
    #[serde(deserialize_with = "read_method")]
    method: Method,
}

fn read_method<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Method, D::Error> {
    let method = String::deserialize(deserializer)?;
    method.parse().map_err(D::Error::custom)
}

fn read_headers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<HeaderMap, D::Error> {
    let members: Option<BTreeMap<String, String>> = Deserialize::deserialize(deserializer)?;
    let members = members.unwrap_or_default();
    // A map of headers panics if it has too many.
    let headers = HeaderMap::try_with_capacity(members.len());
    let mut headers = headers.map_err(D::Error::custom)?;
    for (name, value) in members {
        let name: HeaderName = name.parse().map_err(D::Error::custom)?;
        let value = HeaderValue::try_from(value).map_err(D::Error::custom)?;
        let appended = headers.try_append(name, value);
        appended.map_err(D::Error::custom)?;
    }
    Ok(headers)
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
    async fn of(response: axum::response::Response) -> Self {
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

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let event = Box::<RawValue>::deserialize(deserializer)?;
        let request = serde_json::from_str::<Box<GatewayRequest>>(event.get());
        Ok(Self(match request {
            Ok(request) if request.is_supported() => Kind::Request(request),
            _ => match serde_json::from_str(event.get()) {
                Ok(event) => classify(&event),
                Err(_) => Kind::Unsupported("JSON that nests too deep".to_owned()),
            },
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
    } else if has("/routeArn") || has("/methodArn") {
        "an event of an API Gateway authorizer"
    } else if has("/requestContext/serviceNetworkArn") {
        "a VPC Lattice event"
    } else if text("/version") == Some("1.0") || has("/httpMethod") {
        "an API Gateway event of payload version 1.0"
    } else if text("/version").is_some_and(|it| it != "2.0") {
        "an event of an unknown version"
    } else if has("/requestContext/http") || text("/version") == Some("2.0") {
        let owned = |pointer| text(pointer).map(str::to_owned);
        let method = text("/requestContext/http/method").and_then(|it| it.parse().ok());
        return Kind::Malformed(Box::new(GatewayRequest {
            route_key: owned("/routeKey"),
            raw_path: owned("/rawPath"),
            request_context: GatewayContext {
                domain_name: owned("/requestContext/domainName"),
                stage: owned("/requestContext/stage"),
                http: HttpDescription {
                    method: method.unwrap_or_default(),
                },
            },
            ..GatewayRequest::default()
        }));
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

/// A request that was an event.
struct Translated {
    request: http::Request<Bytes>,
    /// What was removed from its path.
    base_path: String,
    /// What is wrong with it. What is wrong is left out of the request.
    error: Option<&'static str>,
}

impl GatewayRequest {
    /// Whether it is an event of payload version 2.0 for a function that responds to
    /// requests.
    fn is_supported(&self) -> bool {
        matches!(self.version.as_deref(), None | Some("2.0")) && self.route_arn.is_none()
    }

    /// The request that the event describes.
    fn into_request(self, custom_base_path: &str) -> Translated {
        let path = self.raw_path.or(self.path).unwrap_or_default();
        let stage = self.request_context.stage.as_deref();
        let (base_path, path) = split_base_path(&path, stage, custom_base_path);
        // An HTTP API whose routes have paths has decoded the path, and a `%` in it
        // is no escape: decoded again, `%2541` would be the letter A.
        let path = match self.route_key.as_deref() {
            None | Some("" | ANY_ROUTE) => escape_percent(path),
            Some(_) => path.replace('%', "%25"),
        };
        let slash = if path.starts_with('/') { "" } else { "/" };
        let mut target = format!("{slash}{}", utf8_percent_encode(&path, PATH));
        let path_bytes = target.len();
        // An event that was written by hand may have only the parameters.
        let query = match self.raw_query_string {
            Some(query) if !query.is_empty() => query,
            _ => joined(&self.query_string_parameters.unwrap_or_default()),
        };

        if !query.is_empty() {
            target.push('?');
            target.extend(utf8_percent_encode(&query, QUERY));
        }
        let mut error = None;
        if target.len() > MAX_TARGET_BYTES {
            error = Some("has a path and query of more than 32 KiB");
            // The problem names the path, unless that is too long itself.
            let is_short = path_bytes <= MAX_TARGET_BYTES;
            target.truncate(if is_short { path_bytes } else { "/".len() });
        }
        let mut request = http::Request::default();
        *request.method_mut() = self.request_context.http.method;
        match PathAndQuery::try_from(target) {
            Ok(target) => *request.uri_mut() = Uri::from(target),
            Err(_) => error = error.or(Some("has a path or a query that no URI has")),
        }
        let headers = self.headers.iter();
        let header_bytes: usize = headers
            .map(|(name, value)| name.as_str().len() + value.len())
            .sum();
        if header_bytes > MAX_HEADER_BYTES {
            error = error.or(Some("has headers of more than 32 KiB"));
        } else {
            *request.headers_mut() = self.headers;
        }
        if let Some(body) = self.body {
            let is_base64 = self.is_base64_encoded.unwrap_or_default();
            if let Some(body) = decode(body, is_base64) {
                *request.body_mut() = body;
            } else {
                error = error.or(Some("has a body that is not the base64 it is said to be"));
            }
        }
        Translated {
            request,
            base_path: base_path.to_owned(),
            error,
        }
    }
}

/// The body of an event; `None` if it is said to be base64, and is not.
fn decode(body: String, is_base64: bool) -> Option<Bytes> {
    if is_base64 {
        STANDARD.decode(body).ok().map(Bytes::from)
    } else {
        Some(body.into())
    }
}

/// Parameters as a query.
fn joined(parameters: &BTreeMap<String, String>) -> String {
    let escape = |text| utf8_percent_encode(text, NON_ALPHANUMERIC);
    let pairs: Vec<_> = parameters
        .iter()
        .map(|(name, value)| format!("{}={}", escape(name), escape(value)))
        .collect();
    pairs.join("&")
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
        let deep = ["[".repeat(1_000), "]".repeat(1_000)].concat();
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
                r#"{"version":"2.0","type":"REQUEST","routeArn":"arn:aws:execute-api","requestContext":{"http":{"method":"GET"}}}"#,
                "an event of an API Gateway authorizer",
            ),
            (
                r#"{"version":"2.0","path":"/","requestContext":{"serviceNetworkArn":"arn"}}"#,
                "a VPC Lattice event",
            ),
            (
                r#"{"version":"3.0","requestContext":{"http":{"method":"GET"}}}"#,
                "an event of an unknown version",
            ),
            (deep.as_str(), "JSON that nests too deep"),
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
    fn target_of(path: &str, query: Option<&str>) -> Result<String, &'static str> {
        let event = GatewayRequest {
            raw_path: Some(path.to_owned()),
            raw_query_string: query.map(str::to_owned),
            query_string_parameters: Some([("a".to_owned(), "1".to_owned())].into()),
            ..GatewayRequest::default()
        };
        let translated = event.into_request("");
        let error = translated.error;
        error.map_or_else(|| Ok(translated.request.uri().to_string()), Err)
    }

    #[test]
    fn the_query_is_that_of_the_url_or_of_the_parameters() {
        assert_eq!(
            target_of("/x", Some("b=2&b=3")),
            Ok("/x?b=2&b=3".to_owned())
        );
        assert_eq!(target_of("/x", Some("")), Ok("/x?a=1".to_owned()));
        assert_eq!(target_of("/x", None), Ok("/x?a=1".to_owned()));
    }

    #[test]
    fn members_may_be_null_or_of_another_version() {
        let event = r#"{"version":"2.0","rawPath":"/x","path":"/y","isBase64Encoded":null,
            "headers":null,"body":null,"requestContext":{"http":{"method":"GET"}}}"#;
        let Event(Kind::Request(event)) = serde_json::from_str(event).unwrap() else {
            panic!("it is a request");
        };
        let translated = event.into_request("");
        assert_eq!(translated.error, None);
        assert_eq!(translated.request.uri(), "/x");
    }

    #[test]
    fn a_target_has_at_most_32_kib() {
        let path = |bytes: usize| format!("/{}", "p".repeat(bytes - "/?b".len()));
        assert!(target_of(&path(MAX_TARGET_BYTES), Some("b")).is_ok());
        let refused = target_of(&path(MAX_TARGET_BYTES + 1), Some("b"));
        assert_eq!(refused, Err("has a path and query of more than 32 KiB"));
        assert_eq!(MAX_TARGET_BYTES, 32_768);
    }
}
