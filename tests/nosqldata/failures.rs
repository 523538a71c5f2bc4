//! Requests that `DynamoDB` refuses, and responses of it that are lost.

use std::time::Duration;

use chassis::outbound::Policy;
use dto::Timestamp;
use http::Method;
// region: mysqldata
use mysql_async::prelude::Queryable;
// endregion
use serde_json::{Value, json};
use testbed::{
    Setup, System, eventually, expect_key_in_use, log, patient, product,
    wire::{Fault, Proxy, Step},
};
use tokio::time::timeout;

const CUP: &str = "/nosqldata/cup";

/// A retry for each request, and a breaker that opens late and closes soon.
fn setup() -> Setup {
    Setup {
        policy: Some(Policy {
            budget_percent: 100,
            failure_percent: 100,
            open: Duration::from_secs(1),
            ..patient()
        }),
        ..Setup::default()
    }
}

async fn products(system: &System) -> Vec<Value> {
    let list = system.client.get("/nosqldata?limit=100").await;
    list.expect(200).items()
}

fn throttled() -> Step {
    let kind = "com.amazonaws.dynamodb.v20120810#ThrottlingException";
    Step::Answer(json!({"__type": kind, "message": "Rate exceeded"}))
}

fn conflict() -> Step {
    let kind = "com.amazonaws.dynamodb.v20120810#TransactionCanceledException";
    let reasons = json!([{"Code": "None"}, {"Code": "TransactionConflict"}]);
    Step::Answer(json!({"__type": kind, "Message": "cancelled", "CancellationReasons": reasons}))
}

/// A write of one item meets a transaction.
fn met_a_transaction() -> Step {
    let kind = "com.amazonaws.dynamodb.v20120810#TransactionConflictException";
    Step::Answer(json!({"__type": kind, "message": "conflict"}))
}

#[tokio::test]
async fn throttled_request_is_retried_a_few_times() {
    for (method, path, status) in [
        (Method::GET, CUP, 404),
        (Method::GET, "/nosqldata", 200),
        (Method::POST, "/nosqldata", 201),
        (Method::PUT, CUP, 201),
        (Method::DELETE, CUP, 404),
    ] {
        let system = System::with(setup()).await;
        let cup = product("Cup");
        system.dynamodb.script((0..9).map(|_| throttled()));
        let refused = system.client.json(method.clone(), path, &[], &cup).await;
        let attempts = system.dynamodb.requests().len();
        assert!((2..=3).contains(&attempts), "{attempts}: {refused}");
        refused.expect_unavailable(&["The store is unavailable."]);

        // One throttled request is retried, and it was not executed before.
        let system = System::with(setup()).await;
        system.dynamodb.script([throttled()]);
        let sent = system.client.json(method, path, &[], &cup).await;
        sent.expect(status);
    }
}

#[tokio::test]
async fn write_whose_response_is_lost_is_done_once() {
    let system = System::with(setup()).await;
    let (client, store) = (&system.client, &system.dynamodb);
    store.script([Step::lose()]);
    let created = client.put(CUP, &product("Cup")).await.expect(201);
    assert_eq!(created.json()["version"], 1);
    assert_eq!(store.requests(), ["UpdateItem"; 2]);

    store.script([Step::lose()]);
    let replaced = client.put(CUP, &product("Mug")).await.expect(200);
    assert_eq!(replaced.json()["version"], 2);
    store.script([Step::Forward, Step::lose()]);
    let patched = client.patch(CUP, &json!({"name": "Jug"})).await.expect(200);
    assert_eq!(patched.json()["version"], 3);
    assert_eq!(store.requests(), ["GetItem", "UpdateItem", "UpdateItem"]);

    store.script([Step::lose()]);
    let condition = [("if-match", patched.header("etag"))];
    let deleted = client.send(Method::DELETE, CUP, &condition, "").await;
    deleted.expect(204);
    assert_eq!(store.requests(), ["TransactWriteItems"; 2]);
    let again = client.delete(CUP).await;
    again.expect_problem(404, "not-found", "No resource has this id.");

    store.script([Step::lose()]);
    let created = client.post("/nosqldata", &product("Cup")).await.expect(201);
    assert_eq!(store.requests(), ["PutItem"; 2]);
    assert_eq!(products(&system).await, [created.json()]);
}

#[tokio::test]
async fn request_with_a_key_whose_response_is_lost_is_no_replay() {
    let system = System::with(setup()).await;
    let (client, cup) = (&system.client, product("Cup"));
    system.dynamodb.script([Step::lose()]);
    let first = client.post_once("/nosqldata", "k", &cup).await.expect(201);
    assert!(!first.is_replay());
    assert_eq!(system.dynamodb.requests(), ["TransactWriteItems"; 2]);
    let again = client.post_once("/nosqldata", "k", &cup).await.expect(201);
    assert!(again.is_replay());
    assert_eq!(again.body, first.body);
    assert_eq!(products(&system).await.len(), 1);
}

#[tokio::test]
async fn request_that_failed_after_its_write_is_replayed() {
    let system = System::with(setup()).await;
    let (client, cup) = (&system.client, product("Cup"));
    let steps = [Step::lose(), throttled(), throttled()];
    system.dynamodb.script(steps);
    let failed = client.post_once("/nosqldata", "k", &cup).await;
    failed.expect_unavailable(&["The store is unavailable."]);
    let again = client.post_once("/nosqldata", "k", &cup).await.expect(201);
    assert!(again.is_replay());
    assert_eq!(products(&system).await, [again.json()]);
}

#[tokio::test]
async fn request_waits_for_a_concurrent_one_until_its_deadline() {
    // Only the caller's deadline ends a request that waits.
    let system = System::with(Setup {
        timeout: Duration::from_hours(1),
        ..setup()
    })
    .await;
    let cup = product("Cup");
    system.dynamodb.script((0..5).map(|_| conflict()));
    let created = system.client.post_once("/nosqldata", "k", &cup).await;
    created.expect(201);
    assert_eq!(system.dynamodb.requests().len(), 6);

    let headers = [("idempotency-key", "l"), ("x-request-deadline", "400")];
    expect_key_in_use(async || {
        system.dynamodb.script((0..100_000).map(|_| conflict()));
        system
            .client
            .json(Method::POST, "/nosqldata", &headers, &cup)
            .await
    })
    .await;
}

#[tokio::test]
async fn write_that_meets_a_transaction_is_repeated() {
    let policy = Policy {
        retries: 0,
        ..patient()
    };
    let setup = Setup {
        policy: Some(policy),
        ..Setup::default()
    };
    let system = System::with(setup).await;
    let cup = product("Cup");
    for (method, body, steps, status) in [
        (
            Method::PUT,
            &cup,
            vec![met_a_transaction(), met_a_transaction()],
            201,
        ),
        // It reads before it writes.
        (
            Method::PATCH,
            &json!({"name": "Mug"}),
            vec![Step::Forward, met_a_transaction(), met_a_transaction()],
            200,
        ),
        (
            Method::DELETE,
            &json!({}),
            vec![conflict(), conflict()],
            204,
        ),
    ] {
        system.dynamodb.script(steps);
        let sent = system.client.json(method, CUP, &[], body);
        sent.await.expect(status);
    }
    system.client.get(CUP).await.expect(404);
}

#[tokio::test]
async fn write_whose_caller_left_no_time_for_conflicts_is_no_server_error() {
    let system = System::with(setup()).await;
    (system.dynamodb).script((0..1_000).map(|_| met_a_transaction()));
    let cup = product("Cup");
    let deadline = [("x-request-deadline", "500")];
    let put = system.client.json(Method::PUT, CUP, &deadline, &cup);
    let (refused, lines) = log::capture("info", put).await;
    let detail = "Other requests are writing the same data. Nothing has changed.";
    let refused = refused.expect_unavailable(&[detail]);
    log::expect_cause(&lines, refused.header("x-request-id"), "other requests");
    let completed = lines.iter().find(|line| line["message"] == "request");
    assert_eq!(completed.unwrap()["status_class"], "hurried");
}

#[tokio::test]
async fn write_of_another_client_is_kept() {
    let setup = Setup {
        instances: 2,
        ..setup()
    };
    let system = System::with(setup).await;
    let client = &system.client;
    client.put(CUP, &product("Cup")).await.expect(201);
    // Our write is executed, then theirs; then the response to ours is lost.
    let theirs = || {
        let client = client.clone();
        Step::Lose(Box::pin(async move {
            // Times have a resolution of 1 ms: theirs must be later than ours.
            let ours = Timestamp::now();
            while Timestamp::now() <= ours {
                tokio::task::yield_now().await;
            }
            client.put(CUP, &product("Theirs")).await.expect(200);
        }))
    };
    let theirs_after_deletion = || {
        let client = client.clone();
        Step::Lose(Box::pin(async move {
            client.put(CUP, &product("Theirs")).await.expect(201);
        }))
    };
    let lost = "The database's response was lost, so it is unknown whether this request was executed. Read \
                the resource before you send the request again.";
    let expect_theirs = async |response: testbed::Response| {
        response.expect_unavailable(&[lost]);
        let read = client.get(CUP).await.expect(200);
        assert_eq!(read.json()["name"], "Theirs");
    };
    system.dynamodb.script([theirs()]);
    expect_theirs(client.put(CUP, &product("Ours")).await).await;
    system.dynamodb.script([Step::Forward, theirs()]);
    expect_theirs(client.patch(CUP, &json!({"name": "Ours"})).await).await;
    // A deletion has a token: the repeated one is the first one, and theirs stays.
    system.dynamodb.script([theirs_after_deletion()]);
    client.delete(CUP).await.expect(204);
    let read = client.get(CUP).await.expect(200);
    assert_eq!(read.json()["name"], "Theirs");
}

#[tokio::test]
async fn list_as_text_returns_503_unless_its_store_responds() {
    let system = System::with(setup()).await;
    let headers = [("accept", "text/plain"), ("x-request-deadline", "1500")];
    for (wire, list, text) in [
        (&system.dynamodb, "/nosqldata", "Test NoSQL"),
        // region: mysqldata
        (&system.mysql, "/mysqldata", "Test MySQL"),
        // endregion
    ] {
        for fault in [Fault::Refused, Fault::BlackHole] {
            wire.set(fault).await;
            for client in [&system.client, &system.client.anonymous()] {
                let refused = client.get_with(list, &headers).await.expect(503);
                refused.expect_header("content-type", "application/problem+json");
            }
        }
        wire.heal().await;
        let healthy = eventually(async || {
            let response = system.client.get_with(list, &headers).await;
            (response.status == 200).then_some(response)
        });
        assert_eq!(healthy.await.text(), text);
    }
}

/// Checks that a request is a 500 without its cause, and that the log has the cause.
async fn expect_internal_error(system: &System, target: &str, cause: &str) {
    let (response, lines) = log::capture("info", system.client.get(target)).await;
    let detail = "The service failed. Its log has the reason under the request's id.";
    let response = response.expect_problem(500, "internal-error", detail);
    assert!(!response.text().contains(cause), "{response}");
    log::expect_cause(&lines, response.header("x-request-id"), cause);
}

#[tokio::test]
async fn cause_of_a_rejected_request_is_in_the_log_alone() {
    let system = System::with(setup()).await;
    let kind = "com.amazon.coral.validate#ValidationException";
    let rejection = json!({"__type": kind, "message": "an operand is not valid"});
    system.dynamodb.script([Step::Answer(rejection)]);
    expect_internal_error(&system, CUP, "an operand is not valid").await;
    // region: mysqldata
    let rename = "ALTER TABLE orders RENAME COLUMN customer TO buyer";
    let mut connection = system.connect().await;
    connection.query_drop(rename).await.unwrap();
    expect_internal_error(&system, "/mysqldata", "Unknown column").await;
    // endregion
}

#[tokio::test]
async fn function_that_starts_without_its_store_recovers_with_it() {
    for fault in [Fault::Refused, Fault::BlackHole] {
        let starting = System::with(Setup {
            store_fault: fault,
            ..Setup::deployed()
        });
        let system = timeout(Duration::from_mins(5), starting).await;
        let system = system.expect("it starts without its stores");
        for (wire, list) in [
            (&system.dynamodb, "/nosqldata"),
            // region: mysqldata
            (&system.mysql, "/mysqldata"),
            // endregion
        ] {
            system.client.get(list).await.expect(503);
            wire.heal().await;
            let get = async || (system.client.get(list).await.status == 200).then_some(());
            eventually(get).await;
        }
    }
}

/// Takes the number of connections that were opened.
fn connections(wire: &Proxy) -> usize {
    // A call is a request, or a connection if there were more of them.
    wire.take_requests();
    wire.take_calls()
}

#[tokio::test]
async fn connections_are_opened_before_the_first_request() {
    let system = System::with(setup()).await;
    for (wire, list) in [
        (&system.dynamodb, "/nosqldata"),
        // region: mysqldata
        (&system.mysql, "/mysqldata"),
        // endregion
    ] {
        // The proxy sees a connection a little after it is open.
        eventually(async || (connections(wire) != 0).then_some(())).await;
        for _ in 0..10 {
            system.client.get(list).await.expect(200);
        }
        assert_eq!(connections(wire), 0, "{list}");
    }
}
