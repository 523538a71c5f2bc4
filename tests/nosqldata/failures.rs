//! Requests that `DynamoDB` refuses, and responses of it that are lost.

use std::time::Duration;

use chassis::outbound::Policy;
use http::Method;
use serde_json::{Value, json};
use testbed::{
    Setup, System, eventually,
    wire::{Fault, Step},
};
use tokio::time::Instant;

use super::expect_key_in_use;

const CUP: &str = "/nosqldata/cup";

fn product(name: &str) -> Value {
    json!({"name": name, "category": "coffee", "price": {"amount": 17_900, "currency": "DKK"}})
}

/// A retry for each request, and a breaker that opens late and closes soon.
fn setup() -> Setup {
    Setup {
        policy: Some(Policy {
            budget_percent: 100,
            failure_percent: 100,
            open: Duration::from_secs(1),
            ..dynamodb::default_policy()
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

        // One failure is not even noticed; and what was refused was not done.
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
    let system = System::with(setup()).await;
    let cup = product("Cup");
    system.dynamodb.script((0..5).map(|_| conflict()));
    let created = system.client.post_once("/nosqldata", "k", &cup).await;
    created.expect(201);
    assert_eq!(system.dynamodb.requests().len(), 6);

    let headers = [("idempotency-key", "l"), ("x-request-deadline", "400")];
    expect_key_in_use(async || {
        system.dynamodb.script((0..1_000).map(|_| conflict()));
        let started = Instant::now();
        let post = system
            .client
            .json(Method::POST, "/nosqldata", &headers, &cup);
        let refused = post.await;
        // The caller's deadline is earlier than the function's, which is 10 s.
        assert!(started.elapsed() < Duration::from_secs(5), "{refused}");
        refused
    })
    .await;
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
    // Ours is done, then theirs, and then the response of ours is lost.
    let theirs = || {
        let client = client.clone();
        Step::Lose(Box::pin(async move {
            // Their clock is not behind, and no finer than a millisecond.
            tokio::time::sleep(Duration::from_millis(2)).await;
            client.put(CUP, &product("Theirs")).await.expect(200);
        }))
    };
    let theirs_after_deletion = || {
        let client = client.clone();
        Step::Lose(Box::pin(async move {
            client.put(CUP, &product("Theirs")).await.expect(201);
        }))
    };
    let lost = "The store's response was lost, so it is unknown whether this request was executed. Read the \
                resource before you send the request again.";
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
async fn open_breaker_sends_nothing_and_closes_by_itself() {
    let system = System::with(setup()).await;
    let client = &system.client;
    let health = async |status| {
        let health = client.get("/health/nosqldata").await.expect(status);
        health.json()["checks"]["dynamodb"][0].clone()
    };
    system.dynamodb.script((0..1_000).map(|_| throttled()));
    for _ in 0..6 {
        client.get("/nosqldata").await.expect(503);
    }
    system.dynamodb.script((0..1_000).map(|_| throttled()));
    let refused = client.get("/nosqldata").await;
    let detail = "The store has failed recently and is not called for now.";
    refused.expect_unavailable(&[detail]);
    let check = health(503).await;
    assert_eq!(check["status"], "fail");
    assert_eq!(check["breaker"], "open");
    assert_eq!(system.dynamodb.requests(), [] as [&str; 0]);

    system.dynamodb.script([]);
    eventually(async || {
        let list = client.get("/nosqldata").await;
        (list.status == 200).then_some(())
    })
    .await;
    assert_eq!(health(200).await["breaker"], "closed");
}

#[tokio::test]
async fn function_that_starts_without_its_store_recovers_with_it() {
    let system = System::with(Setup {
        dynamodb_fault: Fault::Refused,
        ..setup()
    })
    .await;
    let post = async || system.client.post("/nosqldata", &product("Cup")).await;
    post()
        .await
        .expect_unavailable(&["The store is unavailable."]);
    system.dynamodb.heal().await;
    eventually(async || (post().await.status == 201).then_some(())).await;
    assert_eq!(products(&system).await.len(), 1);
}
