//! Many clients at once: nothing is counted twice, and nothing is lost.

use futures_util::future::join_all;
use http::Method;
use serde_json::{Value, json};
use tests::System;

const CLIENTS: usize = 32;

#[tokio::test(flavor = "multi_thread")]
async fn every_successful_put_is_counted_once() {
    let system = System::with_instances(8).await;
    let client = &system.client;
    let path = "/nosqldata/contested";
    let product = |name: &str| json!({"name": name, "category": "c", "price": {"amount": 1, "currency": "DKK"}});
    client.put(path, &product("first")).await.expect(201);

    let writers = (0..CLIENTS).map(async |n| {
        loop {
            let etag = client.get(path).await.expect(200).header("etag").to_owned();
            let put = client
                .json(
                    Method::PUT,
                    path,
                    &[("if-match", &etag)],
                    &product(&format!("by {n}")),
                )
                .await;
            match put.status.as_u16() {
                200 => return put.json()["version"].as_i64().unwrap(),
                412 => {}
                status => panic!("{status}: {}", put.text()),
            }
        }
    });
    let mut versions = join_all(writers).await;
    versions.sort_unstable();
    let expected: Vec<_> = (2..=i64::try_from(CLIENTS).unwrap() + 1).collect();
    assert_eq!(versions, expected);
    assert_eq!(
        client.get(path).await.json()["version"],
        *versions.last().unwrap()
    );
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_merge_is_lost() {
    let system = System::with_instances(8).await;
    let client = &system.client;
    let path = "/nosqldata/contested";
    let product = json!({"name": "n", "category": "c", "price": {"amount": 1, "currency": "DKK"}});
    client.put(path, &product).await.expect(201);
    let patches = (0..CLIENTS).map(async |n| {
        let patch = json!({"attributes": {format!("by{n}"): n}});
        loop {
            let patched = client.patch(path, &patch).await;
            match patched.status.as_u16() {
                200 => return,
                503 => {}
                status => panic!("{status}: {}", patched.text()),
            }
        }
    });
    join_all(patches).await;
    let merged = client.get(path).await.json();
    assert_eq!(merged["attributes"].as_object().unwrap().len(), CLIENTS);
    assert_eq!(merged["version"], CLIENTS + 1);
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn exactly_one_creates_and_exactly_one_wins_each_step() {
    let system = System::with_instances(8).await;
    let client = &system.client;
    let product = json!({"name": "n", "category": "c", "price": {"amount": 1, "currency": "DKK"}});
    let creators = (0..CLIENTS).map(|_| {
        client.json(
            Method::PUT,
            "/nosqldata/new",
            &[("if-none-match", "*")],
            &product,
        )
    });
    let statuses: Vec<_> = join_all(creators)
        .await
        .iter()
        .map(|put| put.status.as_u16())
        .collect();
    assert_eq!(statuses.iter().filter(|&&status| status == 201).count(), 1);
    assert_eq!(
        statuses.iter().filter(|&&status| status == 412).count(),
        CLIENTS - 1
    );

    let order = json!({"customer": "c", "lines": [{"productId": "new", "quantity": 1}]});
    let order: Value = client.post("/mysqldata", &order).await.expect(201).json();
    let path = format!("/mysqldata/{}", order["id"].as_str().unwrap());
    for step in ["paid", "shipped"] {
        let body = json!({"status": step});
        let movers = (0..CLIENTS).map(|_| client.patch(&path, &body));
        let statuses: Vec<_> = join_all(movers)
            .await
            .iter()
            .map(|moved| moved.status.as_u16())
            .collect();
        assert_eq!(
            statuses.iter().filter(|&&status| status == 200).count(),
            1,
            "{statuses:?}"
        );
        assert_eq!(
            statuses.iter().filter(|&&status| status == 409).count(),
            CLIENTS - 1,
            "{statuses:?}"
        );
    }
    let end = client.get(&path).await.json();
    assert_eq!(
        (&end["status"], &end["version"]),
        (&json!("shipped"), &json!(3))
    );
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_placed_at_once_are_all_there() {
    let system = System::with_instances(8).await;
    let client = &system.client;
    let product = json!({"name": "n", "category": "c", "price": {"amount": 3, "currency": "DKK"}});
    client.put("/nosqldata/p", &product).await.expect(201);
    let placed = (0..CLIENTS).map(async |n| {
        let order =
            json!({"customer": format!("c{n}"), "lines": [{"productId": "p", "quantity": 2}]});
        client.post("/mysqldata", &order).await.expect(201).json()
    });
    let placed = join_all(placed).await;
    let listed = client.get("/mysqldata?limit=100").await.json();
    let listed = listed["items"].as_array().unwrap();
    assert_eq!(listed.len(), CLIENTS);
    assert!(placed.iter().all(|order| listed.contains(order)));
    let summary = client.get("/mysqldata/summary").await.json();
    assert_eq!(summary["rows"][0]["revenue"]["amount"], CLIENTS * 6);
    system.stop().await;
}
