// region: nosqldata
//! Orders while the catalogue or connections to the database are lost.

use std::time::Duration;

use futures_util::future::join_all;
use http::Method;
use mysql_async::{Conn, prelude::Queryable};
use serde_json::{Value, json};
use testbed::{Response, Setup, System, eventually, log::capture, order, wire::Fault};
use tokio::time::sleep;

/// How often connections are killed, at most: for five minutes and more.
const ROUNDS: usize = 20_000;

/// Why an order without known prices is refused.
const CATALOGUE: &[&str] = &[
    "The catalogue is unavailable.",
    "The catalogue has failed recently and is not called for now.",
];

async fn place(system: &System, products: &[&str]) -> Response {
    system
        .client
        .post("/mysqldata", &order("ann", products))
        .await
}

async fn orders(system: &System) -> Vec<Value> {
    let list = system.client.get("/mysqldata?limit=100").await;
    list.expect(200).items()
}

/// A function's own timeout is no choice of a caller.
#[tokio::test]
async fn snapshot_prices_are_used_also_where_the_function_has_little_time() {
    let setup = Setup {
        timeout: Duration::from_secs(8),
        ..Setup::default()
    };
    let system = System::with(setup).await;
    system.client.put_product("cup", 100, "DKK").await;
    place(&system, &["cup"]).await.expect(201);
    // It leaves less than an attempt may take.
    system.catalogue.set(Fault::BlackHole).await;
    let placed = place(&system, &["cup"]).await.expect(201);
    placed.expect_members(&[("/pricing", json!("snapshot"))]);
}

/// Deletes the catalogue's table.
pub async fn lose_the_catalogue(system: &System) {
    let deleted = system
        .store()
        .delete_table()
        .table_name(system.table("products"));
    deleted.send().await.unwrap();
}

/// Recreates the catalogue's table, empty, and waits until it can be read.
async fn restore_the_catalogue(system: &System) {
    let prefix = system.table("products").strip_suffix("products").unwrap();
    let template = template::path();
    let tables = stores::dynamodb::create_tables(&system.store(), &template, prefix).await;
    assert!(
        tables
            .unwrap()
            .iter()
            .any(|it| it == system.table("products"))
    );
    eventually(async || {
        let list = system.client.get("/nosqldata").await;
        (list.status == 200).then_some(())
    })
    .await;
}

/// Ends every other connection to the test's database; their number.
async fn kill_connections(connection: &mut Conn) -> usize {
    let sql = "SELECT id FROM information_schema.processlist \
               WHERE db = DATABASE() AND id <> CONNECTION_ID()";
    let ids: Vec<u64> = connection.query(sql).await.unwrap();
    let mut killed = 0;
    for id in ids {
        // It may have ended by itself.
        let kill = connection.query_drop(format!("KILL {id}")).await;
        killed += usize::from(kill.is_ok());
    }
    killed
}

#[tokio::test]
async fn health_reports_an_unavailable_store() {
    let system = System::start().await;
    lose_the_catalogue(&system).await;
    let catalogue = system.client.get("/health/nosqldata").await.expect(503);
    catalogue
        .expect_header("content-type", "application/health+json")
        .expect_members(&[("/status", json!("fail"))]);
    // The orders continue without.
    let orders = system.client.get("/health/mysqldata").await.expect(200);
    orders.expect_members(&[
        ("/status", json!("warn")),
        ("/checks/mysql/0/status", json!("pass")),
        ("/checks/catalogue/0/status", json!("warn")),
    ]);
    let all = system.client.get("/health").await.expect(503);
    all.expect_members(&[
        ("/status", json!("fail")),
        ("/checks/nosqldata/0/status", json!("fail")),
        ("/checks/mysqldata/0/status", json!("warn")),
        ("/checks/hello/0/status", json!("pass")),
    ]);
}

#[tokio::test]
async fn failed_probe_leaves_its_reason_in_the_log() {
    let system = System::start().await;
    let slow = Fault::Latency(Duration::from_secs(9));
    for (fault, cause) in [(Fault::Refused, "failed:"), (slow, "in time")] {
        system.catalogue.set(fault).await;
        system.mysql.set(fault).await;
        let (_, lines) = capture("warn", system.client.get("/health/mysqldata")).await;
        for name in ["catalogue", "mysql"] {
            let probe = |line: &&Value| line["dependency"] == name;
            let line = lines.iter().find(probe).unwrap();
            assert_eq!(line["message"], "a probe failed");
            let logged = line["cause"].as_str().unwrap();
            assert!(logged.contains(cause), "{logged}");
        }
    }
}

/// A caller chooses the deadline of an order, and must not choose its prices by that.
#[tokio::test]
async fn order_with_a_short_deadline_is_not_priced_from_snapshots() {
    let system = System::start().await;
    system.client.put_product("cup", 100, "DKK").await;
    place(&system, &["cup"]).await.expect(201);
    system.client.put_product("cup", 500, "DKK").await;
    let slow = Fault::Latency(Duration::from_secs(3));
    let hurried = async || {
        let hurry = [("x-request-deadline", "1500")];
        let cup = order("ann", &["cup"]);
        let placed = system.client.json(Method::POST, "/mysqldata", &hurry, &cup);
        placed.await.expect_unavailable(&[
            "The catalogue did not respond in time.",
            "The time for the request ran out.",
        ]);
    };
    system.catalogue.set(slow).await;
    hurried().await;
    let deleted = system.client.delete("/nosqldata/cup").await;
    deleted.expect(204);
    hurried().await;
    system.catalogue.heal().await;
    place(&system, &["cup"]).await.expect(422);
    assert_eq!(orders(&system).await.len(), 1);
}

#[tokio::test]
async fn failed_order_stores_no_key_and_can_be_repeated() {
    let system = System::start().await;
    system.client.put_product("cup", 100, "DKK").await;
    lose_the_catalogue(&system).await;
    let cup = order("ann", &["cup"]);
    let failed = system.client.post_once("/mysqldata", "key", &cup).await;
    failed.expect_unavailable(CATALOGUE);
    let keys = "SELECT COUNT(*) FROM idempotency_keys";
    let keys: Option<u64> = system.connect().await.query_first(keys).await.unwrap();
    assert_eq!(keys, Some(0));

    restore_the_catalogue(&system).await;
    system.client.put_product("cup", 200, "DKK").await;
    let placed = eventually(async || {
        let response = system.client.post_once("/mysqldata", "key", &cup).await;
        if response.status == 201 {
            return Some(response);
        }
        response.expect_unavailable(CATALOGUE);
        None
    })
    .await;
    assert!(!placed.is_replay());
    assert_eq!(placed.json()["pricing"], "live");
    assert_eq!(orders(&system).await.len(), 1);
}

#[tokio::test]
async fn order_is_priced_from_snapshots_while_the_catalogue_is_unavailable() {
    let system = System::start().await;
    for (id, amount, currency) in [
        ("cup", 100, "DKK"),
        ("pot", 200, "DKK"),
        ("gone", 300, "DKK"),
        ("euro", 400, "EUR"),
        ("old", 500, "DKK"),
        ("unseen", 600, "DKK"),
    ] {
        system.client.put_product(id, amount, currency).await;
    }
    for products in [&["cup", "pot", "gone", "old"][..], &["euro"]] {
        let placed = place(&system, products).await.expect(201);
        assert_eq!(placed.json()["pricing"], "live");
    }
    system.client.put_product("cup", 150, "DKK").await;
    place(&system, &["cup"]).await.expect(201);
    system.client.delete("/nosqldata/gone").await.expect(204);
    let refused = place(&system, &["cup", "gone"]).await;
    let detail = "is not a product of the catalogue";
    refused.expect_invalid(&[("/lines/1/productId", detail)]);
    for (product, age_min) in [("pot", 1_439), ("old", 1_441)] {
        let age = format!(
            "UPDATE product_snapshots SET seen_at = UTC_TIMESTAMP(3) - INTERVAL {age_min} MINUTE \
             WHERE product_id = '{product}'"
        );
        system.connect().await.query_drop(age).await.unwrap();
    }

    lose_the_catalogue(&system).await;
    let placed = place(&system, &["pot", "cup"]).await.expect(201);
    let read = system.client.get(placed.header("location")).await;
    assert_eq!(read.body, placed.body);
    placed.expect_members(&[
        ("/pricing", json!("snapshot")),
        ("/total", json!({"amount": 700, "currency": "DKK"})),
        ("/lines/1/name", json!("The cup")),
    ]);
    for product in ["gone", "old", "unseen"] {
        let refused = place(&system, &["cup", product]).await;
        refused.expect_unavailable(CATALOGUE);
    }
    let refused = place(&system, &["cup", "euro"]).await;
    let detail = "is priced in EUR, but an earlier line in DKK: an order has one currency";
    refused.expect_invalid(&[("/lines/1/productId", detail)]);
}

#[tokio::test]
async fn snapshots_of_products_that_differ_only_in_case_are_different() {
    let system = System::start().await;
    for (id, amount) in [("cup", 100), ("Cup", 7)] {
        system.client.put_product(id, amount, "DKK").await;
        place(&system, &[id]).await.expect(201);
    }
    lose_the_catalogue(&system).await;
    let placed = place(&system, &["cup", "Cup"]).await.expect(201);
    placed.expect_members(&[
        ("/pricing", json!("snapshot")),
        ("/lines/0/unitPrice/amount", json!(100)),
        ("/lines/1/unitPrice/amount", json!(7)),
    ]);
    let refused = place(&system, &["CUP"]).await;
    refused.expect_unavailable(CATALOGUE);
}

#[tokio::test]
async fn lost_connection_is_replaced_without_an_error() {
    let system = System::start().await;
    let client = &system.client;
    system.client.put_product("cup", 100, "DKK").await;
    let mut killer = system.connect().await;
    let cup = order("ann", &["cup"]);
    for n in 0..5 {
        assert_ne!(kill_connections(&mut killer).await, 0);
        let placed = client
            .post_once("/mysqldata", &format!("key-{n}"), &cup)
            .await;
        let placed = placed.expect(201);
        let path = placed.header("location");
        assert_ne!(kill_connections(&mut killer).await, 0);
        client
            .patch(path, &json!({"status": "paid"}))
            .await
            .expect(200);
        assert_ne!(kill_connections(&mut killer).await, 0);
        assert_eq!(client.get(path).await.expect(200).json()["version"], 2);
    }
    assert_eq!(orders(&system).await.len(), 5);
    let health = client.get("/health/mysqldata").await.expect(200);
    health.expect_members(&[("/checks/mysql/0/breaker", json!("closed"))]);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_order_is_stored_once_while_connections_are_killed() {
    let system = System::with_instances(4).await;
    system.client.put_product("cup", 100, "DKK").await;
    let mut killed = 0;
    let kill = async {
        let mut killer = system.connect().await;
        for _ in 0..ROUNDS {
            killed += kill_connections(&mut killer).await;
            sleep(Duration::from_millis(15)).await;
        }
    };
    let place = async |n: usize| {
        let order = order(&format!("c{n}"), &["cup"]);
        eventually(async || {
            let key = format!("key-{n}");
            let response = system.client.post_once("/mysqldata", &key, &order).await;
            match response.status.as_u16() {
                201 => Some(response.json()),
                409 | 503 => None,
                _ => panic!("{response}"),
            }
        })
        .await
    };
    let placed = tokio::select! {
        placed = join_all((0..40).map(place)) => placed,
        () = kill => panic!("orders are not placed while connections are killed"),
    };
    assert!(killed > 0, "no connection was killed");
    let listed = eventually(async || {
        let list = system.client.get("/mysqldata?limit=100").await;
        (list.status == 200).then(|| list.items())
    })
    .await;
    assert_eq!(listed.len(), placed.len());
    assert!(placed.iter().all(|order| listed.contains(order)));
}

/// Health is public, and its deadline is the caller's choice.
#[tokio::test]
async fn short_deadlines_of_health_checks_change_no_breaker() {
    let system = System::with_samples().await;
    for (function, wire) in [
        ("mysqldata", &system.catalogue),
        ("mysqldata", &system.mysql),
        ("nosqldata", &system.dynamodb),
        ("mysqldata", &system.dynamodb),
    ] {
        // The wire is slower than the caller waits.
        wire.set(Fault::Latency(Duration::from_millis(50))).await;
        let path = format!("/health/{function}");
        for _ in 0..30 {
            let hurry = [("x-request-deadline", "6")];
            let health = system.client.get_with(&path, &hurry).await;
            assert!([200, 503].contains(&health.status.as_u16()), "{health}");
        }
        wire.heal().await;
        let placed = place(&system, &["espresso-cups"]).await.expect(201);
        assert_eq!(placed.json()["pricing"], "live", "{function}");
    }
    for path in ["/health/mysqldata", "/health/nosqldata"] {
        let health = system.client.get(path).await.expect(200);
        for (name, check) in health.json()["checks"].as_object().unwrap() {
            assert_eq!(check[0]["breaker"], "closed", "{name}");
        }
    }
}
// endregion
