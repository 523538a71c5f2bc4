//! `Idempotency-Key`, which both data services read alike.

use http::Method;
use serde_json::{Value, json};
use testbed::Response;

use crate::{Api, Case};

const MALFORMED: &str = "must be one key of 1 to 255 printable ASCII characters: in double quotes, or without quotes, commas and spaces";

pub fn cases() -> Vec<Case> {
    vec![
        case!(repeated_request_replays_the_response),
        case!(response_is_replayed_after_the_product_is_deleted),
        case!(same_json_in_another_spelling_replays),
        case!(key_with_another_body_returns_422),
        case!(keys_are_compared_byte_by_byte),
        // region: mysqldata
        case!(idempotency_key_is_scoped_to_its_route),
        // endregion
        case!(idempotency_key_of_a_put_is_ignored),
        case!(malformed_key_returns_400),
        case!(repeated_key_returns_400),
        case!(refused_request_leaves_its_key_unused),
    ]
}

/// The lists that resources can be created in, each with a body.
#[allow(
    clippy::unused_async,
    reason = "some bodies need a request, which not every project has"
)]
async fn creations(api: &Api) -> Vec<(&'static str, Value)> {
    vec![
        ("/nosqldata", api.product()),
        // region: mysqldata
        ("/mysqldata", api.order(2).await),
        // endregion
    ]
}

/// Sends a request under a new key, which therefore is no replay.
async fn create(api: &Api, target: &str, key: &str, body: &Value) -> Response {
    let first = api.post_once(target, key, body).await.expect(201);
    assert!(!first.is_replay(), "{key}: {first}");
    first
}

async fn repeated_request_replays_the_response(api: Api) {
    for (target, body) in creations(&api).await {
        let key = api.unique();
        let first = create(&api, target, &key, &body).await;
        // A change of what it was made from changes no stored response.
        if let Some(product) = body.pointer("/lines/0/productId") {
            let product = format!("/nosqldata/{}", product.as_str().unwrap());
            let price = json!({"price": {"amount": 1}});
            api.patch(&product, &price).await.expect(200);
        }
        for key in [key.clone(), format!("\"{key}\""), format!("  {key} ")] {
            api.post_once(target, &key, &body)
                .await
                .expect_replay_of(&first);
        }
    }
}

async fn response_is_replayed_after_the_product_is_deleted(api: Api) {
    let (key, product) = (api.unique(), api.product());
    let first = create(&api, "/nosqldata", &key, &product).await;
    let path = first.header("location");
    api.delete(path).await.expect(204);
    api.post_once("/nosqldata", &key, &product)
        .await
        .expect_replay_of(&first);
    let read = api.get(path).await;
    read.expect_problem(404, "not-found", "No resource has this id.");
}

async fn same_json_in_another_spelling_replays(api: Api) {
    let (key, product) = (api.unique(), api.product());
    let first = create(&api, "/nosqldata", &key, &product).await;
    let name = product["name"].as_str().unwrap().replace('-', "\\u002d");
    let spelt = format!(
        r#" {{"price": {{"currency": "DKK", "amount": 12345.0}}, "category": "{name}", "name": "{name}"}}"#
    );
    let headers = [
        ("content-type", "application/json"),
        ("idempotency-key", &key),
    ];
    let again = api.send(Method::POST, "/nosqldata", &headers, spelt).await;
    again.expect_replay_of(&first);

    // region: mysqldata
    let (key, order) = (api.unique(), api.order(2).await);
    let first = create(&api, "/mysqldata", &key, &order).await;
    let customer = order["customer"].as_str().unwrap();
    let product = order["lines"][0]["productId"].as_str().unwrap();
    let product = product.replace('-', "\\u002d");
    let spelt = format!(
        r#"{{ "lines":[{{"quantity":2.0,"productId":"{product}"}}], "customer":"{customer}" }}"#
    );
    let headers = [
        ("content-type", "application/json"),
        ("idempotency-key", &key),
    ];
    let again = api.send(Method::POST, "/mysqldata", &headers, spelt).await;
    again.expect_replay_of(&first);
    // endregion
}

async fn key_with_another_body_returns_422(api: Api) {
    for (target, body) in creations(&api).await {
        let key = api.unique();
        create(&api, target, &key, &body).await;
        let mut other = body.clone();
        let field = ["name", "customer"]
            .into_iter()
            .find(|field| body.get(field).is_some())
            .unwrap();
        other[field] = "Another".into();
        let refused = api.post_once(target, &key, &other).await;
        refused.expect_invalid(&[(
            "Idempotency-Key",
            "was used with another body: a new request needs a new key",
        )]);
        // Checks that need no store come first.
        other[field] = "".into();
        let refused = api.post_once(target, &key, &other).await;
        refused.expect_invalid(&[(&format!("/{field}"), "must have 1 to 200 characters")]);
    }
}

async fn keys_are_compared_byte_by_byte(api: Api) {
    for (target, body) in creations(&api).await {
        let key = api.unique();
        create(&api, target, &key, &body).await;
        let longest = format!("{key:k<255}");
        for other in [
            &key.to_uppercase(),
            &format!("{key}2"),
            &format!("\" {key}\""),
            &format!("\"{key} \""),
            &format!("\"\\\"{key}\\\"\""),
            &format!("\"{key}, {key}\""),
            &longest,
        ] {
            let created = create(&api, target, other, &body).await;
            api.post_once(target, other, &body)
                .await
                .expect_replay_of(&created);
        }
    }
}

// region: mysqldata
/// The routes are those of two services.
async fn idempotency_key_is_scoped_to_its_route(api: Api) {
    let key = api.unique();
    for (target, body) in creations(&api).await {
        create(&api, target, &key, &body).await;
    }
}
// endregion

async fn idempotency_key_of_a_put_is_ignored(api: Api) {
    let (key, product) = (api.unique(), api.product());
    create(&api, "/nosqldata", &key, &product).await;
    let path = format!("/nosqldata/{}", api.unique());
    for status in [201, 200] {
        let headers = [("idempotency-key", &*key)];
        let put = api.json(Method::PUT, &path, &headers, &product).await;
        assert!(!put.expect(status).is_replay());
    }
}

async fn malformed_key_returns_400(api: Api) {
    let long = "k".repeat(256);
    for (target, body) in creations(&api).await {
        // A gateway joins repeated headers with commas.
        for malformed in [
            "",
            "\"k",
            "k\"",
            "k\"k",
            "a b",
            "\"\"",
            "\"a\"b\"",
            "k1,k2",
            "\"k1\",\"k2\"",
            &long,
        ] {
            // It is reported before what is wrong with the body.
            for body in [&body, &json!({"name": ""})] {
                let refused = api.post_once(target, malformed, body).await;
                refused.expect_malformed(&[("Idempotency-Key", MALFORMED)]);
            }
        }
    }
}

async fn repeated_key_returns_400(api: Api) {
    let key = api.unique();
    let twice = [("idempotency-key", &*key), ("idempotency-key", &key)];
    let product = api.product();
    let refused = api.json(Method::POST, "/nosqldata", &twice, &product).await;
    refused.expect_malformed(&[("Idempotency-Key", MALFORMED)]);
}

async fn refused_request_leaves_its_key_unused(api: Api) {
    let json = ("content-type", "application/json");
    let text = ("content-type", "text/plain");
    for (target, body) in creations(&api).await {
        let key = api.unique();
        for (content_type, body, status) in [
            (json, "{}".to_owned(), 422),
            (json, "{".to_owned(), 400),
            (text, "{}".to_owned(), 415),
            (json, " ".repeat(256 * 1024 + 1), 413),
        ] {
            let headers = [content_type, ("idempotency-key", &key)];
            let refused = api.send(Method::POST, target, &headers, body).await;
            refused.expect(status);
        }
        create(&api, target, &key, &body).await;
    }
    // region: mysqldata
    let (key, mut order) = (api.unique(), api.order(1).await);
    let product = api.unique();
    order["lines"][0]["productId"] = product.as_str().into();
    let refused = api.post_once("/mysqldata", &key, &order).await;
    let detail = "is not a product of the catalogue";
    refused.expect_invalid(&[("/lines/0/productId", detail)]);
    let path = format!("/nosqldata/{product}");
    api.put(&path, &api.product()).await.expect(201);
    create(&api, "/mysqldata", &key, &order).await;
    // endregion
}
