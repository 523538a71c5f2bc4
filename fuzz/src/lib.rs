//! What the fuzz targets share: the whole system in this process, and requests as
//! text, which libFuzzer mutates well and people can read.
//!
//! ```text
//! POST /things?a=1
//! content-type: application/json
//! authorization: Bearer token(ada, things:write)
//!
//! {"name":"a"}
//! ```

use std::{collections::BTreeMap, sync::LazyLock};

use bytes::Bytes;
use http::Request;
use serde_json::Value;
use testbed::{System, callers, event, hostile};
use tokio::runtime::Runtime;

/// The system, started at the first input on stores of its own.
static BED: LazyLock<Bed> = LazyLock::new(Bed::start);

struct Bed {
    runtime: Runtime,
    system: System,
    /// Each path that a function declares, and that function.
    routes: BTreeMap<String, String>,
}

impl Bed {
    fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime");
        Self {
            system: runtime.block_on(System::with_samples()),
            routes: runtime.block_on(testbed::routes()),
            runtime,
        }
    }
}

/// The function whose route matches the path of an event, as the gateway matches it.
pub fn routed(event: &Value) -> Option<&'static str> {
    let path = event["rawPath"].as_str()?;
    let matches = |route: &str| {
        route.split('/').count() == path.split('/').count()
            && route
                .split('/')
                .zip(path.split('/'))
                .all(|(part, it)| part == it || part.starts_with('{'))
    };
    // A fixed path comes before one with a parameter.
    let exact = BED.routes.get(path);
    let function = exact.or_else(|| BED.routes.iter().find(|it| matches(it.0)).map(|it| it.1));
    function.map(String::as_str)
}

/// Invokes a function and checks what holds for every response: among others that
/// it is no 5xx.
pub fn invoke(function: &str, event: &Value) -> Value {
    let response = BED.runtime.block_on(BED.system.invoke(function, event));
    if let Err(failure) = hostile::check(event, &response) {
        panic!("{failure}");
    }
    response
}

/// The event of a request as text. Anything is one.
pub fn event(input: &[u8]) -> Value {
    let end = input.windows(2).position(|it| it == b"\n\n");
    let (head, body) = match end {
        Some(end) => (&input[..end], &input[end + 2..]),
        None => (input, &[][..]),
    };
    let head = callers::signed(&String::from_utf8_lossy(head));
    let mut lines = head.lines();
    let (method, target) = lines
        .next()
        .unwrap_or_default()
        .split_once(' ')
        .unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let headers = lines.filter_map(|line| line.split_once(':'));
    let headers: Vec<_> = headers
        .map(|(name, value)| (name.trim().to_ascii_lowercase(), printable(value.trim())))
        // A caller that leaves too little time gets a 503, as it should.
        .filter(|(name, _)| name != "x-request-deadline")
        .collect();

    let mut request = Request::new(Bytes::copy_from_slice(body));
    for (name, value) in &headers {
        // It decides whether the body is in base64.
        if let ("content-type", Ok(value)) = (name.as_str(), value.parse()) {
            request.headers_mut().insert("content-type", value);
        }
    }
    let mut event = event::of(&request);
    event["requestContext"]["http"]["method"] = method.into();
    event["requestContext"]["http"]["path"] = path.into();
    event["rawPath"] = path.into();
    event["rawQueryString"] = query.into();
    let headers = headers
        .into_iter()
        .map(|(name, value)| (name, value.into()));
    event["headers"] = Value::Object(headers.collect());
    event
}

/// The value of a header; a gateway rejects control characters.
fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

/// The status of a response.
pub fn status(response: &Value) -> u64 {
    response["statusCode"].as_u64().expect("a status")
}

/// The body of a response, if it is JSON.
pub fn body(response: &Value) -> Option<Value> {
    serde_json::from_slice(event::response(response).body()).ok()
}
