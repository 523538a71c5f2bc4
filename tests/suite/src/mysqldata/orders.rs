// region: nosqldata
//! The life of an order.

use http::Method;
use serde_json::{Value, json};
use testbed::order;
use uuid::Uuid;

use crate::{Api, Case};

const SET_BY_SERVICE: &str = "is set by the service and may not be sent";

pub fn cases() -> Vec<Case> {
    vec![
        case!(order_is_placed_at_the_prices_of_the_catalogue),
        case!(order_keeps_its_names_and_prices),
        case!(status_changes_only_as_allowed),
        case!(paid_order_has_a_new_version),
        case!(unknown_product_is_reported_by_its_line),
        case!(mixed_currencies_are_reported),
        case!(every_error_of_an_order_is_reported),
        case!(order_is_limited),
        case!(refused_order_is_not_stored),
        case!(order_cannot_be_deleted_or_replaced),
    ]
}

/// Creates a product of this price; its id.
async fn product(api: &Api, amount: i64, currency: &str) -> String {
    let id = api.unique();
    api.put_product(&id, amount, currency).await;
    id
}

/// It queries the catalogue over HTTP, through the surface itself.
async fn order_is_placed_at_the_prices_of_the_catalogue(api: Api) {
    let cup = product(&api, 1_050, "DKK").await;
    let dear = product(&api, 10_000_000_000, "DKK").await;
    let customer = format!("Zoë 😀 {}", api.unique());
    let lines = json!([{"productId": dear, "quantity": 999}, {"productId": cup, "quantity": 3}]);
    let order = json!({"customer": customer, "lines": lines});
    let placed = api.post("/mysqldata", &order).await.expect(201);
    let path = format!("/mysqldata/{}", placed.id());
    let read = api.get(&path).await.expect(200);
    assert_eq!(read.body, placed.body);
    read.expect_header("etag", "\"1\"");

    // The id has the time of creation.
    let id: Uuid = placed.id().parse().unwrap();
    let (seconds, nanos) = id.get_timestamp().unwrap().to_unix();
    let created = placed.json()["createdAt"].as_str().unwrap().to_owned();
    let created = dto::Timestamp::parse_time_or_date(&created).unwrap().utc();
    let nanos = i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
    assert_eq!(created.unix_timestamp_nanos(), nanos);

    let name = api.get(&format!("/nosqldata/{cup}")).await.json()["name"].clone();
    let price = json!({"amount": 1_050, "currency": "DKK"});
    let line = json!({"productId": cup, "name": name, "quantity": 3, "unitPrice": price});
    let total = json!({"amount": 9_990_000_003_150_i64, "currency": "DKK"});
    placed
        .expect_header("content-type", "application/json")
        .expect_header("location", &path)
        .expect_header("etag", "\"1\"")
        .expect_members(&[
            ("/customer", json!(customer)),
            ("/status", json!("placed")),
            ("/pricing", json!("live")),
            ("/version", json!(1)),
            ("/lines/1", line),
            ("/total", total),
        ]);
}

async fn order_keeps_its_names_and_prices(api: Api) {
    let placed = api.place_order(3).await;
    let product = placed.json()["lines"][0]["productId"].clone();
    let product = format!("/nosqldata/{}", product.as_str().unwrap());
    let path = placed.header("location");
    api.put(&product, &api.product()).await.expect(200);
    api.patch(&product, &json!({"price": {"amount": 1}}))
        .await
        .expect(200);
    assert_eq!(api.get(path).await.body, placed.body);
    api.delete(&product).await.expect(204);
    assert_eq!(api.get(path).await.body, placed.body);
}

/// The order that was placed, with another status and version.
async fn status_changes_only_as_allowed(api: Api) {
    let allowed = |from: &str, to: &str| {
        let pair = (from, to);
        matches!(
            pair,
            ("placed", "paid" | "cancelled") | ("paid", "shipped" | "cancelled")
        )
    };
    let order = api.order(1).await;
    for (from, steps) in [
        ("placed", &[][..]),
        ("paid", &["paid"]),
        ("shipped", &["paid", "shipped"]),
        ("cancelled", &["cancelled"]),
    ] {
        for to in ["placed", "paid", "shipped", "cancelled"] {
            let placed = api.post("/mysqldata", &order).await.expect(201);
            let path = placed.header("location");
            for step in steps {
                api.patch(path, &json!({"status": step})).await.expect(200);
            }
            let before = api.get(path).await.expect(200);
            let patch = json!({"status": to});
            let stale = [("if-match", "\"77\"")];
            let stale = api.json(Method::PATCH, path, &stale, &patch).await;
            let detail = "The resource is not in a state that If-Match or If-None-Match allows. Nothing has changed.";
            stale.expect_problem(412, "precondition-failed", detail);
            let changed = api.patch(path, &patch).await;
            if allowed(from, to) {
                changed
                    .expect(200)
                    .expect_members(&[("/status", json!(to))]);
            } else {
                let next = match from {
                    "placed" => format!("can become paid or cancelled, not {to}"),
                    "paid" => format!("can become shipped or cancelled, not {to}"),
                    _ => "cannot change".to_owned(),
                };
                let detail = format!("An order that is {from} {next}.");
                changed.expect_problem(409, "conflict", &detail);
                assert_eq!(api.get(path).await.body, before.body, "{from} to {to}");
            }
        }
    }
}

async fn paid_order_has_a_new_version(api: Api) {
    let placed = api.place_order(1).await;
    let path = placed.header("location");
    let paid = api.patch(path, &json!({"status": "paid"})).await;
    let paid = paid
        .expect(200)
        .expect_header("etag", "\"2\"")
        .expect_members(&[
            ("/status", json!("paid")),
            ("/version", json!(2)),
            ("/createdAt", placed.json()["createdAt"].clone()),
        ]);
    let current = [("if-match", paid.header("etag"))];
    let shipped = json!({"status": "shipped"});
    let shipped = api.json(Method::PATCH, path, &current, &shipped).await;
    assert_eq!(api.get(path).await.body, shipped.body);
    shipped
        .expect(200)
        .expect_members(&[("/status", json!("shipped"))]);
}

async fn unknown_product_is_reported_by_its_line(api: Api) {
    let cup = api.create_product().await.id();
    let unknown = order("Ada", &[&api.unique(), &cup, &api.unique()]);
    let refused = api.post("/mysqldata", &unknown).await;
    let detail = "is not a product of the catalogue";
    refused.expect_invalid(&[
        ("/lines/0/productId", detail),
        ("/lines/2/productId", detail),
    ]);
}

async fn mixed_currencies_are_reported(api: Api) {
    let cup = product(&api, 100, "DKK").await;
    let pot = product(&api, 100, "EUR").await;
    let refused = api.post("/mysqldata", &order("Ada", &[&cup, &pot])).await;
    let detail = "is priced in EUR, but an earlier line in DKK: an order has one currency";
    refused.expect_invalid(&[("/lines/1/productId", detail)]);
}

async fn every_error_of_an_order_is_reported(api: Api) {
    let wrong = json!({
        "customer": "c\u{0}",
        "id": 1,
        "lines": [{"productId": "cup", "quantity": 0}, {"productId": "cup", "quantity": 1}],
    });
    let refused = api.post("/mysqldata?x=1", &wrong).await;
    refused.expect_invalid(&[
        ("/customer", "must have no control characters"),
        ("/lines/0/quantity", "must be between 1 and 999"),
        (
            "/lines/1/productId",
            "is in an earlier line: each product may be in one line only",
        ),
        ("/id", SET_BY_SERVICE),
        ("x", "is not a known parameter"),
    ]);
    let wrong = json!({
        "createdAt": "2026-01-01T00:00:00Z", "customer": "",
        "lines": [{"productId": "a", "quantity": 0}], "pricing": "live", "total": 1,
        "updatedAt": null, "version": 1,
    });
    let refused = api.post("/mysqldata", &wrong).await;
    refused.expect_invalid(&[
        ("/customer", "must have 1 to 200 characters"),
        ("/lines/0/quantity", "must be between 1 and 999"),
        ("/createdAt", SET_BY_SERVICE),
        ("/pricing", SET_BY_SERVICE),
        ("/total", SET_BY_SERVICE),
        ("/updatedAt", SET_BY_SERVICE),
        ("/version", SET_BY_SERVICE),
    ]);
}

async fn order_is_limited(api: Api) {
    let product = api.create_product().await.id();
    let order = |customer: usize, quantity: u32| {
        let lines = [json!({"productId": product, "quantity": quantity})];
        json!({"customer": "é".repeat(customer), "lines": lines})
    };
    api.post("/mysqldata", &order(200, 999)).await.expect(201);
    let refused = api.post("/mysqldata", &order(201, 1_000)).await;
    refused.expect_invalid(&[
        ("/customer", "must have 1 to 200 characters"),
        ("/lines/0/quantity", "must be between 1 and 999"),
    ]);
    let lines = |count: usize| {
        let ids = (0..count).map(|n| format!("{product}-{n}"));
        ids.map(|id| json!({"productId": id, "quantity": 1}))
            .collect::<Vec<_>>()
    };
    let unknown = json!({"customer": "c", "lines": lines(100)});
    let refused = api.post("/mysqldata", &unknown).await.expect(422).json();
    assert_eq!(refused["errors"].as_array().unwrap().len(), 100);
    let too_many = json!({"customer": "c", "lines": lines(101)});
    let refused = api.post("/mysqldata", &too_many).await;
    refused.expect_invalid(&[("/lines", "must have 1 to 100 lines")]);
}

async fn refused_order_is_not_stored(api: Api) {
    let customer = api.unique();
    let cup = product(&api, 100, "DKK").await;
    let pot = product(&api, 100, "EUR").await;
    for products in [&[&*cup, "unknown"], &[&*cup, &pot], &[&*cup, &cup]] {
        let refused = api.post("/mysqldata", &order(&customer, products)).await;
        refused.expect(422);
    }
    let list = api.get(&format!("/mysqldata?customer={customer}")).await;
    assert_eq!(list.expect(200).items(), [] as [Value; 0]);
}

async fn order_cannot_be_deleted_or_replaced(api: Api) {
    let placed = api.place_order(1).await;
    for path in ["/mysqldata/x", placed.header("location")] {
        for method in [Method::DELETE, Method::PUT] {
            let refused = api.send(method, path, &[], "").await;
            refused.expect_method_not_allowed("GET, HEAD, PATCH, OPTIONS");
        }
    }
}
// endregion
