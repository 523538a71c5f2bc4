//! Events from Lambda: requests of an API Gateway HTTP API, and the kinds of others.
//!
//! Only what a service reads is parsed.

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, IgnoredAny},
};
use serde_json::{Value, value::RawValue};

/// An event from Lambda.
#[derive(Debug)]
pub struct Event(pub(super) Kind);

#[derive(Debug)]
pub(super) enum Kind {
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

impl GatewayRequest {
    /// Whether it is an event of payload version 2.0 for a function that responds to
    /// requests.
    fn is_supported(&self) -> bool {
        matches!(self.version.as_deref(), None | Some("2.0")) && self.route_arn.is_none()
    }
}

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
        }) if version == "2.0" => Kind::Malformed(Box::new(GatewayRequest {
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
                matches!(received, Kind::Malformed(_)),
                "{event}: {received:?}"
            );
        }
    }
}
