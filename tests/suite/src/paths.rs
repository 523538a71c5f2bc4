//! Paths that nothing has, and ids with escapes.

// region: mysqldata
use http::Method;
// endregion
use serde_json::json;

use crate::{Api, Case, Kind};

// region: nosqldata
pub(crate) const KEEPS_AN_ESCAPED_SLASH: &str =
    "does not decode the path, so that an escaped slash is part of the id";

pub(crate) const DECODES_AN_ESCAPED_SLASH: &str =
    "decodes the path before it routes it, so that no function gets an escaped slash";
// endregion

const NOT_FOUND: &str = "No resource has this id.";

pub fn cases() -> Vec<Case> {
    vec![
        case!(path_that_no_function_declares_returns_404).differs(
            &[Kind::StartApi],
            "returns its own 403 for a path that it does not route",
            check!(start_api_refuses_the_path),
        ),
        case!(missing_name_under_a_function_returns_404),
        // region: nosqldata
        case!(escaped_characters_of_an_id_are_decoded),
        case!(escaped_slash_in_an_id_is_a_path_separator)
            .differs(
                &[Kind::Watch],
                KEEPS_AN_ESCAPED_SLASH,
                check!(escaped_slash_is_part_of_the_id),
            )
            .differs(
                &[Kind::StartApi],
                DECODES_AN_ESCAPED_SLASH,
                check!(escaped_slash_reaches_no_function),
            ),
        case!(id_is_decoded_once),
        case!(id_that_no_product_can_have_returns_404),
        case!(id_of_a_product_is_case_sensitive),
        case!(products_that_differ_only_in_case_are_different),
        // endregion
        // region: mysqldata
        case!(id_that_no_order_has_returns_404),
        // endregion
        // region: mysqldata nosqldata
        case!(id_of_an_order_is_read_in_either_case),
        // endregion
    ]
}

const UNDECLARED: [&str; 3] = ["/nowhere", "/hello", "/problems/a/b"];

/// The gateway's own response.
async fn path_that_no_function_declares_returns_404(api: Api) {
    for path in UNDECLARED {
        let refused = api.get(path).await.expect(404);
        refused.expect_members(&[("/message", json!("Not Found"))]);
    }
}

async fn start_api_refuses_the_path(api: Api) {
    for path in UNDECLARED {
        let refused = api.get(path).await.expect(403);
        refused.expect_members(&[("/message", json!("Missing Authentication Token"))]);
    }
}

async fn missing_name_under_a_function_returns_404(api: Api) {
    for path in ["/problems/teapot", "/docs/nothing.js"] {
        let refused = api.get(path).await;
        refused.expect_problem(404, "not-found", NOT_FOUND);
    }
}

// region: nosqldata
async fn escaped_characters_of_an_id_are_decoded(api: Api) {
    for created in [
        api.create_product().await,
        // region: mysqldata
        api.place_order(1).await,
        // endregion
    ] {
        let path = created.header("location");
        for hyphen in ["%2D", "%2d"] {
            let read = api.get(&path.replace('-', hyphen)).await.expect(200);
            read.expect_members(&[("/id", json!(created.id()))]);
        }
    }
    let id = format!("{}.v1_.", api.unique());
    let escaped = format!("/nosqldata/{}%2E", &id[..id.len() - 1]);
    let put = api.put(&escaped, &api.product()).await.expect(201);
    assert_eq!(put.id(), id);
    api.get(&format!("/nosqldata/{id}")).await.expect(200);
}

/// The gateway decodes the path, so the function gets one that it does not have.
async fn escaped_slash_in_an_id_is_a_path_separator(api: Api) {
    let path = format!("/nosqldata/{}%2Fb", api.unique());
    for refused in [api.get(&path).await, api.put(&path, &api.product()).await] {
        refused.expect_problem(404, "unknown-path", "No route has this path.");
    }
}

async fn escaped_slash_is_part_of_the_id(api: Api) {
    let path = format!("/nosqldata/{}%2Fb", api.unique());
    for refused in [api.get(&path).await, api.put(&path, &api.product()).await] {
        refused.expect_problem(404, "not-found", NOT_FOUND);
    }
}

async fn escaped_slash_reaches_no_function(api: Api) {
    let path = format!("/nosqldata/{}%2Fb", api.unique());
    for refused in [api.get(&path).await, api.put(&path, &api.product()).await] {
        let message = json!("Missing Authentication Token");
        refused.expect(403).expect_members(&[("/message", message)]);
    }
}

/// `%2541` is `%41`, which is no id, and not the letter A.
async fn id_is_decoded_once(api: Api) {
    let id = format!("A{}", api.unique());
    let path = format!("/nosqldata/{id}");
    api.put(&path, &api.product()).await.expect(201);
    for escaped in [
        path.replacen('A', "%2541", 1),
        format!("{path}%25"),
        format!("{path}%2525"),
    ] {
        let refused = api.get(&escaped).await;
        refused.expect_problem(404, "not-found", NOT_FOUND);
    }
}

async fn id_that_no_product_can_have_returns_404(api: Api) {
    let long = "x".repeat(65);
    for id in [
        "caf%C3%A9",
        "%E6%97%A5%E6%9C%AC",
        "%F0%9F%AB%96",
        "a%20b",
        "a+b",
        "%20",
        "-mug",
        "a%23b",
        "a%00b",
        "a%0Ab",
        "a%22b",
        "%5C",
        "a;b",
        "a%7Bb%7D",
        // They are not UTF-8.
        "%FF",
        "%ff",
        "a%C3",
        "%ED%A0%80",
        &long,
    ] {
        let refused = api.get(&format!("/nosqldata/{id}")).await;
        refused.expect_problem(404, "not-found", NOT_FOUND);
    }
    let refused = api.put("/nosqldata/-x", &api.product()).await;
    refused.expect_problem(404, "not-found", NOT_FOUND);
}

/// Also where it looks like a UUID, which an order's id is in either case.
async fn id_of_a_product_is_case_sensitive(api: Api) {
    let lower = uuid::Uuid::now_v7().to_string();
    let upper = lower.to_uppercase();
    let put = api
        .put(&format!("/nosqldata/{upper}"), &api.product())
        .await;
    assert_eq!(put.expect(201).id(), upper);
    let refused = api.get(&format!("/nosqldata/{lower}")).await;
    refused.expect_problem(404, "not-found", NOT_FOUND);
    let batch = api.get(&format!("/nosqldata?ids={lower},{upper}")).await;
    batch
        .expect(200)
        .expect_members(&[("/items/0/id", json!(upper)), ("/missing", json!([lower]))]);
}

async fn products_that_differ_only_in_case_are_different(api: Api) {
    let unique = api.unique();
    let ids = [format!("cup-{unique}"), format!("Cup-{unique}")];
    let mut products = Vec::new();
    for (id, amount) in ids.iter().zip([100, 7]) {
        products.push(api.put_product(id, amount, "DKK").await.json());
    }
    let batch = api.get(&format!("/nosqldata?ids={}", ids.join(","))).await;
    assert_eq!(batch.expect(200).items(), products);
    // region: mysqldata
    let lines = ids.iter().map(|id| json!({"productId": id, "quantity": 1}));
    let lines: Vec<_> = lines.collect();
    let order = json!({"customer": unique, "lines": lines});
    let placed = api.post("/mysqldata", &order).await.expect(201).json();
    assert_eq!(placed["total"]["amount"], 107);
    let at = placed["createdAt"].as_str().unwrap();
    let summary = format!("/mysqldata/summary?by=product&from={at}");
    let summary = api.get(&summary).await.expect(200).json();
    for product in &products {
        let mut rows = summary["rows"].as_array().unwrap().iter();
        let row = rows.find(|row| row["product"] == product["id"]);
        assert_eq!(row.unwrap()["revenue"], product["price"]);
    }
    // endregion
    api.delete(&format!("/nosqldata/{}", ids[0]))
        .await
        .expect(204);
    api.get(&format!("/nosqldata/{}", ids[1])).await.expect(200);
}
// endregion

// region: mysqldata
async fn id_that_no_order_has_returns_404(api: Api) {
    let paid = json!({"status": "paid"});
    for id in [
        "42",
        "x",
        "01A1A14C",
        "%00",
        "%ff",
        "%C3%A9",
        "01a1a14c-afba-72da-b5b1-00000000000g",
        "00000000-0000-7000-8000-000000000000",
        "01a1a14c-afba-72da-b5b1-000000000000",
    ] {
        let path = format!("/mysqldata/{id}");
        let read = api.get(&path).await;
        read.expect_problem(404, "not-found", NOT_FOUND);
        for condition in [&[][..], &[("if-match", "*")]] {
            let write = api.json(Method::PATCH, &path, condition, &paid).await;
            write.expect_problem(404, "not-found", NOT_FOUND);
        }
        // Errors of the patch are reported first.
        let invalid = api.patch(&path, &json!({})).await;
        invalid.expect_invalid(&[("/status", "is required")]);
    }
}
// endregion

// region: mysqldata nosqldata
async fn id_of_an_order_is_read_in_either_case(api: Api) {
    let placed = api.place_order(1).await;
    let path = format!("/mysqldata/{}", placed.id().to_uppercase());
    assert_eq!(api.get(&path).await.expect(200).id(), placed.id());
    let paid = api.patch(&path, &json!({"status": "paid"})).await;
    assert_eq!(paid.expect(200).id(), placed.id());
}
// endregion
