//! `If-Match` and `If-None-Match`, of reads and of writes.

use http::Method;
use serde_json::{Value, json};
use testbed::Response;

use crate::{Api, Case};

const STALE: &str =
    "The resource is not in a state that If-Match or If-None-Match allows. Nothing has changed.";
const NOT_FOUND: &str = "No resource has this id.";
const MALFORMED: &str = "must be * or a list of entity tags in double quotes, such as \"abc\"";

pub fn cases() -> Vec<Case> {
    vec![
        case!(known_representation_returns_304),
        case!(read_with_another_if_match_returns_412),
        case!(condition_on_a_missing_product_is_checked),
        case!(stale_write_returns_412_and_changes_nothing),
        case!(write_with_a_matching_etag_succeeds),
        case!(condition_may_list_any_number_of_tags),
        case!(malformed_condition_returns_400),
    ]
}

async fn known_representation_returns_304(api: Api) {
    for created in [
        api.create_product().await,
        // region: mysqldata
        api.place_order(1).await,
        // endregion
    ] {
        let path = created.header("location");
        let etag = created.header("etag");
        for known in [
            etag,
            &format!("\"other\", W/{etag}"),
            &format!("W/{etag}, \"x\""),
            "*",
        ] {
            let read = api.get_with(path, &[("if-none-match", known)]).await;
            read.expect(304).expect_header("etag", etag).expect_empty();
        }
        let other = [("if-none-match", "\"other\"")];
        api.get_with(path, &other).await.expect(200);
    }
}

async fn read_with_another_if_match_returns_412(api: Api) {
    let created = api.create_product().await;
    let headers = [("if-match", "\"x\"")];
    let refused = api.get_with(created.header("location"), &headers).await;
    refused.expect_problem(412, "precondition-failed", STALE);
}

async fn condition_on_a_missing_product_is_checked(api: Api) {
    let path = format!("/nosqldata/{}", api.unique());
    let product = api.product();
    for etag in ["*", "\"x\""] {
        let condition = [("if-match", etag)];
        let put = api.json(Method::PUT, &path, &condition, &product).await;
        put.expect_problem(412, "precondition-failed", STALE);
    }
    for method in [Method::PATCH, Method::DELETE] {
        let condition = [("if-match", "\"x\"")];
        let write = api.json(method, &path, &condition, &json!({})).await;
        write.expect_problem(404, "not-found", NOT_FOUND);
    }
    let read = api.get(&path).await;
    read.expect_problem(404, "not-found", NOT_FOUND);
    let condition = [("if-none-match", "*")];
    let put = api.json(Method::PUT, &path, &condition, &product).await;
    put.expect(201);
}

async fn stale_write_returns_412_and_changes_nothing(api: Api) {
    let product = api.product();
    let created = api.create_product().await;
    let path = created.header("location");
    let etag = created.header("etag");
    let weak = format!("W/{etag}");
    for condition in [
        ("if-none-match", "*"),
        ("if-none-match", etag),
        ("if-match", "\"x\""),
        ("if-match", &weak),
    ] {
        for (method, body) in [
            (Method::PUT, &product),
            // The merged result would be invalid, but 412 takes precedence.
            (Method::PATCH, &json!({"name": ""})),
            (Method::DELETE, &json!({})),
        ] {
            let refused = api.json(method, path, &[condition], body).await;
            refused.expect_problem(412, "precondition-failed", STALE);
        }
    }
    let read = api.get(path).await.expect(200);
    assert_eq!(read.body, created.body);
    read.expect_header("etag", etag);
}

async fn write_with_a_matching_etag_succeeds(api: Api) {
    let product = api.product();
    let created = api.create_product().await;
    let path = created.header("location");
    let send = async |method, etag: &str, body: &Value| {
        api.json(method, path, &[("if-match", etag)], body).await
    };
    let nothing = json!({});
    let list = format!("\"other\", {}", created.header("etag"));
    let replaced = send(Method::PUT, &list, &product).await.expect(200);
    let patched = send(Method::PATCH, "*", &nothing).await.expect(200);
    assert_eq!(patched.json()["version"], 3);
    for stale in [created.header("etag"), replaced.header("etag")] {
        let refused = send(Method::PUT, stale, &product).await;
        refused.expect_problem(412, "precondition-failed", STALE);
    }
    let deleted = send(Method::DELETE, patched.header("etag"), &nothing).await;
    deleted.expect(204);
}

/// More than `DynamoDB` compares at once, in number or in length.
async fn condition_may_list_any_number_of_tags(api: Api) {
    let product = api.product();
    let nothing = json!({});
    for count in [51, 101, 1_000] {
        let path = format!("/nosqldata/{}", api.unique());
        let others: Vec<_> = (0..count).map(|n| format!("\"{n}\"")).collect();
        let others = others.join(",");
        let with = |written: &Response| format!("{others},{}", written.header("etag"));
        let send = async |method, name: &str, tags: &str, body: &Value| {
            api.json(method, &path, &[(name, tags)], body).await
        };
        let refused = send(Method::PUT, "if-match", &others, &product).await;
        refused.expect_problem(412, "precondition-failed", STALE);
        let refused = send(Method::DELETE, "if-match", &others, &nothing).await;
        refused.expect_problem(404, "not-found", NOT_FOUND);
        let created = send(Method::PUT, "if-none-match", &others, &product).await;
        let list = with(&created.expect(201));

        for (name, tags, status) in [
            ("if-none-match", &list, 304),
            ("if-none-match", &others, 200),
            ("if-match", &list, 200),
            ("if-match", &others, 412),
        ] {
            api.get_with(&path, &[(name, tags)]).await.expect(status);
        }
        for (name, stale) in [("if-match", &others), ("if-none-match", &list)] {
            for (method, body) in [
                (Method::PUT, &product),
                (Method::PATCH, &nothing),
                (Method::DELETE, &nothing),
            ] {
                let refused = send(method, name, stale, body).await;
                refused.expect_problem(412, "precondition-failed", STALE);
            }
        }
        assert_eq!(api.get(&path).await.expect(200).json()["version"], 1);

        let replaced = send(Method::PUT, "if-match", &list, &product).await;
        let list = with(&replaced.expect(200));
        let patched = send(Method::PATCH, "if-match", &list, &nothing).await;
        let list = with(&patched.expect(200));
        let replaced = send(Method::PUT, "if-none-match", &others, &product).await;
        assert_eq!(replaced.expect(200).json()["version"], 4);
        let refused = send(Method::DELETE, "if-match", &list, &nothing).await;
        refused.expect_problem(412, "precondition-failed", STALE);
        let deleted = send(Method::DELETE, "if-none-match", &list, &nothing).await;
        deleted.expect(204);
    }
}

async fn malformed_condition_returns_400(api: Api) {
    let created = api.create_product().await;
    let path = created.header("location");
    for (header, name) in [("if-match", "If-Match"), ("if-none-match", "If-None-Match")] {
        for malformed in ["", "x", "\"x", "*, \"x\"", "\"a\" \"b\""] {
            let condition = [(header, malformed)];
            let write = api.json(Method::PUT, path, &condition, &json!({})).await;
            write.expect_malformed(&[(name, MALFORMED)]);
            let read = api.get_with(path, &condition).await;
            read.expect_malformed(&[(name, MALFORMED)]);
        }
    }
}
