//! How a function handles events of any kind, which it has from the chassis.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use chassis::{
    Problem, RequestContext,
    auth::Access,
    http::{Id, NoContent, Representation, Request, Router, doc, get},
    runtime::Handler,
};
use json::Text;
use serde_json::{Value, json};
use testbed::{Response, event, handler, invoke, log};

/// The time that a request has.
const LIMIT: Duration = Duration::from_secs(10);

/// A service that panics and hangs.
fn troubled() -> Handler {
    async fn panics() -> Result<NoContent, Problem> {
        panic!("the secret is 42")
    }
    async fn hangs() -> Result<NoContent, Problem> {
        tokio::time::sleep(Duration::from_hours(1)).await;
        Ok(NoContent)
    }
    let router = Router::new("troubled", ())
        .route(
            "/panics",
            get(doc("panic", "Panic", Access::Public), panics),
        )
        .route("/hangs", get(doc("hang", "Hang", Access::Public), hangs));
    handler(router)
}

fn request(path: &str) -> Value {
    event::of(&http::Request::get(path).body(Bytes::new()).unwrap())
}

const MALFORMED: &str = "The request cannot be parsed; see errors.";

/// Checks that what a function returned is this problem.
#[track_caller]
fn expect_problem(returned: &Value, status: u16, kind: &str, detail: &str) -> Value {
    let response = Response::from(event::response(returned));
    response.expect_problem(status, kind, detail).json()
}

#[tokio::test]
async fn panic_returns_500_and_the_next_request_works() {
    let handler = troubled();
    let panicked = invoke(&handler, request("/panics"), LIMIT);
    let (returned, lines) = log::capture("info", panicked).await;
    let detail = "The service failed. Its log has the reason under the request's id.";
    let problem = expect_problem(&returned, 500, "internal-error", detail);
    assert_eq!(problem["instance"], "/panics");
    let id: uuid::Uuid = problem["requestId"].as_str().unwrap().parse().unwrap();
    assert_eq!(id.get_version_num(), 7);
    assert!(!problem.to_string().contains("secret"), "{problem}");
    log::expect_cause(&lines, &id.to_string(), "the handler panicked");
    let next = invoke(&handler, request("/health/troubled"), LIMIT).await;
    assert_eq!(next["statusCode"], 200);
}

#[tokio::test(start_paused = true)]
async fn function_responds_before_lambda_ends_it() {
    let started = tokio::time::Instant::now();
    let returned = invoke(&troubled(), request("/hangs"), Duration::from_secs(5)).await;
    assert!(started.elapsed() < Duration::from_millis(4_900));
    let detail = "The time for the request ran out.";
    expect_problem(&returned, 503, "service-unavailable", detail);
    assert_eq!(returned["headers"]["retry-after"], "1");
}

/// The event of `GET /`, changed.
fn changed(change: impl FnOnce(&mut Value)) -> Value {
    let mut event = request("/");
    change(&mut event);
    event
}

/// The one line of a log.
#[track_caller]
fn one(lines: &[Value]) -> &Value {
    assert_eq!(lines.len(), 1, "{}", json!(lines));
    &lines[0]
}

#[tokio::test]
async fn event_of_another_kind_fails_the_invocation_with_one_line() {
    let handler = handler(hello::router());
    for (event, kind) in [
        (
            json!({"requestContext": {"elb": {}}, "httpMethod": "GET", "path": "/"}),
            "an Application Load Balancer event",
        ),
        (json!(null), "null"),
    ] {
        let (returned, lines) = log::capture("info", invoke(&handler, event, LIMIT)).await;
        let message = format!(
            "received {kind}, expected an API Gateway HTTP API event of payload version 2.0"
        );
        assert_eq!(returned["errorType"], "UnsupportedEvent");
        assert_eq!(returned["errorMessage"], message);
        let line = one(&lines);
        assert_eq!(line["level"], "ERROR");
        assert_eq!(line["message"], message);
        assert_eq!(line["function"], "hello");
        assert!(!line["request_id"].as_str().unwrap_or_default().is_empty());
    }
}

#[tokio::test]
async fn malformed_http_event_returns_400_without_the_parsers_text() {
    let handler = handler(hello::router());
    let many_headers: BTreeMap<_, _> = (0..30_000).map(|n| (format!("h{n}"), "")).collect();
    for (pointer, value, path) in [
        ("/requestContext", json!({}), "/elsewhere"),
        ("/requestContext", json!(null), "/elsewhere"),
        ("/requestContext/http/method", json!("B AD"), "/elsewhere"),
        ("/requestContext/http/method", json!(7), "/elsewhere"),
        ("/headers", json!({"a b": "c"}), "/elsewhere"),
        ("/headers", json!("x"), "/elsewhere"),
        ("/rawPath", json!({}), "/"),
        ("/isBase64Encoded", json!("yes"), "/elsewhere"),
        ("/rawQueryString", json!("q".repeat(100_000)), "/elsewhere"),
        ("/rawPath", json!("p".repeat(100_000)), "/"),
        ("/headers", json!({"a": "x".repeat(40_000)}), "/elsewhere"),
        ("/headers", json!(many_headers), "/elsewhere"),
        ("/body", json!("%%%"), "/elsewhere"),
    ] {
        let mut event = request("/elsewhere");
        event["isBase64Encoded"] = (pointer == "/body").into();
        *event.pointer_mut(pointer).unwrap() = value;
        let (returned, lines) = log::capture("info", invoke(&handler, event, LIMIT)).await;
        let problem = expect_problem(&returned, 400, "malformed-request", MALFORMED);
        assert_eq!(problem["instance"], path, "{pointer}");
        for parser in [
            "line 1",
            "column",
            "expected",
            "invalid type",
            "missing field",
        ] {
            assert!(
                !problem.to_string().contains(parser),
                "{pointer}: {problem}"
            );
        }
        let line = one(&lines);
        assert_eq!(line["message"], "request");
        assert_eq!(line["status"], 400);
        assert_eq!(line["route"], "unknown", "{pointer}");
    }
}

#[tokio::test(start_paused = true)]
async fn every_request_has_one_line_in_the_log() {
    let handler = troubled();
    let hurried = |path| {
        let mut event = request(path);
        event["headers"]["x-request-deadline"] = "4".into();
        event
    };
    for (event, status, route) in [
        (request("/health/troubled"), 200, "/health/troubled"),
        (request("/nowhere"), 404, "unknown"),
        (request("/panics"), 500, "/panics"),
        (request("/hangs"), 503, "/hangs"),
        (hurried("/health/troubled"), 503, "unknown"),
    ] {
        let (_, mut lines) = log::capture("info", invoke(&handler, event, LIMIT)).await;
        lines.retain(|line| line["message"] == "request");
        let line = one(&lines);
        assert_eq!(line["status"], status);
        assert_eq!(line["route"], route);
        for field in [
            "function",
            "request_id",
            "trace_id",
            "span_id",
            "method",
            "duration_ms",
        ] {
            assert!(!line[field].is_null(), "{field} in {line}");
        }
    }
}

#[tokio::test]
async fn strange_host_scheme_or_query_changes_nothing() {
    let handler = handler(hello::router());
    let hosts = [
        "",
        "a b",
        "[::1",
        "1.2.3",
        "user@host",
        "xn--a",
        "host:99999",
        "höst",
        "999.1.1.1",
        "a/b",
        "a?b",
        "a#b",
        "a..b",
        "0x7f.1",
    ];
    let mut events = vec![changed(|event| {
        event["headers"]["x-forwarded-proto"] = "not a scheme".into();
    })];
    for host in hosts {
        events.push(changed(|event| event["headers"]["host"] = host.into()));
        events.push(changed(|event| {
            event["requestContext"]["domainName"] = host.into();
        }));
    }
    for query in ["a b", "ü=ü", "%", "%zz=1", "a=<\">", "&&&=", "\u{1f600}"] {
        events.push(changed(|event| event["rawQueryString"] = query.into()));
    }
    for event in events {
        let returned = invoke(&handler, event.clone(), LIMIT).await;
        assert_eq!(returned["statusCode"], 200, "{event}");
    }
}

/// A gateway may decode the path, so any characters may occur in it.
#[tokio::test]
async fn strange_path_returns_404() {
    let handler = handler(hello::router());
    for path in [
        "/a b",
        "/ü",
        "/a?b#c",
        "/%",
        "/%zz",
        "/a\\b",
        "/\u{0}",
        "relative",
        "//",
        "/../x",
        "/{id}",
        "/%2e%2e/x",
    ] {
        let event = changed(|event| event["rawPath"] = path.into());
        let returned = invoke(&handler, event, LIMIT).await;
        expect_problem(&returned, 404, "unknown-path", "No route has this path.");
    }
}

#[tokio::test]
async fn path_is_decoded_once_by_the_gateway_or_the_function() {
    async fn echo(
        Request(Id(id)): Request<Id<Text<1, 20>>>,
    ) -> Result<Representation<Text<1, 20>>, Problem> {
        Ok(Representation(id))
    }
    let echo = get(doc("echo", "Echo", Access::Public), echo);
    let handler = handler(Router::new("echo", ()).route("/things/{id}", echo));
    for (target, id) in [
        ("/things/a-b", "a-b"),
        ("/things/a%2Db", "a-b"),
        ("/things/%2541", "%41"),
        ("/things/%25", "%"),
        ("/things/%25zz", "%zz"),
        ("/things/a%20b+c", "a b+c"),
        ("/things/caf%C3%A9", "café"),
        ("/things/a%3Fb%23c", "a?b#c"),
    ] {
        let request = http::Request::get(target).body(Bytes::new()).unwrap();
        let decoded = event::routed(&request, "/things/{id}");
        for event in [event::of(&request), decoded] {
            let returned = invoke(&handler, event, LIMIT).await;
            assert_eq!(returned["body"], json!(id).to_string(), "{target}");
        }
    }
}

#[tokio::test]
async fn stage_and_base_path_are_removed_before_routing() {
    async fn prefix(ctx: RequestContext) -> Result<Representation<Text<0, 100>>, Problem> {
        let api = ctx.api().map(|api| api.to_string()).unwrap_or_default();
        let text = format!("{} {api}", ctx.base_path).parse();
        Ok(Representation(text.map_err(|_| Problem::not_found())?))
    }
    let router =
        Router::new("echo", ()).route("/", get(doc("prefix", "Prefix", Access::Public), prefix));
    let service = router.into_service();
    let unmapped = Handler::new(service.clone(), String::new());
    let mapped = Handler::new(service, "/shop".to_owned());
    let event = |path: &str, stage: &str| {
        changed(|event| {
            event["rawPath"] = path.into();
            event["requestContext"]["stage"] = stage.into();
            event["requestContext"]["domainName"] = "api.example.com".into();
        })
    };
    for (handler, path, stage, prefix) in [
        (&unmapped, "/", "$default", ""),
        (&unmapped, "/prod", "prod", "/prod"),
        (&unmapped, "/prod/", "prod", "/prod"),
        (&unmapped, "/", "prod", ""),
        (&mapped, "/shop", "$default", "/shop"),
        (&mapped, "/shop/", "prod", "/shop"),
        (&mapped, "/prod/", "prod", "/prod"),
        (&mapped, "/", "$default", ""),
    ] {
        let returned = invoke(handler, event(path, stage), LIMIT).await;
        // The base URL of other functions has it too.
        let expected = format!("{prefix} https://api.example.com{prefix}/");
        assert_eq!(
            returned["body"],
            json!(expected).to_string(),
            "{path} in {stage}"
        );
    }
    for (path, prefix) in [("/prod/x", "/prod"), ("/production", "")] {
        let returned = invoke(&unmapped, event(path, "prod"), LIMIT).await;
        let body = returned["body"].as_str().unwrap();
        let problem: Value = serde_json::from_str(body).unwrap();
        assert_eq!(problem["instance"], path);
        assert_eq!(problem["type"], format!("{prefix}/problems/unknown-path"));
    }
    // Also where the event is malformed.
    let mut malformed = event("/prod/created", "prod");
    malformed["headers"] = 1.into();
    let returned = invoke(&unmapped, malformed, LIMIT).await;
    let problem: Value = serde_json::from_str(returned["body"].as_str().unwrap()).unwrap();
    assert_eq!(problem["type"], "/prod/problems/malformed-request");
    assert_eq!(problem["instance"], "/prod/created");
}
