//! The faults that can be injected.

use std::{fmt, pin::Pin, time::Duration};

use serde_json::{Value, json};

use crate::request::Request;

/// The media type of `DynamoDB`'s API.
const DYNAMODB_JSON: &str = "application/x-amz-json-1.0";

/// A fault of a connection. Unless documented otherwise the upstream
/// receives and executes the request: only its response is lost or late.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// New connections are refused and open ones are reset.
    Refused,
    /// One of so many responses, at random, is reset halfway.
    Reset(usize),
    /// Connections are accepted, and no response ever arrives.
    BlackHole,
    /// Each response is delayed.
    Latency(Duration),
    /// Responses arrive byte by byte, each delayed.
    Trickle(Duration),
    /// HTTP only: this status instead of the request being forwarded; 429 and
    /// 503 with `Retry-After`.
    Status(u16),
    /// HTTP only: bytes that are not HTTP instead of the request being forwarded.
    Garbage,
    /// HTTP only: 200 with half of a JSON text instead of the request being
    /// forwarded.
    TruncatedJson,
    /// `DynamoDB` only: throttling errors instead of the request being forwarded.
    Throttled,
    /// `DynamoDB` only: transaction conflicts instead of every other write.
    Conflicts,
}

/// As a row of a table of faults.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("nothing"),
            Self::Refused => f.write_str("connection refused"),
            Self::Reset(1) => f.write_str("reset mid-response"),
            Self::Reset(of) => write!(f, "reset mid-response, one in {of}"),
            Self::BlackHole => f.write_str("black hole"),
            Self::Latency(by) if by.subsec_millis() == 0 => {
                write!(f, "latency {} s", by.as_secs())
            }
            Self::Latency(by) => write!(f, "latency {} ms", by.as_millis()),
            Self::Trickle(by) => write!(f, "a byte every {} ms", by.as_millis()),
            Self::Status(status) => write!(f, "status {status}"),
            Self::Garbage => f.write_str("garbage instead of HTTP"),
            Self::TruncatedJson => f.write_str("truncated JSON"),
            Self::Throttled => f.write_str("throttled"),
            Self::Conflicts => f.write_str("transaction conflicts"),
        }
    }
}

/// A future that runs between the execution of a request and the loss of its response.
pub type BoxFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The treatment of one request of a script.
pub enum Step {
    /// It is forwarded.
    Forward,
    /// It gets this `DynamoDB` error instead of being forwarded.
    Answer(Value),
    /// It is executed, then the future runs, then its response is reset halfway.
    Lose(BoxFuture),
}

impl Step {
    /// A [`Step::Lose`] with nothing between the execution and the reset.
    #[must_use]
    pub fn lose() -> Self {
        Self::Lose(Box::pin(async {}))
    }
}

/// The response that replaces the upstream's, if `fault` has one for `request`.
pub(crate) fn response(fault: Fault, request: &Request) -> Option<Vec<u8>> {
    match fault {
        Fault::Status(status) => Some(http(status, "text/html", "<h1>Not now</h1>")),
        Fault::Garbage => Some(b"\x15\x03\x01\x00\x02\x02\x0anot HTTP at all\r\n\r\n".to_vec()),
        Fault::TruncatedJson if request.is_dynamodb() => {
            Some(http(200, DYNAMODB_JSON, r#"{"Item":{"id":{"S":"#))
        }
        Fault::TruncatedJson => {
            let half = r#"{"message":"NoSql Data","items":[{"id":"#;
            Some(http(200, "application/json", half))
        }
        Fault::Throttled => {
            let kind = fastrand::choice([
                "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException",
                "com.amazon.coral.availability#ThrottlingException",
            ]);
            Some(refusal(kind?, &[]))
        }
        Fault::Conflicts if fastrand::bool() => conflict(request),
        _ => None,
    }
}

fn conflict(request: &Request) -> Option<Vec<u8>> {
    match request.name()? {
        "PutItem" | "UpdateItem" | "DeleteItem" => Some(refusal(
            "com.amazonaws.dynamodb.v20120810#TransactionConflictException",
            &[],
        )),
        "TransactWriteItems" => {
            let body = request.json();
            let mut reasons = vec!["None"; body.get("TransactItems")?.as_array()?.len()];
            *reasons.first_mut()? = "TransactionConflict";
            Some(refusal(
                "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
                &reasons,
            ))
        }
        _ => None,
    }
}

/// A `DynamoDB` error, with the reasons of a cancelled transaction.
fn refusal(kind: &str, reasons: &[&str]) -> Vec<u8> {
    let reasons: Vec<_> = reasons.iter().map(|code| json!({ "Code": code })).collect();
    error(&json!({ "__type": kind, "message": "not now", "CancellationReasons": reasons }))
}

/// A `DynamoDB` error with this body.
pub(crate) fn error(body: &Value) -> Vec<u8> {
    http(400, DYNAMODB_JSON, &body.to_string())
}

fn http(status: u16, media_type: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    let retry_after = match status {
        429 | 503 => "retry-after: 1\r\n",
        _ => "",
    };
    format!(
        "HTTP/1.1 {status} Fault\r\ncontent-type: {media_type}\r\n{retry_after}\
         content-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}
