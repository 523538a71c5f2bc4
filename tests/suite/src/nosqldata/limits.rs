//! The limits of docs/limits.md: the largest value is accepted, one more is not.

use http::Method;
use serde_json::{Value, json};
use testbed::Response;

use crate::{Api, Case, Kind};

const JSON: [(&str, &str); 1] = [("content-type", "application/json")];

/// The surfaces whose gateway passes on a path and headers of more than 32 KiB.
const LARGE_REQUEST: &str =
    "has a gateway that refuses a path or headers of more than 32 KiB itself";

pub fn cases() -> Vec<Case> {
    vec![
        case!(member_of_a_product_is_limited),
        case!(attributes_are_limited),
        case!(nesting_of_a_body_is_limited),
        case!(errors_of_a_response_are_limited),
        case!(query_parameter_is_limited),
        case!(path_and_query_are_limited_to_32_kib).may_differ(
            &[Kind::Deployed],
            LARGE_REQUEST,
            check!(gateway_refuses_the_path),
        ),
        case!(headers_are_limited_to_32_kib).may_differ(
            &[Kind::Deployed],
            LARGE_REQUEST,
            check!(gateway_refuses_the_headers),
        ),
    ]
}

/// Sends a product whose `member` is the largest, then one that is too large.
async fn expect_limit(api: &Api, member: &str, [largest, larger]: [Value; 2], rule: &str) {
    let mut product = api.product();
    let pointer = format!("/{member}");
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = product.pointer_mut(parent).unwrap();
    parent[name] = largest;
    api.post("/nosqldata", &product).await.expect(201);
    *product.pointer_mut(&pointer).unwrap() = larger;
    let refused = api.post("/nosqldata", &product).await;
    refused.expect_invalid(&[(&pointer, rule)]);
}

async fn member_of_a_product_is_limited(api: Api) {
    let text = |length: usize| Value::from("é".repeat(length));
    for (member, limit, rule) in [
        ("name", 200, "must have 1 to 200 characters"),
        ("category", 64, "must have 1 to 64 characters"),
        ("description", 2_000, "must have at most 2000 characters"),
    ] {
        expect_limit(&api, member, [text(limit), text(limit + 1)], rule).await;
    }
    let amounts = [10_000_000_000_i64, 10_000_000_001].map(Value::from);
    let rule = "must be between 0 and 10000000000";
    expect_limit(&api, "price/amount", amounts, rule).await;
    for (length, status) in [(64, 201), (65, 404)] {
        let id = format!("{:x<length$}", api.unique());
        let put = api.put(&format!("/nosqldata/{id}"), &api.product()).await;
        put.expect(status);
    }
}

async fn attributes_are_limited(api: Api) {
    let bytes = |count: usize| json!({"a": "x".repeat(count - r#"{"a":""}"#.len())});
    let rule = "must have at most 16384 bytes of compact JSON";
    expect_limit(&api, "attributes", [bytes(16_384), bytes(16_385)], rule).await;

    let levels = |count| (1..count).fold(json!({}), |inner, _| json!({"a": inner}));
    for (count, status) in [(16, 201), (17, 422)] {
        let mut product = api.product();
        product["attributes"] = levels(count);
        let response = api.post("/nosqldata", &product).await.expect(status);
        if status == 422 {
            let pointer = format!("/attributes{}", "/a".repeat(16));
            response.expect_invalid(&[(&pointer, "must nest at most 16 levels")]);
        }
    }

    for (number, status) in [
        ("9".repeat(38), 201),
        ("9".repeat(39), 422),
        ("9.9e125".to_owned(), 201),
        ("1e126".to_owned(), 422),
    ] {
        let body = format!(
            r#"{{"name":"n","category":"c","price":{{"amount":1,"currency":"DKK"}},"attributes":{{"a":{number}}}}}"#
        );
        let response = api.send(Method::POST, "/nosqldata", &JSON, body).await;
        response.expect(status);
    }
}

async fn nesting_of_a_body_is_limited(api: Api) {
    let arrays = |levels: usize| ["[".repeat(levels), "]".repeat(levels)].concat();
    let accepted = api
        .send(Method::POST, "/nosqldata", &JSON, arrays(127))
        .await;
    accepted.expect_invalid(&[("", "must be an object, not an array")]);
    for levels in [128, 100_000] {
        let refused = api
            .send(Method::POST, "/nosqldata", &JSON, arrays(levels))
            .await;
        refused.expect_malformed(&[("", "nests deeper than 127 levels")]);
    }
}

async fn errors_of_a_response_are_limited(api: Api) {
    let mut product = api.product();
    for n in 0..1_003 {
        product[format!("x{n}")] = Value::Null;
    }
    let refused = api.post("/nosqldata", &product).await.expect(422).json();
    let errors = refused["errors"].as_array().unwrap();
    assert_eq!(errors.len(), 1_001);
    assert_eq!(errors[1_000]["detail"], "3 more errors are not listed");
}

async fn query_parameter_is_limited(api: Api) {
    for (list, parameter, limit, rule) in [
        ("/nosqldata", "category", 64, "must have 1 to 64 characters"),
        // region: mysqldata
        (
            "/mysqldata",
            "customer",
            200,
            "must have 1 to 200 characters",
        ),
        // endregion
    ] {
        let get = async |length| {
            let value = "x".repeat(length);
            api.get(&format!("{list}?{parameter}={value}")).await
        };
        get(limit).await.expect(200);
        get(limit + 1).await.expect_invalid(&[(parameter, rule)]);
    }
}

async fn path_and_query_are_limited_to_32_kib(api: Api) {
    for (length, status) in [(32_000, 200), (33_000, 400)] {
        let response = api.get(&format!("/?{}", "x".repeat(length))).await;
        response.expect(status);
    }
    let refused = api.get(&format!("/nosqldata/{}", "x".repeat(33_000))).await;
    refused.expect_malformed(&[("", "has a path and query of more than 32 KiB")]);
}

/// Headers of 5,000 bytes each.
fn large_headers(value: &str) -> [(&'static str, &str); 7] {
    ["a", "b", "c", "d", "e", "f", "g"].map(|name| (name, value))
}

async fn headers_are_limited_to_32_kib(api: Api) {
    let value = "x".repeat(5_000);
    let headers = large_headers(&value);
    api.get_with("/", &headers[..6]).await.expect(200);
    let refused = api.get_with("/nosqldata", &headers).await;
    refused.expect_malformed(&[("", "has headers of more than 32 KiB")]);
}

async fn gateway_refuses_the_path(api: Api) {
    expect_refused(&api.get(&format!("/nosqldata/{}", "x".repeat(33_000))).await);
}

async fn gateway_refuses_the_headers(api: Api) {
    let value = "x".repeat(5_000);
    let headers = large_headers(&value);
    expect_refused(&api.get_with("/nosqldata", &headers).await);
}

/// Checks that the gateway itself refused a request as too large.
fn expect_refused(response: &Response) {
    let refusals = [400, 403, 413, 414, 431];
    assert!(refusals.contains(&response.status.as_u16()), "{response}");
}
