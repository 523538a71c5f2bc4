//! Concurrent clients: every write is counted exactly once.

use std::collections::HashSet;

use futures_util::future::join_all;
use http::Method;
// region: mysqldata
use mysql_async::prelude::Queryable;
// endregion
use serde_json::json;
// region: mysqldata
use testbed::order;
// endregion
use testbed::{Response, System, product};

const CLIENTS: usize = 32;

/// The system with more than one instance of each function, and a product.
async fn start(path: &str) -> System {
    let system = System::with_instances(8).await;
    system.client.put(path, &product("first")).await.expect(201);
    system
}

/// The number of responses with this status.
fn count(responses: &[Response], status: u16) -> usize {
    responses.iter().filter(|it| it.status == status).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_successful_put_has_its_own_version() {
    let path = "/nosqldata/contested";
    let system = start(path).await;
    let client = &system.client;
    let write = async |n: usize| {
        // A client fails only if another has succeeded: each needs at most so many.
        for _ in 0..CLIENTS {
            let current = client.get(path).await.expect(200);
            let condition = [("if-match", current.header("etag"))];
            let product = product(&format!("by {n}"));
            let put = client.json(Method::PUT, path, &condition, &product).await;
            match put.status.as_u16() {
                200 => return put.json()["version"].as_u64().unwrap(),
                412 => {}
                _ => panic!("{put}"),
            }
        }
        panic!("client {n} never succeeds");
    };
    let mut versions = join_all((0..CLIENTS).map(write)).await;
    versions.sort_unstable();
    let last = u64::try_from(CLIENTS).unwrap() + 1;
    assert_eq!(versions, (2..=last).collect::<Vec<_>>());
    assert_eq!(client.get(path).await.json()["version"], last);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_merge_patch_is_lost() {
    let path = "/nosqldata/contested";
    let system = start(path).await;
    let client = &system.client;
    let write = async |n: usize| {
        let patch = json!({"attributes": {format!("by{n}"): n}});
        for _ in 0..10 * CLIENTS {
            let patched = client.patch(path, &patch).await;
            match patched.status.as_u16() {
                200 => return,
                503 => {}
                _ => panic!("{patched}"),
            }
        }
        panic!("client {n} never succeeds");
    };
    join_all((0..CLIENTS).map(write)).await;
    let merged = client.get(path).await.json();
    assert_eq!(merged["attributes"].as_object().unwrap().len(), CLIENTS);
    assert_eq!(merged["version"], CLIENTS + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_unconditional_put_has_its_own_version_and_etag() {
    let path = "/nosqldata/contested";
    let system = System::with_instances(8).await;
    let client = &system.client;
    let put = async |n: usize| client.put(path, &product(&format!("by {n}"))).await;
    let mut written = join_all((0..CLIENTS).map(put)).await;
    written.sort_by_key(|put| put.json()["version"].as_u64());
    let versions = written.iter().map(|put| put.json()["version"].clone());
    assert_eq!(
        versions.collect::<Vec<_>>(),
        (1..=CLIENTS).collect::<Vec<_>>()
    );
    let etags: HashSet<_> = written.iter().map(|put| put.header("etag")).collect();
    assert_eq!(etags.len(), CLIENTS);
    for (n, put) in written.iter().enumerate() {
        put.clone().expect(if n == 0 { 201 } else { 200 });
    }
    // The last writer wins.
    let read = client.get(path).await.expect(200);
    let last = &written[CLIENTS - 1];
    assert_eq!(read.body, last.body);
    read.expect_header("etag", last.header("etag"));
}

#[tokio::test(flavor = "multi_thread")]
async fn exactly_one_conditional_put_creates() {
    let system = System::with_instances(8).await;
    let (new, product) = ([("if-none-match", "*")], product("n"));
    let put = |_| {
        system
            .client
            .json(Method::PUT, "/nosqldata/new", &new, &product)
    };
    let responses = join_all((0..CLIENTS).map(put)).await;
    assert_eq!(count(&responses, 201), 1);
    assert_eq!(count(&responses, 412), CLIENTS - 1);
}

// region: mysqldata
#[tokio::test(flavor = "multi_thread")]
async fn exactly_one_client_makes_each_transition_of_an_order() {
    let system = start("/nosqldata/p").await;
    let client = &system.client;
    let order = order("c", &["p"]);
    let placed = client.post("/mysqldata", &order).await.expect(201);
    let path = placed.header("location");
    for step in ["paid", "shipped"] {
        let patch = json!({"status": step});
        let responses = join_all((0..CLIENTS).map(|_| client.patch(path, &patch))).await;
        assert_eq!(count(&responses, 200), 1, "{step}");
        assert_eq!(count(&responses, 409), CLIENTS - 1, "{step}");
    }
    let order = client.get(path).await.expect(200);
    order.expect_members(&[("/status", json!("shipped")), ("/version", json!(3))]);
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_orders_of_the_same_products_are_all_stored() {
    let system = System::with_instances(8).await;
    let client = &system.client;
    let ids: Vec<_> = (0..10).map(|n| format!("p{n}")).collect();
    for id in &ids {
        client.put_product(id, 100, "DKK").await;
    }
    let place = async |n: usize| {
        let mut products = ids.clone();
        products.rotate_left(n % 10);
        if n.is_multiple_of(2) {
            products.reverse();
        }
        let order = order(&format!("c{n}"), &products);
        client.post("/mysqldata", &order).await.expect(201).json()
    };
    let clients = 2 * CLIENTS;
    let placed = join_all((0..clients).map(place)).await;
    let listed = client.get("/mysqldata?limit=100").await.items();
    assert_eq!(listed.len(), clients);
    assert!(placed.iter().all(|order| listed.contains(order)));
    let snapshots = "SELECT COUNT(*) FROM product_snapshots";
    let snapshots: Option<u64> = system.connect().await.query_first(snapshots).await.unwrap();
    assert_eq!(snapshots, Some(10));
    let summary = client.get("/mysqldata/summary?by=product").await.json();
    let rows = summary["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 10);
    for row in rows {
        assert_eq!(row["revenue"]["amount"], clients * 200, "{row}");
    }
}
// endregion
