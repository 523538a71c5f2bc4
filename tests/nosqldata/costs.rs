//! The cost of a request: calls between services, and round trips to the stores.

use std::collections::BTreeMap;

use http::Method;
use serde_json::json;
// region: mysqldata
use testbed::order;
// endregion
use testbed::{System, product};

/// Creates so many products; their ids.
async fn create_products(system: &System, count: usize) -> Vec<String> {
    let ids: Vec<_> = (0..count).map(|n| format!("p{n:03}")).collect();
    for id in &ids {
        let path = format!("/nosqldata/{id}");
        system.client.put(&path, &product("c")).await.expect(201);
    }
    ids
}

/// Checks the requests to `DynamoDB` since the last check.
#[track_caller]
fn expect_requests(system: &System, operations: &[(&str, usize)]) {
    let operations = operations.iter();
    let operations = operations.map(|(name, count)| ((*name).to_owned(), *count));
    assert_eq!(
        system.dynamodb.take_requests(),
        operations.collect::<BTreeMap<_, _>>()
    );
}

#[tokio::test]
async fn request_to_the_catalogue_costs_one_round_trip() {
    let system = System::start().await;
    let ids = create_products(&system, 100).await;
    let client = &system.client;
    system.dynamodb.take_requests();

    let list = client.get("/nosqldata?limit=100").await.expect(200);
    assert_eq!(list.items().len(), 100);
    expect_requests(&system, &[("Scan", 1)]);
    let list = client.get("/nosqldata?limit=100&category=c").await;
    assert_eq!(list.expect(200).items().len(), 100);
    expect_requests(&system, &[("Query", 1)]);
    let batch = format!("/nosqldata?ids={}", ids.join(","));
    let batch = client.get(&batch).await.expect(200);
    assert_eq!(batch.items().len(), 100);
    expect_requests(&system, &[("BatchGetItem", 1)]);

    let path = "/nosqldata/p000";
    client.post("/nosqldata", &product("c")).await.expect(201);
    expect_requests(&system, &[("PutItem", 1)]);
    client.get(path).await.expect(200);
    expect_requests(&system, &[("GetItem", 1)]);
    client.put(path, &product("c")).await.expect(200);
    expect_requests(&system, &[("UpdateItem", 1)]);
    let stale = [("if-match", "\"x\"")];
    let refused = client.json(Method::PUT, path, &stale, &product("c")).await;
    refused.expect(412);
    expect_requests(&system, &[("UpdateItem", 1)]);
    client.patch(path, &json!({"name": "x"})).await.expect(200);
    expect_requests(&system, &[("GetItem", 1), ("UpdateItem", 1)]);
    client.delete(path).await.expect(204);
    expect_requests(&system, &[("TransactWriteItems", 1)]);
    client
        .send(Method::DELETE, path, &stale, "")
        .await
        .expect(404);
    expect_requests(&system, &[("TransactWriteItems", 1)]);
}

#[tokio::test]
async fn idempotency_key_costs_the_catalogue_no_round_trip() {
    let system = System::start().await;
    system.dynamodb.take_requests();
    let mut other = product("c");
    other["name"] = "Other".into();
    for (product, status) in [(&product("c"), 201), (&product("c"), 201), (&other, 422)] {
        let response = system.client.post_once("/nosqldata", "k", product).await;
        response.expect(status);
        expect_requests(&system, &[("TransactWriteItems", 1)]);
    }
}

#[tokio::test]
async fn invalid_request_reaches_no_store() {
    let system = System::start().await;
    let client = &system.client;
    system.dynamodb.take_requests();
    client.post("/nosqldata", &json!({})).await.expect(422);
    client.get("/nosqldata/-").await.expect(404);
    // region: mysqldata
    system.mysql.take_requests();
    system.catalogue.take_requests();
    client.post("/mysqldata", &json!({})).await.expect(422);
    for (target, status) in [
        ("/mysqldata?cursor=bogus&limit=0", 400),
        ("/mysqldata?limit=101", 422),
        ("/mysqldata?status=lost", 422),
        ("/mysqldata?from=2026-11-23&to=2026-11-22", 422),
    ] {
        client.get(target).await.expect(status);
    }
    client.anonymous().get("/mysqldata/none").await.expect(401);
    client
        .post("/mysqldata?x=1", &order("c", &["p"]))
        .await
        .expect(422);
    assert_eq!(system.mysql.take_requests(), BTreeMap::new());
    // endregion
    expect_requests(&system, &[]);
    // region: mysqldata
    assert_eq!(system.catalogue.take_requests(), BTreeMap::new());
    // Prices come from the catalogue in one call.
    client
        .post("/mysqldata", &order("c", &["p"]))
        .await
        .expect(422);
    expect_requests(&system, &[("BatchGetItem", 1)]);
    // endregion
}

// region: mysqldata
/// The cost of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Cost {
    /// Calls of the catalogue.
    calls: usize,
    /// Requests to `DynamoDB`.
    requests: usize,
    /// Commands to `MySQL`.
    commands: usize,
}

async fn cost(system: &System, key: Option<&str>, products: &[String]) -> Cost {
    system.catalogue.take_requests();
    system.mysql.take_requests();
    system.dynamodb.take_requests();
    let order = order("c", products);
    let placed = match key {
        Some(key) => system.client.post_once("/mysqldata", key, &order).await,
        None => system.client.post("/mysqldata", &order).await,
    };
    placed.expect(201);
    Cost {
        calls: system.catalogue.take_requests().values().sum(),
        requests: system.dynamodb.take_requests().values().sum(),
        commands: commands(system),
    }
}

/// The least cost of three orders: one write in 32 also adds orders to the sums.
async fn least_cost(system: &System, key: Option<&str>, products: &[String]) -> Cost {
    let mut costs = Vec::new();
    for n in 0..3 {
        let key = key.map(|key| format!("{key}-{n}"));
        costs.push(cost(system, key.as_deref(), products).await);
    }
    costs.into_iter().min().expect("three")
}

/// The commands to `MySQL` since the last look, but for the preparation of statements,
/// which connections keep.
fn commands(system: &System) -> usize {
    let commands = system.mysql.take_requests().into_iter();
    let commands =
        commands.filter(|(name, _)| !name.contains("STMT_PREPARE") && !name.contains("STMT_CLOSE"));
    commands.map(|(_, count)| count).sum()
}

#[tokio::test]
async fn order_costs_the_same_for_any_number_of_lines() {
    let system = System::start().await;
    let products = create_products(&system, 20).await;
    // The first order of a product also writes its snapshot.
    cost(&system, None, &products).await;
    for keys in [[None, None], [Some("one"), Some("twenty")]] {
        let one = least_cost(&system, keys[0], &products[..1]).await;
        let twenty = least_cost(&system, keys[1], &products).await;
        assert_eq!((twenty.calls, twenty.requests), (1, 1));
        assert_eq!(one, twenty);
        if keys[0].is_some() {
            // The key is looked up; then come the transaction's begin, the key, the
            // order, its lines, the snapshots and the commit; and a few expired keys
            // are deleted.
            assert_eq!(one.commands, 8);
        }
    }
    let replayed = cost(&system, Some("one-0"), &products[..1]).await;
    let lookup = Cost {
        calls: 0,
        requests: 0,
        commands: 1,
    };
    assert_eq!(replayed, lookup);
}

#[tokio::test]
async fn reading_orders_costs_one_round_trip_for_any_number_of_lines() {
    let system = System::start().await;
    let products = create_products(&system, 20).await;
    let client = &system.client;
    let placed = client.post("/mysqldata", &order("c", &products)).await;
    let placed = placed.expect(201);
    let path = placed.header("location");
    let mut ids = vec![placed.id()];
    for _ in 0..2 {
        let one = order("c", &products[..1]);
        let placed = client.post("/mysqldata", &one).await.expect(201);
        ids.push(placed.id());
    }
    system.mysql.take_requests();
    let read = client.get(path).await.expect(200);
    assert_eq!(read.json()["lines"].as_array().unwrap().len(), 20);
    assert_eq!(commands(&system), 1);
    assert_eq!(client.get("/mysqldata").await.expect(200).items().len(), 3);
    assert_eq!(commands(&system), 1);
    client.get("/mysqldata/summary").await.expect(200);
    assert_eq!(commands(&system), 1);
    let mut costs = Vec::new();
    for id in ids {
        let path = format!("/mysqldata/{id}");
        let paid = client.patch(&path, &json!({"status": "paid"})).await;
        paid.expect(200);
        costs.push(commands(&system));
    }
    // The transaction's begin, the lock, the order, the change and the commit; one write
    // in 32 also adds orders to the sums.
    assert_eq!(costs.into_iter().min(), Some(5));
}
// endregion
