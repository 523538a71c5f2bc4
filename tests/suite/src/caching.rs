//! How responses may be cached.

use http::Method;
// region: nosqldata
use serde_json::json;
// endregion

use crate::{Api, Case};

pub fn cases() -> Vec<Case> {
    vec![
        // region: nosqldata
        case!(every_response_has_cache_control),
        case!(every_response_to_a_write_has_cache_control),
        // endregion
        case!(health_is_never_stored),
    ]
}

// region: nosqldata
async fn every_response_has_cache_control(api: Api) {
    let product = api.create_product().await;
    // region: mysqldata
    let order = api.place_order(1).await;
    // endregion
    let (path, id) = (product.header("location"), product.id());
    let public = "no-cache";
    // region: mysqldata
    let private = "private, no-cache";
    // endregion
    for (path, status, cache_control) in [
        (path, 200, public),
        ("/nosqldata", 200, public),
        ("/nosqldata?category=coffee", 200, public),
        (&format!("/nosqldata?ids={id}"), 200, public),
        ("/nosqldata?limit=0", 422, public),
        ("/nosqldata/none", 404, public),
        // region: mysqldata
        (order.header("location"), 200, private),
        ("/mysqldata", 200, private),
        ("/mysqldata?limit=0", 422, private),
        ("/mysqldata/none", 404, private),
        ("/mysqldata/summary", 200, private),
        // endregion
    ] {
        for (method, media_type) in [
            (Method::GET, "application/json"),
            (Method::HEAD, "application/json"),
            (Method::GET, "text/plain"),
        ] {
            let accept = [("accept", media_type)];
            let response = api.send(method, path, &accept, "").await;
            response
                .expect(status)
                .expect_header("cache-control", cache_control);
        }
    }
    for (created, cache_control) in [
        (&product, public),
        // region: mysqldata
        (&order, private),
        // endregion
    ] {
        let known = [("if-none-match", "*")];
        let known = api.get_with(created.header("location"), &known).await;
        known
            .expect(304)
            .expect_header("cache-control", cache_control);
    }
}
// endregion

// region: nosqldata
async fn every_response_to_a_write_has_cache_control(api: Api) {
    let body = api.product();
    let path = format!("/nosqldata/{}", api.unique());
    let nothing = json!({});
    for (method, target, body, status) in [
        (Method::POST, "/nosqldata", &body, 201),
        (Method::POST, "/nosqldata", &nothing, 422),
        (Method::PUT, &path, &body, 201),
        (Method::PUT, &path, &body, 200),
        (Method::PATCH, &path, &nothing, 200),
        (Method::DELETE, &path, &nothing, 204),
        (Method::DELETE, &path, &nothing, 404),
    ] {
        let written = api.json(method, target, &[], body).await.expect(status);
        written.expect_header("cache-control", "no-cache");
    }
    // region: mysqldata
    let order = api.order(1).await;
    let key = api.unique();
    for _ in 0..2 {
        let placed = api.post_once("/mysqldata", &key, &order).await.expect(201);
        let placed = placed.expect_header("cache-control", "private, no-cache");
        let path = placed.header("location");
        for (status, code) in [("placed", 409), ("lost", 422)] {
            let changed = api.patch(path, &json!({"status": status})).await;
            changed
                .expect(code)
                .expect_header("cache-control", "private, no-cache");
        }
    }
    let path = format!("/mysqldata/{}", api.place_order(1).await.id());
    let paid = api.patch(&path, &json!({"status": "paid"})).await;
    paid.expect(200)
        .expect_header("cache-control", "private, no-cache");
    // endregion
}
// endregion

async fn health_is_never_stored(api: Api) {
    for path in ["/health", "/health/hello", "/health/health"] {
        for (method, status) in [
            (Method::GET, 200),
            (Method::HEAD, 200),
            (Method::DELETE, 405),
        ] {
            let response = api.send(method, path, &[], "").await.expect(status);
            response.expect_header("cache-control", "no-store");
        }
    }
}
