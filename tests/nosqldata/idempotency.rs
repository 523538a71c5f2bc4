//! Idempotency keys in the stores: what is kept, for how long, and who waits.

use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::future::join_all;
// region: mysqldata
use http::Method;
use mysql_async::prelude::Queryable;
// endregion
use serde_json::Value;
// region: mysqldata
use testbed::{eventually, expect_key_in_use, order};
// endregion
use testbed::{LISTS, Response, System, product};

/// The number of clients that send the same request concurrently.
const CLIENTS: usize = 64;

/// A product or an order, of this name or customer.
fn body(target: &str, name: &str) -> Value {
    match target {
        // region: mysqldata
        "/mysqldata" => order(name, &["cup"]),
        // endregion
        "/nosqldata" => product(name),
        other => panic!("{other} is not a list of these tests"),
    }
}

/// The system with the one product that is ordered.
async fn start(instances: usize) -> System {
    let system = System::with_instances(instances).await;
    let cup = body("/nosqldata", "Cup");
    system.client.put("/nosqldata/cup", &cup).await.expect(201);
    system
}

/// The resources that were created, without the product that is ordered.
async fn created(system: &System, target: &str) -> Vec<Value> {
    let list = system.client.get(&format!("{target}?limit=100")).await;
    let mut items = list.expect(200).items();
    items.retain(|item| item["id"] != "cup");
    items
}

/// The keys that `DynamoDB` has.
async fn dynamodb_keys(system: &System) -> Vec<std::collections::HashMap<String, AttributeValue>> {
    let keys = system
        .store()
        .scan()
        .table_name(system.table("idempotency-keys"))
        .send();
    keys.await.unwrap().items().to_vec()
}

// region: mysqldata
/// Runs a statement in `MySQL`; the number that it returns, if it does.
async fn sql(system: &System, statement: &str) -> Option<u64> {
    system.connect().await.query_first(statement).await.unwrap()
}

async fn mysql_keys(system: &System) -> Option<u64> {
    sql(system, "SELECT COUNT(*) FROM idempotency_keys").await
}
// endregion

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_requests_with_one_key_have_one_effect() {
    let system = start(8).await;
    for target in LISTS {
        let body = body(target, "one");
        let post = |_| system.client.post_once(target, "one", &body);
        let responses = join_all((0..CLIENTS).map(post)).await;
        let created = created(&system, target).await;
        let [created] = &created[..] else {
            panic!("{} were created", created.len());
        };
        let (done, refused): (Vec<_>, Vec<_>) =
            responses.into_iter().partition(|it| it.status == 201);
        let (replays, first): (Vec<_>, Vec<_>) = done.into_iter().partition(Response::is_replay);
        let [first] = &first[..] else {
            panic!("{} were no replay", first.len());
        };
        assert_eq!(first.json(), *created);
        assert!(!replays.is_empty(), "no request waited for {first}");
        for replay in replays {
            replay.expect_replay_of(first);
        }
        for response in refused {
            let detail = "The first request with this Idempotency-Key is still running.";
            response
                .expect_problem(409, "conflict", detail)
                .expect_header("retry-after", "1");
        }
        system
            .client
            .post_once(target, "one", &body)
            .await
            .expect_replay_of(first);
    }
}

#[tokio::test]
async fn key_is_stored_for_24_hours() {
    let system = start(1).await;
    let now = || dto::Timestamp::now().utc().unix_timestamp();
    let cup = body("/nosqldata", "Cup");
    let before = now();
    let first = system.client.post_once("/nosqldata", "k", &cup).await;
    first.expect(201);
    let stored = before..=now();
    let keys = dynamodb_keys(&system).await;
    let expires_at: i64 = keys[0]["expiresAt"].as_n().unwrap().parse().unwrap();
    assert!(stored.contains(&(expires_at - 86_400)), "{expires_at}");

    // region: mysqldata
    let ann = body("/mysqldata", "ann");
    system
        .client
        .post_once("/mysqldata", "k", &ann)
        .await
        .expect(201);
    let seconds = "SELECT TIMESTAMPDIFF(SECOND, created_at, expires_at) FROM idempotency_keys";
    assert_eq!(sql(&system, seconds).await, Some(86_400));
    // endregion
}

#[tokio::test]
async fn expired_key_can_be_used_again() {
    let system = start(1).await;
    for target in LISTS {
        let first = system
            .client
            .post_once(target, "k", &body(target, "first"))
            .await;
        let first = first.expect(201);
        // The store has not deleted it yet.
        // region: mysqldata
        if *target == "/mysqldata" {
            let expire =
                "UPDATE idempotency_keys SET expires_at = UTC_TIMESTAMP(3) - INTERVAL 1 SECOND";
            sql(&system, expire).await;
        }
        // endregion
        if *target == "/nosqldata" {
            let mut expired = dynamodb_keys(&system).await.remove(0);
            expired.insert("expiresAt".to_owned(), AttributeValue::N("1000".to_owned()));
            let put = system
                .store()
                .put_item()
                .table_name(system.table("idempotency-keys"));
            put.set_item(Some(expired)).send().await.unwrap();
        }
        let second = body(target, "second");
        let done = system
            .client
            .post_once(target, "k", &second)
            .await
            .expect(201);
        assert!(!done.is_replay());
        assert_ne!(done.id(), first.id());
        system
            .client
            .post_once(target, "k", &second)
            .await
            .expect_replay_of(&done);
        assert_eq!(created(&system, target).await.len(), 2);
    }
    assert_eq!(dynamodb_keys(&system).await.len(), 1);
    // region: mysqldata
    assert_eq!(mysql_keys(&system).await, Some(1));
    // endregion
}

// region: mysqldata
/// `DynamoDB` deletes them by itself.
#[tokio::test]
async fn long_expired_keys_of_mysql_are_deleted_with_new_ones() {
    let system = start(1).await;
    let order = body("/mysqldata", "ann");
    let place = async |prefix: &str, count: usize| {
        for n in 0..count {
            let key = format!("{prefix}-{n}");
            system
                .client
                .post_once("/mysqldata", &key, &order)
                .await
                .expect(201);
        }
    };
    place("old", 26).await;
    let age = "UPDATE idempotency_keys SET expires_at = expires_at - INTERVAL 3 DAY";
    sql(&system, age).await;
    place("new", 3).await;
    assert_eq!(mysql_keys(&system).await, Some(3));
}

/// Waits until a request waits for the key that another transaction writes.
async fn waits_for_a_key(system: &System) {
    eventually(async || {
        let waiting = "SELECT COUNT(*) FROM information_schema.processlist \
                       WHERE db = DATABASE() AND id <> CONNECTION_ID() \
                       AND info LIKE '%idempotency_keys%'";
        (sql(system, waiting).await? > 0).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn request_waits_for_the_first_with_its_key() {
    let system = start(2).await;
    let order = body("/mysqldata", "ann");
    let mut first = system.connect().await;
    let insert = "INSERT INTO idempotency_keys VALUES ('tester', 'POST /mysqldata', 'key', '', '', \
                  UTC_TIMESTAMP(3), UTC_TIMESTAMP(3) + INTERVAL 1 DAY)";
    first.query_drop("START TRANSACTION").await.unwrap();
    first.query_drop(insert).await.unwrap();

    // A statement waits 2 s for a lock: one deadline is before that, one after.
    for deadline in ["1500", "3000"] {
        let headers = [("idempotency-key", "key"), ("x-request-deadline", deadline)];
        let client = &system.client;
        expect_key_in_use(async || {
            client
                .json(Method::POST, "/mysqldata", &headers, &order)
                .await
        })
        .await;
    }

    // The first is rolled back: the one that waits is executed.
    let post = system.client.post_once("/mysqldata", "key", &order);
    let (placed, ()) = tokio::join!(post, async {
        waits_for_a_key(&system).await;
        first.query_drop("ROLLBACK").await.unwrap();
    });
    let placed = placed.expect(201);
    assert!(!placed.is_replay());

    // The first is committed: the one that waits replays its response.
    let copy = "INSERT INTO idempotency_keys SELECT caller, route, 'other', fingerprint, answer, \
                created_at, expires_at FROM idempotency_keys";
    first.query_drop("START TRANSACTION").await.unwrap();
    first.query_drop(copy).await.unwrap();
    let post = system.client.post_once("/mysqldata", "other", &order);
    let (replayed, ()) = tokio::join!(post, async {
        waits_for_a_key(&system).await;
        first.query_drop("COMMIT").await.unwrap();
    });
    replayed.expect_replay_of(&placed);
    assert_eq!(created(&system, "/mysqldata").await.len(), 1);
}
// endregion
