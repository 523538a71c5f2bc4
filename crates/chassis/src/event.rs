//! The event of an invocation: which kind it is, and whether it can be served.

use http::Method;
use lambda_http::aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use lambda_runtime::Diagnostic;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, value::RawValue};

/// The one kind of event that is served: what `lambda_runtime` takes is any JSON.
const SERVED: &str = "an API Gateway HTTP API event of payload version 2.0";

/// An HTTP API may be set to the payload of a REST API, too.
const REST_API: &str = "an API Gateway REST API event (payload 1.0)";

/// An event from Lambda: an HTTP request in API Gateway's payload version 2.0,
/// or what it is instead.
#[derive(Debug)]
pub struct Event(pub(crate) Kind);

/// What an event is.
#[derive(Debug)]
pub(crate) enum Kind {
    /// An HTTP API event.
    Http(Box<ApiGatewayV2httpRequest>),
    /// An HTTP API event with members that are missing or of another type, and
    /// what of it can be read.
    Malformed(Box<ApiGatewayV2httpRequest>),
    /// An event of another kind.
    Unsupported(UnsupportedEvent),
}

/// An event that is not one of an HTTP API: a function error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("received {received}, expected {SERVED}")]
pub struct UnsupportedEvent {
    received: &'static str,
}

impl From<UnsupportedEvent> for Diagnostic {
    fn from(error: UnsupportedEvent) -> Self {
        Self {
            error_type: "UnsupportedEvent".to_owned(),
            error_message: error.to_string(),
        }
    }
}

/// Any JSON is an event.
impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let event = Box::<RawValue>::deserialize(deserializer)?;
        Ok(Self(Kind::of(event.get())))
    }
}

impl Kind {
    fn of(event: &str) -> Self {
        let Ok(value) = serde_json::from_str::<Value>(event) else {
            return Self::Unsupported(UnsupportedEvent {
                received: "JSON that nests too deep or holds invalid Unicode",
            });
        };
        if let Some(received) = other_kind(&value) {
            return Self::Unsupported(UnsupportedEvent { received });
        }
        match serde_json::from_str(event) {
            Ok(request) => Self::Http(request),
            Err(error) => {
                tracing::debug!(error = error.to_string(), "malformed HTTP API event");
                Self::Malformed(readable(&value))
            }
        }
    }
}

/// The method and the path of a malformed event, where they can be read.
fn readable(event: &Value) -> Box<ApiGatewayV2httpRequest> {
    let mut request = Box::<ApiGatewayV2httpRequest>::default();
    let method = text(event, "/requestContext/http/method");
    request.request_context.http.method = method
        .and_then(|method| method.parse().ok())
        .unwrap_or(Method::GET);
    request.route_key = text(event, "/routeKey").map(str::to_owned);
    request.raw_path = text(event, "/rawPath").map(str::to_owned);
    request
}

/// What an event is that is not one of an HTTP API, as far as its members show.
/// `None` for an HTTP API event, well-formed or not.
fn other_kind(event: &Value) -> Option<&'static str> {
    let members = match event {
        Value::Object(members) => members,
        Value::Null => return Some("null"),
        Value::Bool(_) => return Some("a boolean"),
        Value::Number(_) => return Some("a number"),
        Value::String(_) => return Some("a string"),
        Value::Array(_) => return Some("an array"),
    };
    let has = |pointer| event.pointer(pointer).is_some_and(|it| !it.is_null());
    let says = |pointer, word: &str| text(event, pointer).is_some_and(|it| it.contains(word));
    // (Only an event of payload 1.0 or 2.0 has one of these two versions.)
    let version = text(event, "/version");
    Some(if members.is_empty() {
        "an empty object"
    } else if has("/methodArn") || has("/routeArn") {
        "an API Gateway authorizer event"
    } else if has("/requestContext/serviceNetworkArn") {
        "a VPC Lattice event"
    } else if has("/requestContext/elb") {
        "an Application Load Balancer event"
    } else if has("/requestContext/connectionId") {
        "an API Gateway WebSocket event"
    } else if version == Some("1.0") {
        REST_API
    } else if version == Some("2.0") || has("/requestContext/http") {
        return None;
    } else if has("/requestContext/httpMethod") || has("/httpMethod") {
        REST_API
    } else if has("/Records") {
        records(event)
    } else if says("/detail-type", "Scheduled Event") {
        "a scheduled event"
    } else if has("/detail-type") {
        "an EventBridge event"
    } else if has("/awslogs") {
        "a CloudWatch Logs event"
    } else if has("/triggerSource") {
        "a Cognito event"
    } else if has("/ResponseURL") {
        "a CloudFormation custom resource event"
    } else if says("/eventSource", "aws:kafka") || says("/eventSource", "SelfManagedKafka") {
        "a Kafka event"
    } else if ["/warmer", "/warmup", "/keepWarm", "/ping", "/key1"].map(has) != [false; 5]
        || says("/source", "warm")
    {
        "a Lambda warm-up or test event"
    } else {
        "an object that is no known event"
    })
}

/// What an event of records is: their source says it.
fn records(event: &Value) -> &'static str {
    let source = text(event, "/Records/0/eventSource").or(text(event, "/Records/0/EventSource"));
    match source {
        Some("aws:sqs") => "an SQS event",
        Some("aws:sns") => "an SNS event",
        Some("aws:s3") => "an S3 event",
        Some("aws:ses") => "an SES event",
        Some("aws:dynamodb") => "a DynamoDB Streams event",
        Some("aws:kinesis") => "a Kinesis event",
        Some("aws:codecommit") => "a CodeCommit event",
        _ if event.pointer("/Records/0/cf").is_some() => "a CloudFront event",
        _ => "an event of records of an unknown source",
    }
}

fn text<'v>(event: &'v Value, pointer: &str) -> Option<&'v str> {
    event.pointer(pointer).and_then(Value::as_str)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// What the event is, where it is not one of an HTTP API.
    fn received(event: &Value) -> Option<&'static str> {
        match Kind::of(&event.to_string()) {
            Kind::Unsupported(UnsupportedEvent { received }) => Some(received),
            Kind::Http(_) | Kind::Malformed(_) => None,
        }
    }

    #[test]
    fn an_event_is_named_by_its_members() {
        let record = |source: Value| json!({"Records": [source]});
        for (event, name) in [
            (json!(null), "null"),
            (json!(true), "a boolean"),
            (json!(1), "a number"),
            (json!("x"), "a string"),
            (json!([{}]), "an array"),
            (json!({}), "an empty object"),
            (
                json!({"requestContext": {"elb": {"targetGroupArn": "arn"}}, "httpMethod": "GET", "path": "/"}),
                "an Application Load Balancer event",
            ),
            (
                json!({"version": "1.0", "resource": "/", "path": "/", "httpMethod": "GET", "requestContext": {"httpMethod": "GET", "stage": "x"}}),
                "an API Gateway REST API event (payload 1.0)",
            ),
            (
                json!({"resource": "/", "path": "/", "httpMethod": "GET", "requestContext": {"resourceId": "r"}}),
                "an API Gateway REST API event (payload 1.0)",
            ),
            (
                json!({"requestContext": {"connectionId": "c", "eventType": "MESSAGE", "routeKey": "$default"}, "body": "hi"}),
                "an API Gateway WebSocket event",
            ),
            (
                json!({"version": "2.0", "type": "REQUEST", "routeArn": "arn", "requestContext": {"http": {"method": "GET"}}}),
                "an API Gateway authorizer event",
            ),
            (
                json!({"version": "2.0", "path": "/", "method": "GET", "requestContext": {"serviceNetworkArn": "arn"}}),
                "a VPC Lattice event",
            ),
            (
                record(json!({"eventSource": "aws:sqs", "body": "x"})),
                "an SQS event",
            ),
            (
                record(json!({"EventSource": "aws:sns", "Sns": {}})),
                "an SNS event",
            ),
            (
                record(json!({"eventSource": "aws:s3", "s3": {}})),
                "an S3 event",
            ),
            (
                record(json!({"eventSource": "aws:dynamodb", "dynamodb": {}})),
                "a DynamoDB Streams event",
            ),
            (
                record(json!({"eventSource": "aws:kinesis"})),
                "a Kinesis event",
            ),
            (record(json!({"cf": {}})), "a CloudFront event"),
            (
                json!({"Records": []}),
                "an event of records of an unknown source",
            ),
            (
                json!({"version": "0", "source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}),
                "a scheduled event",
            ),
            (
                json!({"version": "0", "source": "aws.s3", "detail-type": "Object Created"}),
                "an EventBridge event",
            ),
            (
                json!({"awslogs": {"data": "H4s"}}),
                "a CloudWatch Logs event",
            ),
            (
                json!({"version": "1", "triggerSource": "PreSignUp_SignUp"}),
                "a Cognito event",
            ),
            (
                json!({"RequestType": "Create", "ResponseURL": "https://x"}),
                "a CloudFormation custom resource event",
            ),
            (
                json!({"eventSource": "aws:kafka", "records": {}}),
                "a Kafka event",
            ),
            (
                json!({"source": "serverless-plugin-warmup"}),
                "a Lambda warm-up or test event",
            ),
            (
                json!({"warmer": true, "concurrency": 3}),
                "a Lambda warm-up or test event",
            ),
            (
                json!({"key1": "value1", "key2": "value2", "key3": "value3"}),
                "a Lambda warm-up or test event",
            ),
            (
                json!({"hello": "world"}),
                "an object that is no known event",
            ),
        ] {
            assert_eq!(received(&event), Some(name), "{event}");
        }
    }

    #[test]
    fn an_http_api_event_is_recognised_where_members_are_broken() {
        let event = json!({
            "version": "2.0",
            "rawPath": "/things",
            "requestContext": {"http": {"method": "HEAD"}},
        });
        assert!(matches!(Kind::of(&event.to_string()), Kind::Http(_)));
        let mut without_version = event.clone();
        without_version.as_object_mut().unwrap().remove("version");
        assert!(matches!(
            Kind::of(&without_version.to_string()),
            Kind::Http(_)
        ));

        for (pointer, value) in [
            ("/requestContext", json!(null)),
            ("/requestContext", json!({})),
            ("/requestContext/http/method", json!("B AD")),
            ("/rawPath", json!(7)),
        ] {
            let mut event = event.clone();
            *event.pointer_mut(pointer).unwrap() = value;
            let Kind::Malformed(read) = Kind::of(&event.to_string()) else {
                panic!("{event} is malformed");
            };
            let path = (pointer != "/rawPath").then_some("/things");
            assert_eq!(read.raw_path.as_deref(), path);
        }
    }

    #[test]
    fn what_no_parser_can_read_is_an_event_too() {
        let deep = format!("{}{}", "[".repeat(1_000), "]".repeat(1_000));
        for event in [deep.as_str(), r#"{"body": "\ud800"}"#] {
            let event = serde_json::from_str::<Event>(event).unwrap();
            assert!(matches!(event.0, Kind::Unsupported(_)));
        }
    }
}
