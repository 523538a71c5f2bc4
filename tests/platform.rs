//! What every function has from the chassis: methods, paths, negotiation,
//! health, panics, and events that no gateway should send.

use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::routing::get;
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use chassis::{Event, Handler, Router, UnsupportedEvent};
use http::Method;
use lambda_http::{Context, LambdaEvent, lambda_runtime::Diagnostic};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tests::{
    Client, FUNCTIONS, Response, System, event, routes,
    wire::{Fault, Proxy},
};

const TEXT: [(&str, &str); 1] = [("accept", "text/plain")];

#[tokio::test]
async fn the_greetings_are_exact_to_the_letter() {
    let system = System::with_samples().await;
    let client = &system.client;

    let json = client.get("/").await.expect(200);
    assert_eq!(json.text(), r#"{"message":"Hello Kea"}"#);
    assert_eq!(json.header("content-type"), "application/json");
    assert_eq!(json.header("vary"), "Accept");
    assert_eq!(
        client.get_with("/", &TEXT).await.expect(200).text(),
        "Hello KEA!"
    );
    let page = client
        .get_with("/", &[("accept", "text/html,*/*;q=0.8")])
        .await
        .expect(200);
    assert!(page.header("content-type").starts_with("text/html"));
    assert!(page.text().contains("Hello KEA!") && page.text().contains(r#"href="/docs""#));

    for (path, text) in [("/nosqldata", "Test NoSQL"), ("/mysqldata", "Test MySQL")] {
        let plain = client.get_with(path, &TEXT).await.expect(200);
        assert_eq!(plain.text(), text);
        assert_eq!(plain.header("vary"), "Accept");
    }
    system.stop().await;
}

#[tokio::test]
async fn every_response_says_how_it_may_be_cached() {
    let system = System::with_samples().await;
    let product = "/nosqldata/espresso-cups";
    let order = "/mysqldata/01a1a14c-afba-72da-b5b1-966a1c0be80c";
    let (public, private) = ("no-cache", "private, no-cache");
    for (path, cache_control) in [
        (product, public),
        ("/nosqldata", public),
        ("/nosqldata?category=coffee", public),
        ("/nosqldata?ids=espresso-cups", public),
        ("/nosqldata?limit=0", public),
        ("/nosqldata/none", public),
        (order, private),
        ("/mysqldata", private),
        ("/mysqldata?limit=0", private),
        ("/mysqldata/none", private),
        ("/mysqldata/summary", private),
        ("/health", "no-store"),
        ("/health/hello", "no-store"),
        ("/health/mysqldata", "no-store"),
    ] {
        for method in [Method::GET, Method::HEAD] {
            let answer = system.client.send(method, path, &[], "").await;
            assert_eq!(answer.header("cache-control"), cache_control, "{path}");
        }
    }
    for (path, cache_control) in [(product, public), (order, private)] {
        let known = [("if-none-match", "*")];
        let same = system.client.get_with(path, &known).await.expect(304);
        assert_eq!(same.header("cache-control"), cache_control, "{path}");
    }
    for path in ["/nosqldata", "/mysqldata"] {
        let plain = system.client.get_with(path, &TEXT).await.expect(200);
        let json = system.client.get(path).await.expect(200);
        let of = |response: &Response| response.header("cache-control").to_owned();
        assert_eq!(of(&plain), of(&json), "{path}");
    }
    system.stop().await;
}

#[tokio::test]
async fn every_response_is_of_the_media_type_that_it_names() {
    let system = System::with_samples().await;
    for path in routes().await.into_keys() {
        for path in [path.replace(['{', '}'], ""), format!("{path}?%")] {
            for method in ["GET", "HEAD", "OPTIONS", "POST", "DELETE", "BREW"] {
                let method: Method = method.parse().unwrap();
                let answer = system.client.send(method, &path, &[], "").await;
                assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
            }
        }
    }
    let handler = troubled();
    for (path, time) in [("/panics", 10_000), ("/panics", 0), ("/nowhere", 10_000)] {
        let answer = invoke(&handler, request(path), Duration::from_millis(time)).await;
        assert_eq!(answer["headers"]["x-content-type-options"], "nosniff");
    }
    let mut refused = request("/");
    refused["rawPath"] = "/x".repeat(100_000).into();
    let answer = invoke(&handler, refused, Duration::from_secs(10)).await;
    assert_eq!(answer["statusCode"], 400);
    assert_eq!(answer["headers"]["x-content-type-options"], "nosniff");
    system.stop().await;
}

#[tokio::test]
async fn every_page_says_what_it_may_load() {
    let system = System::with_samples().await;
    let mut pages = 0;
    for path in routes().await.into_keys() {
        let path = path.replace("{type}", "not-found");
        let page = system
            .client
            .get_with(&path, &[("accept", "text/html")])
            .await;
        if !page.header("content-type").starts_with("text/html") {
            continue;
        }
        pages += 1;
        let policy = page.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'"), "{path}: {policy}");
        assert!(!policy.contains("unsafe"), "{path}: {policy}");
        // What stands in the page itself is named by its hash.
        for style in page.text().split("<style>").skip(1) {
            let style = style.split("</style>").next().unwrap();
            let hash = STANDARD.encode(Sha256::digest(style));
            assert!(
                policy.contains(&format!("'sha256-{hash}'")),
                "{path}: {hash}"
            );
        }
    }
    assert_eq!(pages, 6);
    system.stop().await;
}

#[tokio::test]
async fn a_path_says_which_methods_it_has() {
    let system = System::with_samples().await;
    let product = "/nosqldata/espresso-cups";
    let order = "/mysqldata/01a1a14c-afba-72da-b5b1-966a1c0be80c";
    for (path, allowed) in [
        ("/", "GET, HEAD, OPTIONS"),
        ("/oscheck", "GET, HEAD, OPTIONS"),
        ("/docs", "GET, HEAD, OPTIONS"),
        ("/problems/not-found", "GET, HEAD, OPTIONS"),
        ("/health", "GET, HEAD, OPTIONS"),
        ("/health/mysqldata", "GET, HEAD, OPTIONS"),
        ("/nosqldata", "GET, HEAD, POST, OPTIONS"),
        (product, "GET, HEAD, PUT, PATCH, DELETE, OPTIONS"),
        ("/mysqldata", "GET, HEAD, POST, OPTIONS"),
        ("/mysqldata/summary", "GET, HEAD, OPTIONS"),
        (order, "GET, HEAD, PATCH, OPTIONS"),
    ] {
        let sorted = |list: &str| {
            let mut methods: Vec<_> = list.split(", ").map(str::to_owned).collect();
            methods.sort();
            methods
        };
        let options = system
            .client
            .send(Method::OPTIONS, path, &[], "")
            .await
            .expect(204);
        assert_eq!(sorted(options.header("allow")), sorted(allowed), "{path}");
        assert!(options.body.is_empty());
        let patches = if allowed.contains("PATCH") {
            "application/merge-patch+json, application/json"
        } else {
            ""
        };
        assert_eq!(options.header("accept-patch"), patches, "{path}");

        for method in ["POST", "PUT", "PATCH", "DELETE", "TRACE", "BREW"] {
            if allowed.contains(method) {
                continue;
            }
            let method: Method = method.parse().unwrap();
            // Nothing else that is wrong with a request comes before its method.
            let answer = system
                .client
                .send(method, path, &[("if-match", "?")], vec![b'{'; 300_000])
                .await;
            assert_eq!(sorted(answer.header("allow")), sorted(allowed), "{path}");
            answer.problem(405);
        }

        let got = system.client.get(path).await.expect(200);
        let head = system
            .client
            .send(Method::HEAD, path, &[], "")
            .await
            .expect(200);
        assert!(head.body.is_empty(), "{path}");
        assert_eq!(head.header("content-type"), got.header("content-type"));
        assert_eq!(head.header("etag"), got.header("etag"));
    }
    system.stop().await;
}

#[tokio::test]
async fn health_says_what_is_away() {
    let system = System::start().await;
    let healthy = system.client.get("/health").await.expect(200);
    assert_eq!(healthy.header("content-type"), "application/health+json");
    let health = healthy.json();
    assert_eq!(health["status"], "pass", "{health}");
    assert_eq!(health["serviceId"], "health");
    let checks = health["checks"].as_object().unwrap();
    let asked: Vec<_> = checks.keys().map(String::as_str).collect();
    let mut others = FUNCTIONS.to_vec();
    others.retain(|name| *name != "health");
    assert_eq!(asked, others);
    for check in checks.values() {
        assert_eq!(check[0]["status"], "pass");
        assert_eq!(check[0]["observedUnit"], "ms");
        assert!(check[0]["observedValue"].is_u64());
    }
    let nosqldata = system
        .client
        .get("/health/nosqldata")
        .await
        .expect(200)
        .json();
    assert_eq!(nosqldata["checks"]["dynamodb"][0]["status"], "pass");
    let hello = system.client.get("/health/hello").await.expect(200).json();
    assert_eq!(
        hello,
        json!({"status": "pass", "serviceId": "hello", "checks": {}})
    );

    // The catalogue's table goes away: the orders go on without it.
    system
        .store()
        .delete_table()
        .table_name(&system.table)
        .send()
        .await
        .unwrap();
    let nosqldata = system.client.get("/health/nosqldata").await.expect(503);
    assert_eq!(nosqldata.header("content-type"), "application/health+json");
    assert_eq!(nosqldata.json()["status"], "fail");
    let mysqldata = system
        .client
        .get("/health/mysqldata")
        .await
        .expect(200)
        .json();
    assert_eq!(mysqldata["status"], "warn");
    assert_eq!(mysqldata["checks"]["mysql"][0]["status"], "pass");
    assert_eq!(mysqldata["checks"]["catalogue"][0]["status"], "warn");
    let all = system.client.get("/health").await.expect(503).json();
    assert_eq!(all["status"], "fail");
    assert_eq!(all["checks"]["nosqldata"][0]["status"], "fail");
    assert_eq!(all["checks"]["mysqldata"][0]["status"], "warn");
    assert_eq!(all["checks"]["hello"][0]["status"], "pass");
    system.stop().await;
}

/// Checks this function's health 30 times by a caller that waits for 6 ms,
/// while the wire is slower than that.
async fn hurried_health_checks(system: &System, function: &str, wire: &Proxy) {
    wire.set(Fault::Latency(Duration::from_millis(50))).await;
    let hurry = [("x-request-deadline", "6")];
    let path = format!("/health/{function}");
    for _ in 0..30 {
        let health = system.client.get_with(&path, &hurry).await;
        assert!(matches!(health.status.as_u16(), 200 | 503), "{health:?}");
    }
    wire.heal().await;
}

/// Health is public, and its deadline is the caller's choice.
#[tokio::test]
async fn hurried_health_checks_keep_no_order_off_live_prices() {
    let system = System::with_samples().await;
    let order = json!({"customer": "c", "lines": [{"productId": "espresso-cups", "quantity": 1}]});
    for (function, wire) in [
        ("mysqldata", &system.catalogue),
        ("mysqldata", &system.mysql),
        ("nosqldata", &system.dynamodb),
        ("mysqldata", &system.dynamodb),
    ] {
        hurried_health_checks(&system, function, wire).await;
        let placed = system.client.post("/mysqldata", &order).await.expect(201);
        assert_eq!(placed.json()["pricing"], "live", "{function}");
    }
    for path in ["/health/mysqldata", "/health/nosqldata"] {
        let health = system.client.get(path).await.expect(200).json();
        for check in health["checks"].as_object().unwrap().values() {
            assert_eq!(check[0]["breaker"], "closed", "{health}");
        }
    }
    system.stop().await;
}

/// A service of nothing but trouble.
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
    Handler::new(router.into_service())
}

async fn invoke(handler: &Handler, event: Value, lambda_deadline: Duration) -> Value {
    let invoked = try_invoke(handler, event, lambda_deadline).await;
    invoked.expect("an HTTP API event")
}

async fn try_invoke(
    handler: &Handler,
    event: Value,
    lambda_deadline: Duration,
) -> Result<Value, UnsupportedEvent> {
    let mut context = Context::default();
    "request-7".clone_into(&mut context.request_id);
    let deadline = std::time::SystemTime::now() + lambda_deadline;
    let since = deadline
        .duration_since(std::time::SystemTime::UNIX_EPOCH)
        .unwrap();
    context.deadline = u64::try_from(since.as_millis()).unwrap();
    let payload: Event = serde_json::from_value(event).unwrap();
    let answer = handler.handle(LambdaEvent::new(payload, context)).await?;
    Ok(serde_json::to_value(answer).unwrap())
}

fn request(path: &str) -> Value {
    event::of(&http::Request::get(path).body(Bytes::new()).unwrap())
}

fn problem(answer: &Value, status: u64) -> Value {
    assert_eq!(answer["statusCode"], status, "{answer}");
    assert_eq!(
        answer["headers"]["content-type"],
        "application/problem+json"
    );
    serde_json::from_str(answer["body"].as_str().unwrap()).unwrap()
}

#[tokio::test]
async fn a_panic_is_answered_and_the_next_request_works() {
    let handler = troubled();
    let seconds = Duration::from_secs(10);
    let answer = invoke(&handler, request("/panics"), seconds).await;
    let problem = problem(&answer, 500);
    assert_eq!(problem["requestId"], "request-7");
    assert_eq!(problem["instance"], "/panics");
    assert!(
        !answer["body"].as_str().unwrap().contains("42"),
        "the reason is in the log alone"
    );
    let next = invoke(&handler, request("/health/troubled"), seconds).await;
    assert_eq!(next["statusCode"], 200);
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_there_before_lambda_ends_the_function() {
    let started = tokio::time::Instant::now();
    let answer = invoke(&troubled(), request("/hangs"), Duration::from_secs(5)).await;
    assert!(started.elapsed() < Duration::from_millis(4_900));
    problem(&answer, 503);
    assert_eq!(answer["headers"]["retry-after"], "1");
}

/// The lines that a future logs at `INFO` and above, each a JSON object.
async fn logged<T>(future: impl Future<Output = T>) -> (T, Vec<Value>) {
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);
    impl io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_writer(move || writer.clone())
        .finish();
    let guard = tracing::subscriber::set_default(subscriber);
    let done = future.await;
    drop(guard);
    let text = log.0.lock().unwrap().clone();
    let lines = text.split(|&byte| byte == b'\n');
    let lines = lines.filter(|line| !line.is_empty());
    let lines = lines.map(|line| serde_json::from_slice(line).unwrap());
    (done, lines.collect())
}

#[tokio::test]
async fn an_event_of_another_kind_fails_the_invocation_and_its_line_names_it() {
    let handler = Handler::new(hello::router().into_service());
    let seconds = Duration::from_secs(10);
    let record = |source: &str| json!({"Records": [{"eventSource": source}]});
    for (event, kind) in [
        (
            json!({"requestContext": {"elb": {}}, "httpMethod": "GET", "path": "/"}),
            "an Application Load Balancer event",
        ),
        (
            json!({"version": "1.0", "path": "/", "httpMethod": "GET", "requestContext": {}}),
            "an API Gateway REST API event (payload 1.0)",
        ),
        (
            json!({"source": "aws.events", "detail-type": "Scheduled Event"}),
            "a scheduled event",
        ),
        (record("aws:sqs"), "an SQS event"),
        (record("aws:s3"), "an S3 event"),
        (
            json!({"requestContext": {"connectionId": "c", "eventType": "CONNECT"}}),
            "an API Gateway WebSocket event",
        ),
        (json!({"warmer": true}), "a Lambda warm-up or test event"),
        (json!({}), "an empty object"),
        (json!(null), "null"),
        (json!([1]), "an array"),
        (json!("x"), "a string"),
    ] {
        let (invoked, lines) = logged(try_invoke(&handler, event, seconds)).await;
        let message = format!(
            "received {kind}, expected an API Gateway HTTP API event of payload version 2.0"
        );
        let error = Diagnostic::from(invoked.unwrap_err());
        assert_eq!(error.error_type, "UnsupportedEvent");
        assert_eq!(error.error_message, message);
        let [line] = &lines[..] else {
            panic!("one line for {kind}: {lines:?}");
        };
        assert_eq!(line["level"], "ERROR");
        assert_eq!(line["message"], message);
        assert_eq!(line["service"], "hello");
        assert_eq!(line["request_id"], "request-7");
    }
}

#[tokio::test]
async fn a_malformed_http_event_is_a_problem_without_parser_text() {
    let handler = Handler::new(hello::router().into_service());
    let seconds = Duration::from_secs(10);
    for (pointer, value, path) in [
        ("/requestContext", json!({}), "/oscheck"),
        ("/requestContext", json!(null), "/oscheck"),
        ("/requestContext/http/method", json!("B AD"), "/oscheck"),
        ("/requestContext/http/method", json!(7), "/oscheck"),
        ("/headers", json!({"a b": "c"}), "/oscheck"),
        ("/headers", json!("x"), "/oscheck"),
        ("/rawPath", json!({}), "/"),
        ("/isBase64Encoded", json!("yes"), "/oscheck"),
        ("/rawQueryString", json!("q".repeat(100_000)), "/"),
        ("/body", json!("%%%"), "/oscheck"),
    ] {
        let mut event = request("/oscheck");
        event["isBase64Encoded"] = (pointer == "/body").into();
        *event.pointer_mut(pointer).unwrap() = value;
        let (answer, lines) = logged(invoke(&handler, event.clone(), seconds)).await;
        let problem = problem(&answer, 400);
        assert_eq!(problem["instance"], path, "{pointer}");
        assert_eq!(problem["requestId"], "request-7");
        let body = answer["body"].as_str().unwrap();
        for parser in [
            "line 1",
            "column",
            "expected",
            "invalid type",
            "missing field",
        ] {
            assert!(!body.contains(parser), "{pointer}: {body}");
        }
        let [line] = &lines[..] else {
            panic!("one line for {pointer}: {lines:?}");
        };
        assert_eq!(line["message"], "request");
        assert_eq!(line["status"], 400);
        assert_eq!(line["path"], path, "{pointer}");
    }
}

/// Whatever happens to a request, its line is there, once.
#[tokio::test(start_paused = true)]
async fn every_request_has_one_completion_line() {
    let handler = troubled();
    let hurried = |path| {
        let mut event = request(path);
        event["headers"]["x-request-deadline"] = "4".into();
        event
    };
    for (event, status) in [
        (request("/health/troubled"), 200),
        (request("/nowhere"), 404),
        (request("/panics"), 500),
        (request("/hangs"), 503),
        (hurried("/health/troubled"), 503),
    ] {
        let path = event["rawPath"].clone();
        let (_, lines) = logged(invoke(&handler, event, Duration::from_secs(10))).await;
        let mut completions = lines.iter().filter(|line| line["message"] == "request");
        let line = completions.next().unwrap();
        assert!(completions.next().is_none(), "{lines:?}");
        assert_eq!((&line["status"], &line["path"]), (&json!(status), &path));
        for field in [
            "service",
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
async fn no_event_is_too_strange_to_be_answered() {
    let handler = Handler::new(hello::router().into_service());
    let seconds = Duration::from_secs(10);
    let with = |change: &dyn Fn(&mut Value)| {
        let mut event = request("/");
        change(&mut event);
        event
    };
    for host in [
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
    ] {
        let event = with(&|e| e["headers"]["host"] = host.into());
        assert_eq!(
            invoke(&handler, event, seconds).await["statusCode"],
            200,
            "{host}"
        );
        let event = with(&|e| e["requestContext"]["domainName"] = host.into());
        assert_eq!(
            invoke(&handler, event, seconds).await["statusCode"],
            200,
            "{host}"
        );
    }
    let proto = with(&|e| e["headers"]["x-forwarded-proto"] = "not a scheme".into());
    assert_eq!(invoke(&handler, proto, seconds).await["statusCode"], 200);

    // A gateway may decode the path: whatever it holds then is a path still.
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
        let event = with(&|e| e["rawPath"] = path.into());
        problem(&invoke(&handler, event, seconds).await, 404);
    }
    for query in ["a b", "ü=ü", "%", "%zz=1", "a=<\">", "&&&=", "\u{1f600}"] {
        let event = with(&|e| e["rawQueryString"] = query.into());
        assert_eq!(
            invoke(&handler, event, seconds).await["statusCode"],
            200,
            "{query}"
        );
    }
}

#[tokio::test]
async fn a_path_is_decoded_once_whoever_decodes_it() {
    let router = Router::new("echo").route(
        "/things/{id}",
        get(|axum::extract::Path(id): axum::extract::Path<String>| async { id }),
    );
    let handler = Handler::new(router.into_service());
    let seconds = Duration::from_secs(10);
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
            let answer = invoke(&handler, event, seconds).await;
            assert_eq!(answer["body"], id, "{target}");
        }
    }
}

#[tokio::test]
async fn a_gateway_knows_no_path_that_no_function_declares() {
    let system = System::start().await;
    let client = Client::new(system.gateway.url());
    client.get("/nowhere").await.expect(404);
    system.stop().await;
}
