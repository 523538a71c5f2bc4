//! The documentation: its pages, its assets and their compressed forms.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Read,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use brotli_decompressor::Decompressor;
use flate2::read::GzDecoder;
use serde_json::Value;
use sha2::{Digest, Sha256};
use testbed::Response;

use crate::{Api, Case};

/// The most bytes that may be transferred before `/docs` is drawn.
const MOST_BYTES: usize = 1_000_000;

const HTML: [(&str, &str); 1] = [("accept", "text/html")];

pub fn cases() -> Vec<Case> {
    vec![
        case!(document_is_openapi_3_1),
        case!(yaml_has_every_operation_of_the_json),
        case!(pages_load_nothing_from_other_hosts),
        case!(every_form_of_an_asset_is_the_same_content),
        case!(each_content_coding_has_its_own_etag),
        case!(page_of_the_api_loads_within_its_budget),
    ]
}

/// The operations of a document by their ids, each with its path.
fn operations(document: &Value) -> BTreeMap<&str, (&str, &Value)> {
    let mut operations = BTreeMap::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for operation in item.as_object().unwrap().values() {
            let id = operation["operationId"].as_str().expect("an id");
            let other = operations.insert(id, (path.as_str(), operation));
            assert!(other.is_none(), "two operations have the id {id}");
        }
    }
    assert!(!operations.is_empty());
    operations
}

/// Every reference in a part of a document.
fn references(part: &Value) -> Vec<&str> {
    match part {
        Value::Array(items) => items.iter().flat_map(references).collect(),
        Value::Object(members) => {
            let own = members.get("$ref").and_then(Value::as_str);
            let inner = members.values().flat_map(references);
            own.into_iter().chain(inner).collect()
        }
        _ => Vec::new(),
    }
}

/// What the specification requires of a document that has paths (OpenAPI 3.1, 4.8).
async fn document_is_openapi_3_1(api: Api) {
    let document = api.get("/openapi.json").await.expect(200);
    let document = document.expect_header("content-type", "application/json");
    let document = document.json();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1."));
    for member in ["title", "version"] {
        assert!(document["info"][member].is_string(), "{member}");
    }
    for (id, (path, operation)) in operations(&document) {
        let responses = operation["responses"].as_object().expect(id);
        assert!(!responses.is_empty(), "{id} has no response");
        let parameters = operation["parameters"].as_array();
        let in_path = parameters.into_iter().flatten().filter_map(|parameter| {
            let reference = parameter["$ref"].as_str().unwrap_or("#");
            let parameter = match &reference[1..] {
                "" => parameter,
                pointer => document.pointer(pointer)?,
            };
            (parameter["in"] == "path").then(|| parameter["name"].as_str())?
        });
        let names = path.split(['{', '}']).skip(1).step_by(2);
        assert!(in_path.eq(names), "{id} describes other names than {path}");
    }
    for reference in references(&document) {
        let pointer = reference.strip_prefix('#').expect("a reference within");
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
}

async fn yaml_has_every_operation_of_the_json(api: Api) {
    let document = api.get("/openapi.json").await.expect(200).json();
    let yaml = api.get("/openapi.yaml").await.expect(200);
    let yaml = yaml.expect_header("content-type", "application/yaml");
    assert!(yaml.text().starts_with("openapi: "), "{yaml}");
    let lines: BTreeSet<_> = yaml.text().lines().map(str::trim).collect();
    for id in operations(&document).keys() {
        let line = format!("operationId: {id}");
        assert!(lines.contains(&*line), "{line}");
    }
}

/// The files that a page loads.
#[track_caller]
pub fn assets(page: &Response) -> Vec<String> {
    let quoted = page.text().split('"').filter(|it| it.starts_with("/docs/"));
    let assets: Vec<_> = quoted.map(str::to_owned).collect();
    assert!(!assets.is_empty(), "it loads no asset: {page}");
    assets
}

async fn pages_load_nothing_from_other_hosts(api: Api) {
    for path in [
        "/",
        "/architecture",
        "/docs",
        "/redoc",
        "/problems",
        "/problems/not-found",
    ] {
        let page = api.get_with(path, &HTML).await.expect(200);
        let policy = page.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'"), "{path}: {policy}");
        for loose in ["unsafe", "http"] {
            assert!(!policy.contains(loose), "{path}: {policy}");
        }
        for foreign in ["src=\"http", "href=\"http", "//", "style="] {
            assert!(!page.text().contains(foreign), "{path} has {foreign}");
        }
        // The policy allows a style in the page by its hash.
        for style in page.text().split("<style>").skip(1) {
            let style = style.split("</style>").next().unwrap_or_default();
            let hash = STANDARD.encode(Sha256::digest(style));
            assert!(
                policy.contains(&format!("'sha256-{hash}'")),
                "{path}: {policy}"
            );
        }
        page.expect_header("content-type", "text/html; charset=utf-8");
    }
}

/// The files that a browser loads before it renders a page of the API.
async fn loaded(api: &Api, page: &str) -> Vec<String> {
    let mut paths = assets(&api.get(page).await.expect(200));
    paths.extend([page.to_owned(), "/openapi.json".to_owned()]);
    assert!(paths.len() >= 3, "{}", paths.join(" "));
    paths
}

/// The files of all pages of the API.
async fn files(api: &Api) -> BTreeSet<String> {
    let mut files = BTreeSet::new();
    for page in ["/docs", "/redoc"] {
        files.extend(loaded(api, page).await);
    }
    files
}

/// The largest shows whether a gateway truncates a response.
async fn every_form_of_an_asset_is_the_same_content(api: Api) {
    let mut largest = 0;
    for path in files(&api).await {
        let plain = api.get(&path).await.expect(200);
        let plain = plain.expect_header("content-encoding", "");
        largest = largest.max(plain.body.len());
        for coding in ["br", "gzip"] {
            let coded = api.get_with(&path, &[("accept-encoding", coding)]).await;
            let coded = coded.expect(200).expect_header("content-encoding", coding);
            let mut whole = Vec::new();
            let body = &coded.body[..];
            let decoded = match coding {
                "br" => Decompressor::new(body, 4096).read_to_end(&mut whole),
                _ => GzDecoder::new(body).read_to_end(&mut whole),
            };
            assert!(decoded.is_ok() && whole == plain.body, "{path}: {coding}");
            coded.expect_header("content-type", plain.header("content-type"));
        }
        // The former name of gzip.
        let former = api.get_with(&path, &[("accept-encoding", "X-Gzip")]).await;
        former.expect(200).expect_header("content-encoding", "gzip");
    }
    assert!(largest > 500_000, "{largest} bytes");
}

async fn each_content_coding_has_its_own_etag(api: Api) {
    for path in files(&api).await {
        let cached = if path.starts_with("/docs/") {
            "public, max-age=31536000, immutable"
        } else {
            "no-cache"
        };
        let mut etags = BTreeSet::new();
        let mut brotli = String::new();
        let codings = ["identity", "gzip", "gzip, deflate, br"];
        for accepted in codings.map(|it| ("accept-encoding", it)) {
            let form = api.get_with(&path, &[accepted]).await.expect(200);
            let form = form
                .expect_header("vary", "Accept-Encoding")
                .expect_header("x-content-type-options", "nosniff")
                .expect_header("cache-control", cached);
            let etag = form.header("etag");
            let known = [accepted, ("if-none-match", etag)];
            let known = api.get_with(&path, &known).await.expect(304);
            known
                .expect_header("etag", etag)
                .expect_header("cache-control", cached)
                .expect_empty();
            etag.clone_into(&mut brotli);
            etags.insert(brotli.clone());
        }
        assert_eq!(etags.len(), codings.len(), "{path}");
        let brotli = [("if-none-match", brotli.as_str())];
        api.get_with(&path, &brotli).await.expect(200);
    }
}

async fn page_of_the_api_loads_within_its_budget(api: Api) {
    let mut transferred = 0;
    for path in loaded(&api, "/docs").await {
        let headers = [("accept-encoding", "gzip, deflate, br")];
        let form = api.get_with(&path, &headers).await.expect(200);
        transferred += form.body.len();
    }
    assert!(transferred <= MOST_BYTES, "{transferred} bytes");
}
