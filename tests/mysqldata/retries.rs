// region: nosqldata
//! Retries and refusals of orders while prices change.

use http::Method;
use mysql_async::prelude::Queryable;
use serde_json::json;
use testbed::{System, expect_key_in_use, order};

use super::outages::lose_the_catalogue;

#[tokio::test]
async fn retry_that_is_refused_waits_for_the_first_request() {
    let system = System::start().await;
    system.client.put_product("cup", 100, "DKK").await;
    let order = order("ann", &["cup"]);
    let first = system.client.post_once("/mysqldata", "key", &order).await;
    let first = first.expect(201);

    // As if the first request had not ended: its key is written and not committed.
    let mut running = system.connect().await;
    for sql in [
        "CREATE TABLE saved AS SELECT * FROM idempotency_keys",
        "DELETE FROM idempotency_keys",
        "START TRANSACTION",
        "INSERT INTO idempotency_keys SELECT * FROM saved",
    ] {
        running.query_drop(sql).await.unwrap();
    }
    // Now it would be refused.
    let deleted = system.client.delete("/nosqldata/cup").await;
    deleted.expect(204);

    let headers = [("idempotency-key", "key"), ("x-request-deadline", "1500")];
    expect_key_in_use(async || {
        let retry = (system.client).json(Method::POST, "/mysqldata", &headers, &order);
        retry.await
    })
    .await;

    running.query_drop("COMMIT").await.unwrap();
    let retry = system.client.post_once("/mysqldata", "key", &order).await;
    assert_eq!(retry.expect(201).body, first.body);
}

#[tokio::test]
async fn prices_of_a_refused_order_are_remembered() {
    let system = System::start().await;
    for amount in [100, 200] {
        system.client.put_product("cup", amount, "DKK").await;
        let refused = order("ann", &["cup", "ghost"]);
        system.client.post("/mysqldata", &refused).await.expect(422);
    }
    lose_the_catalogue(&system).await;
    let order = order("ann", &["cup"]);
    let placed = system.client.post("/mysqldata", &order).await;
    placed.expect(201).expect_members(&[
        ("/pricing", json!("snapshot")),
        ("/total/amount", json!(400)),
    ]);
}
// endregion
