//! Products that are made, changed and deleted once, however often they are
//! asked for and whatever becomes of the store's answers.
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test ends by panicking"
)]

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    time::{Duration, SystemTime},
};

use aws_sdk_dynamodb::{
    config::{Credentials, Region},
    types::AttributeValue,
};
use axum::body::Body;
use chassis::{Service, resilience::Policy};
use dto::Timestamp;
use futures_util::future::join_all;
use http::{Method, Request};
use http_body_util::BodyExt;
use lambda_http::{Context, RequestExt};
use nosqldata::{Catalogue, Config};
use serde_json::{Value, json};
use tests::{
    Response, System,
    wire::{Fault, Protocol, Proxy, Step},
};
use tokio::time::{Instant, sleep};

/// How many ask at once.
const CLIENTS: usize = 64;

fn mug(name: &str) -> Value {
    json!({"name": name, "category": "coffee", "price": {"amount": 17_900, "currency": "DKK"}})
}

/// Makes a product under a key.
async fn once(system: &System, key: &str, product: &Value) -> Response {
    let headers = [("idempotency-key", key)];
    let client = &system.client;
    client
        .json(Method::POST, "/nosqldata", &headers, product)
        .await
}

async fn products(system: &System) -> Vec<Value> {
    let page = system.client.get("/nosqldata?limit=100").await.expect(200);
    page.json()["items"].as_array().unwrap().clone()
}

/// How many keys the store has.
async fn keys(system: &System) -> i32 {
    let scan = system.store().scan().table_name(&system.keys_table);
    scan.send().await.unwrap().count()
}

fn is_replay(response: &Response) -> bool {
    match response.header("idempotency-replayed") {
        "" => false,
        replayed => replayed == "true" || panic!("{replayed}"),
    }
}

/// Checks that an answer is another one given again.
#[track_caller]
fn same(answer: &Response, first: &Response) {
    assert!(is_replay(answer), "{}", answer.text());
    assert_eq!(answer.status, first.status);
    assert_eq!(answer.body, first.body, "byte for byte");
    for header in ["etag", "location", "content-type"] {
        assert_eq!(answer.header(header), first.header(header), "{header}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_with_one_key_are_one_product() {
    let system = System::with_instances(8).await;
    let product = mug("Cup");
    let answers = join_all((0..CLIENTS).map(|_| once(&system, "one", &product))).await;

    let made = products(&system).await;
    assert_eq!(made.len(), 1);
    let (done, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|a| a.status == 201);
    let (first, replays): (Vec<_>, Vec<_>) = done.into_iter().partition(|a| !is_replay(a));
    assert_eq!(first.len(), 1);
    assert_eq!(first[0].json(), made[0]);
    for replay in &replays {
        same(replay, &first[0]);
    }
    for answer in refused {
        assert_eq!(answer.header("retry-after"), "1");
        answer.problem(409);
    }
    same(&once(&system, "one", &product).await, &first[0]);
    // What has become of the product since is another matter.
    let path = first[0].header("location");
    let client = &system.client;
    client.send(Method::DELETE, path, &[], "").await.expect(204);
    same(&once(&system, "one", &product).await, &first[0]);
    client.get(path).await.problem(404);
    system.stop().await;
}

#[tokio::test]
async fn a_key_is_for_one_request() {
    let system = System::start().await;
    let first = once(&system, "k", &mug("Cup")).await.expect(201);
    assert!(!is_replay(&first));

    let other = once(&system, "k", &mug("Other")).await;
    assert_eq!(other.faults(422), ["Idempotency-Key"]);
    // Another spelling of the same JSON, and of the same key.
    let spelt = r#" {"price": {"currency": "DKK", "amount": 17900.0}, "category": "coff\u0065e", "name": "Cup"}"#;
    for key in ["k", "\"k\"", "  k "] {
        let headers = [
            ("content-type", "application/json"),
            ("idempotency-key", key),
        ];
        let client = &system.client;
        let again = client.send(Method::POST, "/nosqldata", &headers, spelt);
        same(&again.await, &first);
    }
    // Keys are compared as bytes.
    for key in ["K", "k2", "\" k\"", "\"\\\"k\\\"\"", "\"k, k\""] {
        let made = once(&system, key, &mug("Cup")).await.expect(201);
        assert!(!is_replay(&made), "{key}");
        same(&once(&system, key, &mug("Cup")).await, &made);
    }
    assert_eq!(products(&system).await.len(), 6);
    let twice = [("idempotency-key", "k"), ("idempotency-key", "k")];
    let client = &system.client;
    let answer = client
        .json(Method::POST, "/nosqldata", &twice, &mug("Cup"))
        .await;
    assert_eq!(answer.faults(400), ["Idempotency-Key"]);
    system.stop().await;
}

#[tokio::test]
async fn a_key_belongs_to_its_route() {
    let system = System::start().await;
    let product = once(&system, "k", &mug("Cup")).await.expect(201).json();
    let line = json!({"productId": product["id"], "quantity": 1});
    let order = json!({"customer": "ann", "lines": [line]});
    let headers = [("idempotency-key", "k")];
    let client = &system.client;
    let placed = client.json(Method::POST, "/mysqldata", &headers, &order);
    assert!(!is_replay(&placed.await.expect(201)));
    // Where there is nothing to do twice it means nothing.
    let path = "/nosqldata/cup";
    for status in [201, 200] {
        let put = client.json(Method::PUT, path, &headers, &mug("Cup")).await;
        assert!(!is_replay(&put.expect(status)));
    }
    system.stop().await;
}

#[tokio::test]
async fn only_what_was_done_is_kept() {
    let system = System::start().await;
    let long = "k".repeat(256);
    // A gateway joins repeated headers by commas.
    for malformed in [
        "",
        "\"k",
        "k\"",
        "k\"k",
        "a b",
        "\"\"",
        "\"a\"b\"",
        "k1,k2",
        "\"k1\",\"k2\"",
        &long,
    ] {
        let answer = once(&system, malformed, &json!({"name": ""})).await;
        assert_eq!(answer.faults(400), ["Idempotency-Key"], "{malformed}");
    }
    let json = ("content-type", "application/json");
    let text = ("content-type", "text/plain");
    for (content_type, body, status) in [
        (json, "{}".to_owned(), 422),
        (json, "{".to_owned(), 400),
        (text, "{}".to_owned(), 415),
        (json, " ".repeat(256 * 1024 + 1), 413),
    ] {
        let headers = [content_type, ("idempotency-key", "k")];
        let client = &system.client;
        let answer = client.send(Method::POST, "/nosqldata", &headers, body);
        answer.await.problem(status);
    }
    assert_eq!(keys(&system).await, 0);
    assert!(!is_replay(
        &once(&system, "k", &mug("Cup")).await.expect(201)
    ));
    assert_eq!(keys(&system).await, 1);
    system.stop().await;
}

#[tokio::test]
async fn a_key_is_kept_for_a_day_by_the_clock() {
    let system = System::start().await;
    let first = once(&system, "k", &mug("Cup")).await.expect(201);
    let store = system.store();
    let scan = store.scan().table_name(&system.keys_table).send();
    let item = scan.await.unwrap().items()[0].clone();
    let expires_at: i64 = item["expiresAt"].as_n().unwrap().parse().unwrap();
    let made = first.json()["createdAt"].as_str().unwrap().to_owned();
    let made = dto::Timestamp::parse_time_or_date(&made).unwrap().utc();
    assert!((expires_at - made.unix_timestamp() - 86_400).abs() <= 1);

    // The store has not come round to deleting it.
    let mut expired = item;
    let past = made.unix_timestamp() - 1;
    expired.insert("expiresAt".to_owned(), AttributeValue::N(past.to_string()));
    let put = store.put_item().table_name(&system.keys_table);
    put.set_item(Some(expired)).send().await.unwrap();
    let second = once(&system, "k", &mug("Other")).await.expect(201);
    assert!(!is_replay(&second));
    assert_ne!(second.json()["id"], first.json()["id"]);
    same(&once(&system, "k", &mug("Other")).await, &second);
    assert_eq!(products(&system).await.len(), 2);
    system.stop().await;
}

#[tokio::test]
async fn a_key_costs_no_round_trip() {
    let system = System::start().await;
    let counted = BTreeMap::from([("TransactWriteItems".to_owned(), 1)]);
    system.dynamodb.take();
    for product in ["Cup", "Cup", "Other"] {
        once(&system, "k", &mug(product)).await;
        assert_eq!(system.dynamodb.take(), counted, "{product}");
    }
    system.stop().await;
}

fn throttled() -> Step {
    let kind = "com.amazonaws.dynamodb.v20120810#ThrottlingException";
    Step::Answer(json!({"__type": kind, "message": "Rate exceeded"}))
}

fn conflict() -> Step {
    let kind = "com.amazonaws.dynamodb.v20120810#TransactionCanceledException";
    let reasons = json!([{"Code": "None"}, {"Code": "TransactionConflict"}]);
    let cancelled = json!({"__type": kind, "Message": "cancelled", "CancellationReasons": reasons});
    Step::Answer(cancelled)
}

/// The catalogue behind a proxy, on the stores of a system.
struct Faulty {
    system: System,
    service: Service,
    proxy: Proxy,
}

/// A retry for each request, and a breaker that opens late and heals by itself.
fn policy() -> Policy {
    Policy {
        budget_percent: 100,
        rate_percent: 100,
        open: Duration::from_secs(1),
        ..nosqldata::config::default_policy()
    }
}

impl Faulty {
    async fn start() -> Self {
        let system = System::start().await;
        let proxy = proxy(&system).await;
        let service = service(&system, proxy.address()).await;
        Self {
            system,
            service,
            proxy,
        }
    }

    async fn json(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> Response {
        send(&self.service, method, path, headers, body).await
    }

    async fn stop(self) {
        self.system.stop().await;
    }
}

/// A proxy of the test's own in front of the store.
async fn proxy(system: &System) -> Proxy {
    let upstream = system.dynamodb.address().to_string();
    Proxy::start(upstream, Protocol::DynamoDb).await.unwrap()
}

/// Waits for what may take a probe or two.
async fn until(holds: impl AsyncFn() -> bool) {
    let started = Instant::now();
    while !holds().await {
        assert!(started.elapsed() < Duration::from_secs(5));
        sleep(Duration::from_millis(50)).await;
    }
}

async fn service(system: &System, store: SocketAddr) -> Service {
    let config = Config {
        table: system.table.clone(),
        keys_table: system.keys_table.clone(),
        policy: policy(),
        endpoint: Some(format!("http://{store}").parse().unwrap()),
        region: Region::from_static(stores::dynamodb::REGION),
        credentials: Credentials::new("test", "test", None, None, "tests"),
    };
    nosqldata::router(Catalogue::open(config).await).into_service()
}

async fn send(
    service: &Service,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: &Value,
) -> Response {
    let mut request = Request::builder().method(method).uri(path);
    request = request.header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::from(body.to_string())).unwrap();
    let deadline = SystemTime::now() + Duration::from_secs(10);
    let deadline = deadline.duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let mut context = Context::default();
    "test".clone_into(&mut context.request_id);
    context.deadline = u64::try_from(deadline.as_millis()).unwrap();
    let request = request.with_lambda_context(context);
    let (head, body) = service.call(request).await.into_parts();
    Response {
        status: head.status,
        headers: head.headers,
        body: body.collect().await.unwrap().to_bytes(),
    }
}

#[tokio::test]
async fn a_throttled_store_is_asked_again_a_few_times() {
    for (method, path) in [
        (Method::GET, "/nosqldata/cup"),
        (Method::GET, "/nosqldata"),
        (Method::POST, "/nosqldata"),
        (Method::PUT, "/nosqldata/cup"),
        (Method::DELETE, "/nosqldata/cup"),
    ] {
        let it = Faulty::start().await;
        it.proxy.script((0..9).map(|_| throttled()));
        let answer = it.json(method.clone(), path, &[], &mug("Cup")).await;
        let attempts = it.proxy.requests().len();
        assert!((2..=3).contains(&attempts), "{method} {path}: {attempts}");
        assert!(!answer.header("retry-after").is_empty(), "{method} {path}");
        answer.problem(503);
        it.stop().await;

        // A glitch is not even seen; and what did not happen has not happened.
        let it = Faulty::start().await;
        it.proxy.script([throttled()]);
        let status = match method {
            Method::DELETE => 404,
            _ if path == "/nosqldata/cup" && method == Method::GET => 404,
            Method::GET => 200,
            _ => 201,
        };
        let answer = it.json(method, path, &[], &mug("Cup")).await;
        assert_eq!(answer.status, status, "{}", answer.text());
        it.stop().await;
    }
}

#[tokio::test]
async fn an_answer_that_was_lost_changes_nothing() {
    let it = Faulty::start().await;
    let path = "/nosqldata/cup";
    it.proxy.script([Step::lose()]);
    let made = it.json(Method::PUT, path, &[], &mug("Cup")).await;
    assert_eq!(made.expect(201).json()["version"], 1);
    assert_eq!(it.proxy.requests(), ["UpdateItem"; 2]);

    it.proxy.script([Step::lose()]);
    let replaced = it.json(Method::PUT, path, &[], &mug("Mug")).await;
    assert_eq!(replaced.expect(200).json()["version"], 2);
    it.proxy.script([Step::Forward, Step::lose()]);
    let jug = json!({"name": "Jug"});
    let patched = it.json(Method::PATCH, path, &[], &jug).await.expect(200);
    assert_eq!(patched.json()["version"], 3);
    assert_eq!(it.proxy.requests(), ["GetItem", "UpdateItem", "UpdateItem"]);
    let etag = patched.header("etag").to_owned();

    it.proxy.script([Step::lose()]);
    let matched = [("if-match", etag.as_str())];
    let deleted = it.json(Method::DELETE, path, &matched, &json!({})).await;
    deleted.expect(204);
    assert_eq!(it.proxy.requests(), ["TransactWriteItems"; 2]);
    it.proxy.script([]);
    let gone = it.json(Method::DELETE, path, &[], &json!({})).await;
    gone.problem(404);

    it.proxy.script([Step::lose()]);
    let made = it.json(Method::POST, "/nosqldata", &[], &mug("Cup")).await;
    let made = made.expect(201).json();
    assert_eq!(it.proxy.requests(), ["PutItem"; 2]);
    assert_eq!(products(&it.system).await, [made]);
    it.stop().await;
}

#[tokio::test]
async fn a_key_outlives_the_answer_that_was_lost() {
    let it = Faulty::start().await;
    let key = [("idempotency-key", "k")];
    it.proxy.script([Step::lose()]);
    let post = async || {
        let product = mug("Cup");
        it.json(Method::POST, "/nosqldata", &key, &product).await
    };
    let first = post().await.expect(201);
    assert!(!is_replay(&first), "it is this request that has done it");
    assert_eq!(it.proxy.requests(), ["TransactWriteItems"; 2]);
    same(&post().await, &first);
    assert_eq!(products(&it.system).await.len(), 1);
    it.stop().await;

    // Not even a retry got through: whoever asks again is told what was done.
    let it = Faulty::start().await;
    let post = async || {
        let product = mug("Cup");
        it.json(Method::POST, "/nosqldata", &key, &product).await
    };
    it.proxy.script([Step::lose(), throttled(), throttled()]);
    post().await.problem(503);
    it.proxy.script([]);
    let again = post().await.expect(201);
    assert!(is_replay(&again));
    assert_eq!(products(&it.system).await, [again.json()]);
    it.stop().await;
}

#[tokio::test]
async fn who_comes_while_the_first_runs_waits_for_it() {
    let it = Faulty::start().await;
    it.proxy.script((0..5).map(|_| conflict()));
    let post = async |headers: &[(&str, &str)]| {
        let product = mug("Cup");
        it.json(Method::POST, "/nosqldata", headers, &product).await
    };
    post(&[("idempotency-key", "k")]).await.expect(201);
    assert_eq!(it.proxy.requests().len(), 6);

    it.proxy.script((0..1_000).map(|_| conflict()));
    let headers = [("idempotency-key", "l"), ("x-request-deadline", "400")];
    let started = Instant::now();
    let answer = post(&headers).await;
    assert!(started.elapsed() < Duration::from_millis(500));
    assert_eq!(answer.header("retry-after"), "1");
    // By its own account, or by the clock's at the very end.
    assert!([409, 503].contains(&answer.status.as_u16()));
    it.stop().await;
}

#[tokio::test]
async fn what_others_wrote_meanwhile_stays() {
    let it = Faulty::start().await;
    let path = "/nosqldata/cup";
    it.json(Method::PUT, path, &[], &mug("Cup"))
        .await
        .expect(201);
    let theirs = || {
        let client = it.system.client.clone();
        let write = async move {
            // Their clock is not behind, and is no finer than a millisecond.
            sleep(Duration::from_millis(2)).await;
            client.put(path, &mug("Theirs")).await;
        };
        Step::Lose(Box::pin(write))
    };
    let name = async || it.system.client.get(path).await.json()["name"].clone();

    it.proxy.script([theirs()]);
    let put = it.json(Method::PUT, path, &[], &mug("Ours")).await;
    put.problem(503);
    assert_eq!(name().await, "Theirs");
    it.proxy.script([Step::Forward, theirs()]);
    let ours = json!({"name": "Ours"});
    let merged = it.json(Method::PATCH, path, &[], &ours).await;
    merged.problem(503);
    assert_eq!(name().await, "Theirs");
    it.proxy.script([theirs()]);
    let delete = it.json(Method::DELETE, path, &[], &json!({})).await;
    delete.expect(204);
    assert_eq!(name().await, "Theirs");
    it.stop().await;
}

#[tokio::test]
async fn a_write_is_not_done_again_where_its_work_may_have_been_deleted() {
    let it = Faulty::start().await;
    let path = "/nosqldata/cup";
    let deleted = || {
        let client = it.system.client.clone();
        let delete = async move {
            let deleted = client.send(Method::DELETE, path, &[], "").await;
            deleted.expect(204);
        };
        Fault::Lost(delete.boxed())
    };
    for headers in [&[][..], &[("if-none-match", "*")]] {
        it.script.set([deleted()]);
        let put = it.json(Method::PUT, path, headers, &mug("Cup")).await;
        put.problem(503);
        it.system.client.get(path).await.problem(404);
    }
    it.stop().await;
}

#[tokio::test]
async fn a_write_is_not_done_again_over_one_that_began_before_it() {
    let it = Faulty::start().await;
    let path = "/nosqldata/cup";
    let cup = it.json(Method::PUT, path, &[], &mug("Cup")).await;
    cup.expect(201);
    let began = Timestamp::from(Timestamp::now().utc() - Duration::from_secs(1));
    let string = |text: &str| AttributeValue::S(text.to_owned());
    let theirs = it
        .system
        .store()
        .update_item()
        .table_name(&it.system.table)
        .key("id", string("cup"))
        .update_expression("SET etag = :etag, updatedAt = :began")
        .expression_attribute_values(":etag", string("theirs"))
        .expression_attribute_values(":began", string(&began.to_string()));
    let theirs = async move {
        theirs.send().await.unwrap();
    };
    it.script.set([Fault::Lost(theirs.boxed())]);
    let put = it.json(Method::PUT, path, &[], &mug("Ours")).await;
    put.problem(503);
    let found = it.system.client.get(path).await;
    assert_eq!(found.header("etag"), "\"theirs\"");
    it.stop().await;
}

#[tokio::test]
async fn an_open_breaker_lets_nothing_out_and_heals() {
    let it = Faulty::start().await;
    let get = async || it.json(Method::GET, "/nosqldata", &[], &json!({})).await;
    let health = async || {
        let path = "/health/nosqldata";
        it.json(Method::GET, path, &[], &json!({})).await
    };
    it.proxy.script((0..1_000).map(|_| throttled()));
    for _ in 0..6 {
        get().await.problem(503);
    }
    it.proxy.script((0..1_000).map(|_| throttled()));
    get().await.problem(503);
    let sick = health().await.expect(503).json();
    assert_eq!(sick["checks"]["dynamodb"][0]["status"], "fail");
    assert_eq!(sick["checks"]["dynamodb"][0]["breaker"], "open");
    assert_eq!(it.proxy.requests(), [] as [&str; 0]);

    it.proxy.script([]);
    sleep(policy().open).await;
    until(async || get().await.status == 200).await;
    let well = health().await.expect(200).json();
    assert_eq!(well["checks"]["dynamodb"][0]["breaker"], "closed");
    it.stop().await;
}

#[tokio::test]
async fn a_function_that_starts_without_its_store_heals_with_it() {
    let system = System::start().await;
    let proxy = proxy(&system).await;
    proxy.set(Fault::Refused).await;
    let service = service(&system, proxy.address()).await;
    let post = async || send(&service, Method::POST, "/nosqldata", &[], &mug("Cup")).await;
    post().await.problem(503);

    proxy.heal().await;
    until(async || post().await.status == 201).await;
    assert_eq!(products(&system).await.len(), 1);
    system.stop().await;
}
