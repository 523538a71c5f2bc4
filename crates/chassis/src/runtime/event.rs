//! Events from Lambda: requests of an API Gateway HTTP API, converted to HTTP requests, and
//! the kinds of others.
//!
//! Only what a service reads is parsed.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, uri::PathAndQuery};
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, IgnoredAny},
};
use serde_json::{Value, value::RawValue};

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

/// The error of an event that is not as API Gateway sends it.
const INVALID: &str = "is not a valid HTTP API event";

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
pub struct Event(pub(super) Kind);

#[derive(Debug)]
pub(super) enum Kind {
    /// An API Gateway HTTP API event of payload version 2.0, or what can be read of a
    /// malformed one.
    Request(Box<GatewayRequest>),
    /// Another event: its kind, for the operator.
    Unsupported(String),
}

/// A request, as an HTTP API describes it.
/// Source: Amazon API Gateway Developer Guide, "Create AWS Lambda proxy integrations
/// for HTTP APIs", payload format version 2.0.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GatewayRequest {
    pub(super) version: Option<String>,
    pub(super) route_key: Option<String>,
    pub(super) raw_path: Option<String>,
    /// In place of `raw_path` in events that were written by hand.
    pub(super) path: Option<String>,
    pub(super) raw_query_string: Option<String>,
    pub(super) query_string_parameters: Option<BTreeMap<String, String>>,
    #[serde(default, deserialize_with = "read_headers")]
    pub(super) headers: HeaderMap,
    pub(super) request_context: GatewayContext,
    pub(super) body: Option<String>,
    pub(super) is_base64_encoded: Option<bool>,
    /// Only in the event of an authorizer.
    pub(super) route_arn: Option<IgnoredAny>,
    /// Why the event is malformed. The malformed part is missing here.
    #[serde(skip)]
    pub(super) error: Option<&'static str>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GatewayContext {
    pub(super) domain_name: Option<String>,
    pub(super) stage: Option<String>,
    pub(super) http: HttpDescription,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct HttpDescription {
    #[serde(deserialize_with = "read_method")]
    pub(super) method: Method,
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

/// A request as a service gets it.
pub(super) struct Translated {
    pub(super) request: http::Request<Bytes>,
    /// The domain that it was sent to.
    pub(super) domain: Option<String>,
    /// What was removed from its path.
    pub(super) base_path: String,
    /// Why the event is malformed. The malformed part is not in `request`.
    pub(super) error: Option<&'static str>,
}

impl GatewayRequest {
    /// Whether it is an event of payload version 2.0 for a function that responds to
    /// requests.
    fn is_supported(&self) -> bool {
        matches!(self.version.as_deref(), None | Some("2.0")) && self.route_arn.is_none()
    }

    /// The request that the event describes.
    pub(super) fn into_request(self, custom_base_path: &str) -> Translated {
        let path = self.raw_path.or(self.path).unwrap_or_default();
        let stage = self.request_context.stage.as_deref();
        let (base_path, path) = split_base_path(&path, stage, custom_base_path);
        // For a route with a path, API Gateway has decoded `rawPath`: a `%` in it is a
        // literal character. For `$default` the path is still encoded.
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
        let mut error = self.error;
        if target.len() > MAX_TARGET_BYTES {
            error = error.or(Some("has a path and query of more than 32 KiB"));
            // The problem names the path, unless that is too long itself.
            let is_short = path_bytes <= MAX_TARGET_BYTES;
            target.truncate(if is_short { path_bytes } else { "/".len() });
        }
        let mut request = http::Request::default();
        *request.method_mut() = self.request_context.http.method;
        match PathAndQuery::try_from(target) {
            Ok(target) => *request.uri_mut() = Uri::from(target),
            Err(_) => error = error.or(Some("has a path or query that is not valid in a URI")),
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
                error = error.or(Some("has isBase64Encoded, but its body is not base64"));
            }
        }
        Translated {
            request,
            domain: self.request_context.domain_name,
            base_path: base_path.to_owned(),
            error,
        }
    }
}

/// Decodes the body; `None` if `is_base64` is set and the body is not base64.
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

/// Any JSON is an event; the handler rejects those that are not requests.
impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let event = Box::<RawValue>::deserialize(deserializer)?;
        let request = serde_json::from_str::<Box<GatewayRequest>>(event.get());
        Ok(Self(match request {
            Ok(request) if request.is_supported() => Kind::Request(request),
            _ => match serde_json::from_str(event.get()) {
                Ok(event) => classify(&event),
                Err(error) => classify_unreadable(event.get(), &error),
            },
        }))
    }
}

/// The kind of an event that has a value which cannot be read: it nests too deep, a text
/// in it is not Unicode, or a number is out of range.
fn classify_unreadable(event: &str, error: &serde_json::Error) -> Kind {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Outline {
        version: String,
        route_key: Option<String>,
        raw_path: Option<String>,
        request_context: GatewayContext,
        route_arn: Option<IgnoredAny>,
    }
    match serde_json::from_str(event) {
        Ok(Outline {
            version,
            route_key,
            raw_path,
            request_context,
            route_arn: None,
        }) if version == "2.0" => Kind::Request(Box::new(GatewayRequest {
            error: Some(INVALID),
            route_key,
            raw_path,
            request_context,
            ..GatewayRequest::default()
        })),
        _ => Kind::Unsupported(format!("JSON that cannot be read ({error})")),
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
    } else if text("/detail-type") == Some("Scheduled Event") {
        "a scheduled event"
    } else if has("/detail-type") {
        "an EventBridge event"
    } else if text("/version") == Some("1.0") || has("/httpMethod") {
        "an API Gateway event of payload version 1.0"
    } else if text("/version").is_some_and(|it| it != "2.0") {
        "an event of an unknown version"
    } else if has("/requestContext/http") || text("/version") == Some("2.0") {
        return Kind::Request(Box::new(malformed_request(event)));
    } else if let Some(source) = source {
        match source {
            "aws:sqs" => "an SQS event",
            "aws:sns" => "an SNS event",
            "aws:s3" => "an S3 event",
            "aws:dynamodb" => "a DynamoDB stream event",
            "aws:kinesis" => "a Kinesis event",
            _ => "an event of records",
        }
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

/// What can be read of a malformed HTTP API event.
fn malformed_request(event: &Value) -> GatewayRequest {
    let text = |pointer| event.pointer(pointer).and_then(Value::as_str);
    let owned = |pointer| text(pointer).map(str::to_owned);
    let method = text("/requestContext/http/method").and_then(|it| it.parse().ok());
    GatewayRequest {
        error: Some(INVALID),
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
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
                r#"{"version":"0","detail-type":"Order","source":"shop","detail":{}}"#,
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
            (
                deep.as_str(),
                "JSON that cannot be read (recursion limit exceeded at line 1 column 128)",
            ),
            (
                r#"{"warmup":1e999}"#,
                "JSON that cannot be read (number out of range at line 1 column 15)",
            ),
            (
                r#"{"version":"0","detail-type":"Scheduled Event","source":"aws.events"}"#,
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
            r#"{"version":"2.0","requestContext":{"http":{"method":"POST"}},"body":"\ud800"}"#,
        ];
        for event in malformed {
            let Event(received) = serde_json::from_str(event).unwrap();
            assert!(
                matches!(&received, Kind::Request(it) if it.error == Some(INVALID)),
                "{event}: {received:?}"
            );
        }
    }

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
