//! The documentation: that the document is of this API, and that what shows it
//! arrives as it should.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{Method, Request};
use serde_json::Value;
use tests::{System, event};

/// The most bytes on the wire before `/docs` is drawn.
const FIRST_PAINT: usize = 1_000_000;

const BROTLI: [(&str, &str); 1] = [("accept-encoding", "gzip, deflate, br")];

#[tokio::test]
async fn the_document_has_the_paths_and_methods_of_the_routers() {
    let system = System::start().await;
    let document = system.client.get("/openapi.json").await.expect(200).json();
    let mut documented = BTreeMap::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let methods = item
            .as_object()
            .unwrap()
            .keys()
            .map(|method| method.to_uppercase());
        let mut methods: Vec<_> = methods.collect();
        // The chassis adds these two; the document says so once, for all.
        methods.extend(["HEAD".to_owned(), "OPTIONS".to_owned()]);
        methods.sort();
        documented.insert(path.clone(), methods);
    }
    let mut routed = BTreeMap::new();
    for path in tests::routes().await.into_keys() {
        let there = path.replace(['{', '}'], "");
        let options = system
            .client
            .send(Method::OPTIONS, &there, &[], "")
            .await
            .expect(204);
        let allow = options.header("allow").split(", ").map(str::to_owned);
        let mut methods: Vec<_> = allow.collect();
        methods.sort();
        routed.insert(path, methods);
    }
    assert_eq!(
        documented, routed,
        "left: the document, right: the routers; describe the operation beside its handler, name it \
         in the openapi.rs of its function and run `cargo xtask openapi`"
    );
    system.stop().await;
}

#[tokio::test]
async fn limits_of_the_document_are_those_of_the_lists() {
    let system = System::start().await;
    let client = &system.client;
    let document = client.get("/openapi.json").await.expect(200).json();
    for path in ["/nosqldata", "/mysqldata"] {
        let operation = &document["paths"][path]["get"];
        let parameters = operation["parameters"].as_array().unwrap();
        let limit = parameters.iter().find(|it| it["name"] == "limit").unwrap();
        let bound = |name: &str| limit["schema"][name].as_i64().unwrap();
        let (least, most) = (bound("minimum"), bound("maximum"));
        for (limit, status) in [(least - 1, 422), (least, 200), (most, 200), (most + 1, 422)] {
            let page = client.get(&format!("{path}?limit={limit}")).await;
            assert_eq!(page.status, status, "{path}: {limit}");
        }
    }
    system.stop().await;
}

/// What a browser loads before it draws `/docs`.
fn loaded(page: &str) -> Vec<String> {
    let quoted = page.split(['"']).filter(|part| part.starts_with("/docs/"));
    let mut paths: Vec<_> = quoted.map(str::to_owned).collect();
    paths.extend(["/docs".to_owned(), "/openapi.json".to_owned()]);
    paths
}

#[tokio::test]
async fn every_form_of_an_asset_arrives_whole_and_is_sent_once() {
    let system = System::start().await;
    let client = &system.client;
    let page = client.get("/docs").await.expect(200);
    let mut wire = 0;
    let paths = loaded(page.text());
    assert!(paths.len() >= 6, "{paths:?}");
    for path in &paths {
        let plain = client.get(path).await.expect(200);
        assert_eq!(plain.header("content-encoding"), "");
        let brotli = client.get_with(path, &BROTLI).await.expect(200);
        assert_eq!(brotli.header("content-encoding"), "br", "{path}");
        wire += brotli.body.len();
        let mut whole = Vec::new();
        let mut reader = brotli_decompressor::Decompressor::new(&brotli.body[..], 4096);
        std::io::Read::read_to_end(&mut reader, &mut whole).unwrap();
        assert!(whole == plain.body, "{path}");
        let gzip = client
            .get_with(path, &[("accept-encoding", "gzip")])
            .await
            .expect(200);
        assert_eq!(gzip.body[..2], [0x1f, 0x8b], "{path}");
        let former = client
            .get_with(path, &[("accept-encoding", "X-Gzip")])
            .await;
        assert_eq!(former.header("content-encoding"), "gzip", "{path}");
        assert_eq!(former.body, gzip.body, "{path}");
        assert_eq!(gzip.header("content-type"), plain.header("content-type"));

        let tags = [&plain, &brotli, &gzip].map(|form| form.header("etag").to_owned());
        assert!(
            tags[0] != tags[1] && tags[1] != tags[2] && tags[0] != tags[2],
            "{tags:?}"
        );
        for response in [&plain, &brotli, &gzip] {
            assert_eq!(response.header("vary"), "Accept-Encoding");
            assert_eq!(response.header("x-content-type-options"), "nosniff");
            let kept = if path.starts_with("/docs/") {
                "public, max-age=31536000, immutable"
            } else {
                "no-cache"
            };
            assert_eq!(response.header("cache-control"), kept, "{path}");
        }
        let again = [BROTLI[0], ("if-none-match", tags[1].as_str())];
        let same = client.get_with(path, &again).await.expect(304);
        assert!(same.body.is_empty());
        assert_eq!(same.header("etag"), tags[1]);
        client
            .get_with(path, &[("if-none-match", tags[1].as_str())])
            .await
            .expect(200);
    }
    println!("{wire} bytes before /docs is drawn");
    assert!(wire <= FIRST_PAINT, "{wire} bytes before /docs is drawn");
    system.stop().await;
}

#[tokio::test]
async fn a_compressed_body_leaves_the_function_in_base64() {
    let system = System::start().await;
    let request = Request::get("/openapi.json").header("accept-encoding", "br");
    let answer = system
        .invoke("docs", &event::of(&request.body(Bytes::new()).unwrap()))
        .await;
    assert_eq!(answer["isBase64Encoded"], true);
    assert!(STANDARD.decode(answer["body"].as_str().unwrap()).is_ok());
    // API Gateway takes 10 MB, Lambda 6 MB of an answer.
    assert!(answer.to_string().len() < 6_000_000);
    system.stop().await;
}

#[tokio::test]
async fn no_page_may_load_anything_from_elsewhere() {
    let system = System::start().await;
    for path in [
        "/architecture",
        "/docs",
        "/redoc",
        "/problems",
        "/problems/not-found",
    ] {
        let page = system
            .client
            .get_with(path, &[("accept", "text/html")])
            .await
            .expect(200);
        assert!(
            page.header("content-type").starts_with("text/html"),
            "{path}"
        );
        let policy = page.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'"), "{path}: {policy}");
        assert!(
            !policy.contains("unsafe") && !policy.contains("http"),
            "{path}: {policy}"
        );
        for elsewhere in ["src=\"http", "href=\"http", "//"] {
            assert!(!page.text().contains(elsewhere), "{path} has {elsewhere}");
        }
        assert!(
            !page.text().contains("<style") && !page.text().contains("style="),
            "{path}"
        );
    }
    system.stop().await;
}

#[tokio::test]
async fn every_type_of_a_problem_leads_to_its_page() {
    let system = System::start().await;
    let problem = system.client.get("/nosqldata?limit=0").await.problem(422);
    let page = system
        .client
        .get(problem["type"].as_str().unwrap())
        .await
        .expect(200)
        .json();
    assert_eq!(page["title"], problem["title"]);
    let list = system.client.get("/problems").await.expect(200).json();
    let items: &Vec<Value> = list["items"].as_array().unwrap();
    assert_eq!(items.len(), dto::problem::ProblemType::ALL.len());
    for item in items {
        let one = system
            .client
            .get(item["type"].as_str().unwrap())
            .await
            .expect(200);
        assert_eq!(one.json(), *item);
    }
    system.client.get("/problems/teapot").await.problem(404);
    system.stop().await;
}
