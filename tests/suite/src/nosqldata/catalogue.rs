//! The life of a product.

use serde_json::{Value, json};
use testbed::Response;
use uuid::Uuid;

use crate::{Api, Case};

const AMOUNT: &str = "must be between 0 and 10000000000";
const CURRENCY: &str = "must be a currency of three capital letters (ISO 4217), such as DKK";
const SET_BY_SERVICE: &str = "is set by the service and may not be sent";

pub fn cases() -> Vec<Case> {
    vec![
        case!(created_product_has_what_was_sent),
        case!(attributes_default_to_an_empty_object),
        case!(put_creates_and_replaces),
        case!(merge_patch_changes_only_the_members_it_contains),
        case!(write_that_changes_nothing_creates_a_version),
        case!(deleted_product_is_gone),
        case!(recreated_product_starts_at_version_1_with_a_new_etag),
        case!(attributes_are_returned_exactly),
        case!(every_error_of_a_product_is_reported),
    ]
}

/// A product with every optional field.
fn mug(api: &Api) -> Value {
    let mut mug = api.product();
    mug["description"] = "Keeps hot.\n\tFits a bottle cage.".into();
    mug["attributes"] = json!({
        "lid": true,
        "volume": {"value": 350, "unit": "ml"},
        "none": null,
        "empty": [],
        "tags": ["a", 1.5],
    });
    mug
}

/// Checks that a product can be read as it was written.
async fn expect_stored(api: &Api, path: &str, written: &Response) {
    let read = api.get(path).await.expect(200);
    assert_eq!(read.body, written.body, "{read}");
    read.expect_header("etag", written.header("etag"));
}

async fn created_product_has_what_was_sent(api: Api) {
    let sent = mug(&api);
    let document = api.get("/openapi.json").await.expect(200).json();
    let members = &document["components"]["schemas"]["ProductContent"]["properties"];
    let names = |object: &Value| {
        object
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&sent), names(members), "a member that is not tested");
    let created = api.post("/nosqldata", &sent).await.expect(201);
    let product = created.json();
    let id: Uuid = created.id().parse().unwrap();
    assert_eq!(id.get_version_num(), 7);
    for (member, value) in sent.as_object().unwrap() {
        assert_eq!(&product[member], value, "{member}");
    }
    assert_eq!(product["version"], 1);
    assert_eq!(product["createdAt"], product["updatedAt"]);
    let etag = created.header("etag");
    assert!(etag.len() > 2 && etag.starts_with('"') && etag.ends_with('"'));
    let path = format!("/nosqldata/{id}");
    expect_stored(&api, &path, &created).await;
    created
        .expect_header("location", &path)
        .expect_header("content-type", "application/json");
}

async fn attributes_default_to_an_empty_object(api: Api) {
    let created = api.create_product().await;
    created.expect_members(&[("/attributes", json!({}))]);
}

async fn put_creates_and_replaces(api: Api) {
    let path = format!("/nosqldata/{}", api.unique());
    let created = api.put(&path, &mug(&api)).await.expect(201);
    assert_eq!(created.json()["version"], 1);
    assert_eq!(created.header("content-location"), path);

    let mut other = api.product();
    other["attributes"] = json!({"colour": "blue", "sizes": [1, 2.5, null]});
    let replaced = api.put(&path, &other).await.expect(200);
    let product = replaced.json();
    assert_eq!(product["version"], 2);
    assert_eq!(product["createdAt"], created.json()["createdAt"]);
    assert_eq!(product["attributes"], other["attributes"]);
    assert_eq!(product.get("description"), None);
    assert_ne!(replaced.header("etag"), created.header("etag"));
    expect_stored(&api, &path, &replaced).await;
    replaced.expect_header("content-location", &path);
}

async fn merge_patch_changes_only_the_members_it_contains(api: Api) {
    let created = api.post("/nosqldata", &mug(&api)).await.expect(201);
    let path = created.header("location");
    let patch = json!({
        "price": {"amount": 1},
        "description": "Of stoneware",
        "attributes": {"lid": null, "volume": {"unit": "l"}, "litres": 0.3, "none": null},
    });
    let patched = api.patch(path, &patch).await.expect(200);
    let product = patched.json();
    assert_eq!(product["version"], 2);
    assert_eq!(product["name"], created.json()["name"]);
    assert_eq!(product["price"], json!({"amount": 1, "currency": "DKK"}));
    assert_eq!(product["description"], "Of stoneware");
    let attributes = json!({
        "volume": {"value": 350, "unit": "l"}, "empty": [], "tags": ["a", 1.5], "litres": 0.3,
    });
    assert_eq!(product["attributes"], attributes);
    expect_stored(&api, path, &patched).await;

    // The other media type of a patch.
    let removal = json!({"description": null});
    let removed = api.json(http::Method::PATCH, path, &[], &removal).await;
    assert_eq!(removed.expect(200).json().get("description"), None);
}

async fn write_that_changes_nothing_creates_a_version(api: Api) {
    let product = api.product();
    let created = api.post("/nosqldata", &product).await.expect(201);
    let path = created.header("location");
    let replaced = api.put(path, &product).await.expect(200);
    let patched = api.patch(path, &json!({})).await.expect(200);
    let versions = [&created, &replaced, &patched].map(|it| it.json()["version"].clone());
    assert_eq!(versions, [1, 2, 3]);
    assert_ne!(created.header("etag"), replaced.header("etag"));
    assert_ne!(replaced.header("etag"), patched.header("etag"));
}

async fn deleted_product_is_gone(api: Api) {
    let created = api.create_product().await;
    let path = created.header("location");
    api.delete(path).await.expect(204).expect_empty();
    let detail = "No resource has this id.";
    let read = api.get(path).await.expect_problem(404, "not-found", detail);
    read.expect_members(&[("/instance", json!(path))]);
    let again = api.delete(path).await;
    again.expect_problem(404, "not-found", detail);
}

async fn recreated_product_starts_at_version_1_with_a_new_etag(api: Api) {
    let path = format!("/nosqldata/{}", api.unique());
    let first = api.put(&path, &mug(&api)).await.expect(201);
    api.delete(&path).await.expect(204);
    let second = api.put(&path, &mug(&api)).await.expect(201);
    assert_eq!(second.json()["version"], 1);
    assert_ne!(second.header("etag"), first.header("etag"));
    second.expect_header("content-location", &path);
}

/// Every number has one spelling, before and after the store.
async fn attributes_are_returned_exactly(api: Api) {
    let path = format!("/nosqldata/{}", api.unique());
    for (sent, returned) in [
        ("{}", "{}"),
        (
            r#"{"a":{"b":[[],{},[{"c":null}]]},"t":true,"f":false}"#,
            r#"{"a":{"b":[[],{},[{"c":null}]]},"f":false,"t":true}"#,
        ),
        (
            r#"{"n":[0,-1,1.50,12345678901234567890123456789012345678,1e125,1e-130,-9.9e-100,0.1]}"#,
            r#"{"n":[0,-1,1.5,12345678901234567890123456789012345678,1e125,1e-130,-9.9e-100,0.1]}"#,
        ),
        (
            r#"{"s":["","\u0000\n\u001f","é😀","\"\\/"],"ключ":1,"a.b":1,"$ref":"x"}"#,
            r#"{"$ref":"x","a.b":1,"s":["","\u0000\n\u001f","é😀","\"\\/"],"ключ":1}"#,
        ),
        (
            r#"{"~":1,"":2,"$serde_json::private::RawValue":"3"}"#,
            r#"{"":2,"$serde_json::private::RawValue":"3","~":1}"#,
        ),
    ] {
        let body = format!(
            r#"{{"name":"n","category":"c","price":{{"amount":0,"currency":"EUR"}},"attributes":{sent}}}"#
        );
        let headers = [("content-type", "application/json")];
        let written = api.send(http::Method::PUT, &path, &headers, body).await;
        let expected = format!(r#""attributes":{returned},"version""#);
        assert!(written.text().contains(&expected), "{expected}: {written}");
        assert!(written.status.is_success(), "{written}");
        expect_stored(&api, &path, &written).await;
    }
}

async fn every_error_of_a_product_is_reported(api: Api) {
    let wrong = json!({
        "id": "x",
        "name": "a\u{7}",
        "category": "c".repeat(65),
        "price": {"amount": 1e13, "currency": "dkk"},
        "attributes": 1,
        "x/y~z": 1,
    });
    let refused = api.post("/nosqldata?verbose=1", &wrong).await;
    refused.expect_invalid(&[
        ("/name", "must have no control characters"),
        ("/category", "must have 1 to 64 characters"),
        ("/price/amount", AMOUNT),
        ("/price/currency", CURRENCY),
        ("/attributes", "must be an object, not a number"),
        ("/id", SET_BY_SERVICE),
        ("/x~1y~0z", "is not a known field"),
        ("verbose", "is not a known parameter"),
    ]);

    let wrong = json!({
        "category": "c", "createdAt": "2026-01-01T00:00:00Z", "id": "mine", "name": "",
        "price": {"amount": -1, "currency": "kr"}, "updatedAt": null, "version": 1,
    });
    let refused = api.post("/nosqldata", &wrong).await;
    refused.expect_invalid(&[
        ("/name", "must have 1 to 200 characters"),
        ("/price/amount", AMOUNT),
        ("/price/currency", CURRENCY),
        ("/createdAt", SET_BY_SERVICE),
        ("/id", SET_BY_SERVICE),
        ("/updatedAt", SET_BY_SERVICE),
        ("/version", SET_BY_SERVICE),
    ]);

    // A patch that no product can take: the members that it lacks are not missing.
    let path = "/nosqldata/none";
    let wrong = json!({
        "version": null, "name": "", "price": {"amount": -1, "vat": 1}, "description": null,
    });
    let refused = api.patch(path, &wrong).await;
    refused.expect_invalid(&[
        ("/version", SET_BY_SERVICE),
        ("/price/vat", "is not a known field"),
        ("/name", "must have 1 to 200 characters"),
        ("/price/amount", AMOUNT),
    ]);

    // Without a product to merge into, the values alone decide.
    let wrong = json!({"name": "", "price": {"amount": -1}});
    let refused = api.patch("/nosqldata/none", &wrong).await;
    refused.expect_invalid(&[
        ("/name", "must have 1 to 200 characters"),
        ("/price/amount", AMOUNT),
    ]);
    let missing = json!({"price": {"amount": 1}});
    let refused = api.patch("/nosqldata/none", &missing).await;
    refused.expect_problem(404, "not-found", "No resource has this id.");

    // The values are checked after merging, unless the request is invalid anyway.
    let wrong = json!({"name": "", "price": {"amount": -1}});
    let refused = api.patch("/nosqldata/none?verbose=1", &wrong).await;
    refused.expect_invalid(&[
        ("verbose", "is not a known parameter"),
        ("/name", "must have 1 to 200 characters"),
        ("/price/amount", AMOUNT),
    ]);
}
