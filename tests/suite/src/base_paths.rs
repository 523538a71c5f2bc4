//! Stages and base paths, which the paths of clients have and no route has.

use serde_json::json;
use testbed::BASE_PATH;

use crate::{Api, Case, Kind};

const STAGE: &str = "/prod";

/// The surfaces whose gateway is not the testbed's.
const ELSEWHERE: &[Kind] = &[Kind::Watch, Kind::StartApi, Kind::Deployed];

pub fn cases() -> Vec<Case> {
    vec![
        case!(named_stage_is_in_every_link).differs(
            ELSEWHERE,
            "serves the stage $default alone, which has no name in the path",
            check!(named_stage_is_an_unknown_path),
        ),
        case!(base_path_is_in_every_link).differs(
            ELSEWHERE,
            "has no custom domain, so the base path is an unknown path",
            check!(base_path_is_an_unknown_path),
        ),
        // region: nosqldata
        case!(replayed_response_has_the_prefix_of_its_own_request).differs(
            ELSEWHERE,
            "serves the stage $default alone, which has no name in the path",
            check!(named_stage_is_an_unknown_path),
        ),
        // endregion
    ]
}

async fn named_stage_is_in_every_link(api: Api) {
    expect_in_every_link(&api, STAGE).await;
}

async fn base_path_is_in_every_link(api: Api) {
    expect_in_every_link(&api, BASE_PATH).await;
}

async fn named_stage_is_an_unknown_path(api: Api) {
    expect_unknown(&api, STAGE).await;
}

async fn base_path_is_an_unknown_path(api: Api) {
    expect_unknown(&api, BASE_PATH).await;
}

/// Checks that the gateway itself refuses the path.
async fn expect_unknown(api: &Api, prefix: &str) {
    let refused = api.get(&format!("{prefix}/health/hello")).await;
    assert!([403, 404].contains(&refused.status.as_u16()), "{refused}");
}

async fn expect_in_every_link(api: &Api, prefix: &str) {
    let under = |path: &str| format!("{prefix}{path}");
    // region: nosqldata
    let product = api.product();
    let created = api.post(&under("/nosqldata"), &product).await.expect(201);
    let path = under(&format!("/nosqldata/{}", created.id()));
    assert_eq!(created.header("location"), path);
    let read = api.get(&path).await.expect(200);
    assert_eq!(read.body, created.body);
    let put = api.put(&path, &product).await.expect(200);
    put.expect_header("content-location", &path);
    // region: mysqldata
    let line = json!({"productId": created.id(), "quantity": 1});
    let order = json!({"customer": api.unique(), "lines": [line]});
    let placed = api.post(&under("/mysqldata"), &order).await.expect(201);
    let path = under(&format!("/mysqldata/{}", placed.id()));
    placed.expect_header("location", &path);
    // endregion
    // endregion

    for path in [
        "/problems/no-such",
        // region: nosqldata
        "/nosqldata/no-such",
        "/nosqldata/a%2Fb",
        // endregion
    ] {
        let refused = api.get(&under(path)).await.expect(404);
        let problem = refused.json();
        assert_eq!(problem["instance"], under(&path.replace("%2F", "/")));
        let kind = problem["type"].as_str().unwrap();
        assert!(kind.starts_with(&under("/problems/")), "{refused}");
        let explained = api.get(kind).await.expect(200);
        explained.expect_members(&[("/type", json!(kind))]);
    }

    for path in [
        "/",
        "/docs",
        "/redoc",
        "/problems",
        "/problems/conflict",
        "/architecture",
    ] {
        let page = api.get_with(&under(path), &[("accept", "text/html")]).await;
        let page = page.expect(200);
        let values = page.text().split("=\"").skip(1);
        let links = values.filter_map(|value| value.split('"').next());
        let links: Vec<_> = links.filter(|link| link.starts_with('/')).collect();
        assert!(links.len() > 3, "{page}");
        for link in links {
            assert!(link.starts_with(prefix), "{path} links to {link}");
            api.get(link).await.expect(200);
        }
    }

    // A relative server URL, which is resolved against the document's own.
    let document = api.get(&under("/openapi.json")).await.expect(200);
    document.expect_members(&[("/servers/0/url", json!("."))]);
}

// region: nosqldata
/// A stored response has no prefix: the same API may have several.
async fn replayed_response_has_the_prefix_of_its_own_request(api: Api) {
    for (path, body) in [
        ("/nosqldata", api.product()),
        // region: mysqldata
        ("/mysqldata", api.order(1).await),
        // endregion
    ] {
        let key = api.unique();
        let first = api.post_once(path, &key, &body).await.expect(201);
        for prefix in [STAGE, "", BASE_PATH] {
            let target = format!("{prefix}{path}");
            let replayed = api.post_once(&target, &key, &body).await.expect(201);
            assert!(replayed.is_replay());
            assert_eq!(replayed.body, first.body);
            let location = format!("{target}/{}", first.id());
            assert_eq!(replayed.header("location"), location);
            api.get(&location).await.expect(200);
        }
    }
}
// endregion
