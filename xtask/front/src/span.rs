//! The gateway's part of a trace, as a line of the log.

use std::{
    io::{self, Write},
    time::Instant,
};

use axum::{
    http::{HeaderMap, HeaderValue, Method, StatusCode},
    response::Response,
};
use logs::{GATEWAY, Level, Line, Log, Paint, readable};
use serde_json::json;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use uuid::Uuid;

/// The header of a request with its trace (W3C Trace Context, §3.2).
const TRACEPARENT: &str = "traceparent";

/// The header of a response with the id of the request.
const REQUEST_ID: &str = "x-request-id";

/// The longest path in the log, in bytes.
const MAX_PATH: usize = 200;

/// A request that is being passed on.
pub struct Span {
    trace_id: u128,
    parent_id: Option<u64>,
    id: u64,
    /// The id of the request, where no function responds.
    pub request_id: String,
    method: Method,
    path: String,
    start: OffsetDateTime,
    started: Instant,
}

impl Span {
    /// Continues the trace of a request, or begins one, and passes it on.
    pub fn start(method: &Method, path: &str, headers: &mut HeaderMap) -> Self {
        let mut parents = headers.get_all(TRACEPARENT).iter();
        let parent = parents.next().filter(|_| parents.next().is_none());
        let parent = parent.and_then(|it| parse(it.to_str().ok()?));
        let (trace_id, parent_id) = parent.unzip();
        let trace_id = trace_id.unwrap_or_else(|| fastrand::u128(1..));
        let id = fastrand::u64(1..);
        let header = format!("00-{trace_id:032x}-{id:016x}-01");
        if let Ok(header) = HeaderValue::from_str(&header) {
            headers.insert(TRACEPARENT, header);
        }
        Self {
            trace_id,
            parent_id,
            id,
            request_id: Uuid::now_v7().to_string(),
            method: method.clone(),
            path: shortened(path).to_owned(),
            start: OffsetDateTime::now_utc(),
            started: Instant::now(),
        }
    }

    /// Writes the line to the log, and to the terminal if it is the only one about
    /// the request: no function responded. `route` is the route's path; an error is
    /// why there is no response.
    pub fn end(self, log: &Log, route: Option<&str>, result: &Result<Response, String>) {
        let (status, request_id, error) = match result {
            Ok(response) => {
                let id = response.headers().get(REQUEST_ID);
                let id = id.and_then(|id| id.to_str().ok());
                (response.status(), id.map(str::to_owned), None)
            }
            Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, None, Some(reason)),
        };
        let is_of_function = request_id.is_some();
        let level = match error {
            Some(_) => Level::WARN,
            // The Invoke API has no such header, and the function's line is enough.
            None if is_of_function || self.path.starts_with("/2015-03-31/") => Level::DEBUG,
            None => Level::INFO,
        };
        let format = |time: OffsetDateTime| time.format(&Rfc3339).unwrap_or_default();
        let mut line = json!({
            "timestamp": format(OffsetDateTime::now_utc()),
            "level": level.to_string(),
            "function": GATEWAY,
            "request_id": request_id.unwrap_or(self.request_id),
            "trace_id": format!("{:032x}", self.trace_id),
            "span_id": format!("{:016x}", self.id),
            "message": GATEWAY,
            "method": self.method.as_str(),
            "status": status.as_u16(),
            "start": format(self.start),
            "duration_ms": self.started.elapsed().as_secs_f64() * 1_000.0,
        });
        if let Some(line) = line.as_object_mut() {
            let mut set = |name: &str, value: Option<String>| {
                line.extend(value.map(|value| (name.to_owned(), value.into())));
            };
            set("parent_id", self.parent_id.map(|id| format!("{id:016x}")));
            set("route", route.map(str::to_owned));
            set("path", route.is_none().then_some(self.path));
            set("error", error.cloned());
        }
        let line = line.to_string();
        if let Err(error) = log.append(&format!("{line}\n")) {
            eprintln!("the log cannot be written: {error}");
        }
        if level < Level::DEBUG
            && let Some(line) = Line::parse(&line)
        {
            let line = format!("{}\n", readable(&line, Paint::of_stdout()));
            // Nobody may be there to read it.
            let _ = io::stdout().write_all(line.as_bytes());
        }
    }
}

/// A path as it is logged.
fn shortened(path: &str) -> &str {
    path.get(..path.floor_char_boundary(MAX_PATH))
        .unwrap_or(path)
}

/// The trace and the span of a `traceparent` header; `None` if it is malformed.
fn parse(header: &str) -> Option<(u128, u64)> {
    let mut parts = header.split('-');
    let mut hex = |digits: usize| {
        let part = parts.next()?;
        let is_hex = part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        (part.len() == digits && is_hex).then(|| u128::from_str_radix(part, 16).ok())?
    };
    let (version, trace_id, span_id, _flags) = (hex(2)?, hex(32)?, hex(16)?, hex(2)?);
    let is_whole = version != 0xff && (version != 0 || parts.next().is_none());
    (is_whole && trace_id != 0 && span_id != 0).then_some((trace_id, u64::try_from(span_id).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_path_is_shortened_between_characters() {
        assert_eq!(shortened("/ä"), "/ä");
        let long = format!("/{}", "ä".repeat(MAX_PATH));
        let expected = format!("/{}", "ä".repeat(MAX_PATH / 2 - 1));
        assert_eq!(shortened(&long), expected);
    }
}
