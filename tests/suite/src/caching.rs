//! How responses may be cached.

use http::Method;

use crate::{Api, Case};

pub fn cases() -> Vec<Case> {
    vec![
        case!(every_response_says_how_it_may_be_cached),
        case!(every_representation_of_a_list_is_cached_alike),
    ]
}

async fn every_response_says_how_it_may_be_cached(api: Api) {
    let product = api.create_product().await;
    let order = api.place_order(1).await;
    let (path, id) = (product.header("location"), product.id());
    let (public, private) = ("no-cache", "private, no-cache");
    for (path, cache_control) in [
        (path, public),
        ("/nosqldata", public),
        ("/nosqldata?category=coffee", public),
        (&format!("/nosqldata?ids={id}"), public),
        ("/nosqldata?limit=0", public),
        ("/nosqldata/none", public),
        (order.header("location"), private),
        ("/mysqldata", private),
        ("/mysqldata?limit=0", private),
        ("/mysqldata/none", private),
        ("/mysqldata/summary", private),
        ("/health", "no-store"),
        ("/health/hello", "no-store"),
        ("/health/mysqldata", "no-store"),
    ] {
        for method in [Method::GET, Method::HEAD] {
            let response = api.send(method, path, &[], "").await;
            response.expect_header("cache-control", cache_control);
        }
    }
    for (created, cache_control) in [(product, public), (order, private)] {
        let known = [("if-none-match", "*")];
        let known = api.get_with(created.header("location"), &known).await;
        known
            .expect(304)
            .expect_header("cache-control", cache_control);
    }
}

async fn every_representation_of_a_list_is_cached_alike(api: Api) {
    for path in ["/nosqldata", "/mysqldata"] {
        let json = api.get(path).await.expect(200);
        let text = api.get_with(path, &[("accept", "text/plain")]).await;
        text.expect(200)
            .expect_header("cache-control", json.header("cache-control"));
    }
}
