//! What a function makes of an event, whatever the event is: what every function
//! has from the chassis.

use std::time::Duration;

use axum::routing::get;
use bytes::Bytes;
use chassis::{Handler, Router};
use http::Method;
use serde_json::{Value, json};
use suite::{Api, Kind};
use testbed::{System, event, handler, invoke};

/// The time that a request has.
const LIMIT: Duration = Duration::from_secs(10);

/// A service that panics and hangs.
fn troubled() -> Handler {
    async fn panics() -> &'static str {
        panic!("the secret is 42")
    }
    async fn hangs() -> &'static str {
        tokio::time::sleep(Duration::from_hours(1)).await;
        "at last"
    }
    let router = Router::new("troubled")
        .route("/panics", get(panics))
        .route("/hangs", get(hangs));
    handler(router)
}

fn request(path: &str) -> Value {
    event::of(&http::Request::get(path).body(Bytes::new()).unwrap())
}

/// Checks that what a function returned is this problem.
#[track_caller]
fn expect_problem(returned: &Value, status: u64, kind: &str, detail: &str) -> Value {
    assert_eq!(returned["statusCode"], status, "{returned}");
    let content_type = &returned["headers"]["content-type"];
    assert_eq!(content_type, "application/problem+json");
    let problem: Value = serde_json::from_str(returned["body"].as_str().unwrap()).unwrap();
    assert_eq!(problem["type"], format!("/problems/{kind}"), "{problem}");
    assert_eq!(problem["detail"], detail, "{problem}");
    problem
}

#[tokio::test]
async fn panic_returns_500_and_the_next_request_works() {
    let handler = troubled();
    let returned = invoke(&handler, request("/panics"), LIMIT).await;
    let detail =
        "The service failed at this request. Its log has the reason under the request's id.";
    let problem = expect_problem(&returned, 500, "internal-error", detail);
    assert_eq!(problem["instance"], "/panics");
    let id: uuid::Uuid = problem["requestId"].as_str().unwrap().parse().unwrap();
    assert_eq!(id.get_version_num(), 7);
    // The reason is in the log alone.
    assert!(!problem.to_string().contains("secret"), "{problem}");
    let next = invoke(&handler, request("/health/troubled"), LIMIT).await;
    assert_eq!(next["statusCode"], 200);
}

#[tokio::test(start_paused = true)]
async fn function_responds_before_lambda_ends_it() {
    let started = tokio::time::Instant::now();
    let returned = invoke(&troubled(), request("/hangs"), Duration::from_secs(5)).await;
    assert!(started.elapsed() < Duration::from_millis(4_900));
    let detail = "The request could not be answered in the time it had.";
    expect_problem(&returned, 503, "service-unavailable", detail);
    assert_eq!(returned["headers"]["retry-after"], "1");
}

/// The event of `GET /`, changed.
fn changed(change: impl FnOnce(&mut Value)) -> Value {
    let mut event = request("/");
    change(&mut event);
    event
}

#[tokio::test]
async fn malformed_event_returns_400() {
    let handler = handler(hello::router());
    for no_request in [
        json!({}),
        json!(null),
        json!([1]),
        json!("x"),
        json!({"Records": []}),
        changed(|event| {
            event["body"] = "%%%".into();
            event["isBase64Encoded"] = true.into();
        }),
        changed(|event| event["rawQueryString"] = "q".repeat(100_000).into()),
    ] {
        let returned = invoke(&handler, no_request, LIMIT).await;
        let detail = "The request cannot be parsed: see errors.";
        expect_problem(&returned, 400, "malformed-request", detail);
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
            event["requestContext"]["domainName"] = host.into()
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

/// A gateway may decode the path; whatever it has then is still a path.
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
    let router = Router::new("echo").route(
        "/things/{id}",
        get(|axum::extract::Path(id): axum::extract::Path<String>| async { id }),
    );
    let handler = handler(router);
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
            assert_eq!(returned["body"], id, "{target}");
        }
    }
}

/// Of any method, also one that HTTP does not define, and with anything else wrong
/// that a request can have.
#[tokio::test]
async fn unsupported_method_returns_405_with_allow() {
    let system = System::start().await;
    let api = Api::new(Kind::Replay, &system.gateway.url());
    for (path, allow) in suite::paths(&api).await {
        for method in ["POST", "PUT", "PATCH", "DELETE", "TRACE", "BREW"] {
            if !allow.contains(method) {
                let method: Method = method.parse().unwrap();
                let body = vec![b'{'; 300_000];
                let refused = api.send(method, &path, &[("if-match", "?")], body).await;
                refused.expect_method_not_allowed(allow);
            }
        }
    }
}
