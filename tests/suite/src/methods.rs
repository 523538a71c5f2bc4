//! `HEAD`, `OPTIONS`, and methods that a path does not have.

use std::collections::BTreeMap;

use http::Method;
use testbed::Response;

use crate::{Api, Case, Kind, documents::assets};

/// The methods of a path that can only be read.
const READ: &str = "GET, HEAD, OPTIONS";

/// The methods in the order in which `Allow` lists them.
const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/// What the document must say of the paths that are written to.
const ALLOWED: &[(&str, &str)] = &[
    // region: mysqldata
    ("/mysqldata", "GET, HEAD, POST, OPTIONS"),
    ("/mysqldata/{id}", "GET, HEAD, PATCH, OPTIONS"),
    // endregion
    // region: nosqldata
    ("/nosqldata", "GET, HEAD, POST, OPTIONS"),
    ("/nosqldata/{id}", "GET, HEAD, PUT, PATCH, DELETE, OPTIONS"),
    // endregion
];

const START_API: &str = "returns its own 200 to OPTIONS where the template has a CorsConfiguration";

pub fn cases() -> Vec<Case> {
    vec![
        case!(head_is_get_without_a_body),
        case!(head_reports_the_length_of_get),
        // region: nosqldata
        case!(head_of_a_missing_product_returns_404),
        // endregion
        case!(options_returns_204_with_allow).may_differ(
            &[Kind::StartApi],
            START_API,
            check!(start_api_answers_options),
        ),
        case!(cors_preflight_allows_no_origin)
            .may_differ(
                &[Kind::StartApi],
                START_API,
                check!(start_api_answers_options),
            )
            .may_differ(
                &[Kind::Deployed],
                "returns its own response to a preflight where CorsOrigins allows the origin",
                check!(gateway_allows_the_origin),
            ),
        case!(unsupported_method_returns_405_with_allow),
        case!(unsupported_method_is_reported_before_anything_else),
    ]
}

/// What exists at the paths that have a parameter.
async fn resources(api: &Api) -> BTreeMap<&'static str, String> {
    let page = api.get("/docs").await.expect(200);
    let asset = assets(&page).remove(0);
    BTreeMap::from([
        ("/docs/{asset}", asset),
        ("/problems/{type}", "/problems/not-found".to_owned()),
        // region: nosqldata
        (
            "/nosqldata/{id}",
            api.create_product().await.header("location").to_owned(),
        ),
        // region: mysqldata
        (
            "/mysqldata/{id}",
            api.place_order(1).await.header("location").to_owned(),
        ),
        // endregion
        // endregion
    ])
}

/// Every path of the document, and its methods. A path with a parameter is that of a
/// resource; one without a known resource has cases of its own.
async fn paths(api: &Api) -> Vec<(String, String)> {
    let document = api.get("/openapi.json").await.expect(200).json();
    let mut resources = resources(api).await;
    let mut paths = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        // Every path has these two, and the document leaves them out.
        let has = |method: &str| {
            ["HEAD", "OPTIONS"].contains(&method) || !item[method.to_lowercase()].is_null()
        };
        let methods: Vec<_> = METHODS.into_iter().filter(|method| has(method)).collect();
        let methods = methods.join(", ");
        let allowed = ALLOWED.iter().find(|(of, _)| of == path);
        assert!(
            allowed.is_none_or(|(_, allowed)| *allowed == methods),
            "{path}: {methods}"
        );
        let target = match resources.remove(path.as_str()) {
            None if path.contains('{') => continue,
            resource => resource.unwrap_or_else(|| path.clone()),
        };
        paths.push((target, methods));
    }
    assert!(resources.is_empty(), "{resources:?} are not documented");
    paths
}

async fn head_is_get_without_a_body(api: Api) {
    for (path, _) in paths(&api).await {
        let got = api.get(&path).await.expect(200);
        let mut head = api.send(Method::HEAD, &path, &[], "").await.expect(200);
        for name in ["content-type", "etag", "vary", "cache-control"] {
            head = head.expect_header(name, got.header(name));
        }
        head.expect_empty();
    }
}

async fn head_reports_the_length_of_get(api: Api) {
    for path in ["/", "/problems", "/openapi.yaml", "/health/hello"] {
        let length = api.get(path).await.expect(200).body.len().to_string();
        let head = api.send(Method::HEAD, path, &[], "").await;
        head.expect(200).expect_header("content-length", &length);
    }
}

// region: nosqldata
async fn head_of_a_missing_product_returns_404(api: Api) {
    let path = format!("/nosqldata/{}", api.unique());
    let head = api.send(Method::HEAD, &path, &[], "").await;
    head.expect(404)
        .expect_header("content-type", "application/problem+json")
        .expect_empty();
}
// endregion

async fn options_returns_204_with_allow(api: Api) {
    for (path, allow) in paths(&api).await {
        let options = api.send(Method::OPTIONS, &path, &[], "").await;
        let patches = if allow.contains("PATCH") {
            "application/merge-patch+json, application/json"
        } else {
            ""
        };
        options
            .expect(204)
            .expect_allow(&allow)
            .expect_header("accept-patch", patches)
            .expect_empty();
    }
}

async fn start_api_answers_options(api: Api) {
    for (path, _) in paths(&api).await {
        let options = api.send(Method::OPTIONS, &path, &[], "").await;
        options
            .expect(200)
            .expect_header("allow", "")
            .expect_empty();
    }
}

/// A preflight of this origin (Fetch Standard, "CORS protocol").
async fn preflight(api: &Api, origin: &str) -> Response {
    let headers = [
        ("origin", origin),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "content-type"),
    ];
    api.send(Method::OPTIONS, "/", &headers, "").await
}

const ORIGIN: &str = "https://shop.example";

/// Which origins may call is the gateway's decision, by the deployment's
/// parameters. No function allows another origin anything.
async fn cors_preflight_allows_no_origin(api: Api) {
    let preflight = preflight(&api, ORIGIN).await;
    preflight
        .expect(204)
        .expect_header("access-control-allow-origin", "")
        .expect_empty();
    let got = api.get_with("/", &[("origin", ORIGIN)]).await.expect(200);
    got.expect_header("access-control-allow-origin", "");
}

async fn gateway_allows_the_origin(api: Api) {
    let preflight = preflight(&api, ORIGIN).await.expect(204);
    let allowed = preflight.header("access-control-allow-origin");
    assert!(["*", ORIGIN].contains(&allowed), "{preflight}");
}

async fn unsupported_method_returns_405_with_allow(api: Api) {
    let mut methods = vec!["POST", "PUT", "PATCH", "DELETE"];
    if api.kind() == Kind::Replay {
        // A gateway may refuse these itself.
        methods.extend(["TRACE", "BREW"]);
    }
    for (path, allow) in paths(&api).await {
        for method in methods.iter().filter(|method| !allow.contains(**method)) {
            let refused = api.send(method.parse().unwrap(), &path, &[], "").await;
            refused.expect_method_not_allowed(&allow);
        }
    }
}

async fn unsupported_method_is_reported_before_anything_else(api: Api) {
    let headers = [("if-match", "?"), ("content-type", "application/json")];
    let body = vec![b'{'; 300_000];
    let refused = api.send(Method::PUT, "/health", &headers, body).await;
    refused.expect_method_not_allowed(READ);
}
