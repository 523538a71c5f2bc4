//! Bodies: Unicode, binary ones, none, and large ones.

use http::Method;
use serde_json::json;
use testbed::{LISTS, Response};

use crate::{Api, Case, Kind};

const JSON: [(&str, &str); 1] = [("content-type", "application/json")];

/// The most bytes that a body may have.
const MOST_BYTES: usize = 256 * 1024;

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\x00\xff\xfe";

/// `{}`.
const GZIP: &[u8] =
    b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xab\xae\x05\x00\x43\xbf\xa6\xa3\x02\x00\x00\x00";

const NOT_UTF8: &[u8] = b"{\"name\":\"\xff\xfe\"}";

const NOT_UTF8_DETAIL: &str = "is not JSON: Invalid UTF-8: invalid utf-8 sequence of 1 bytes from index 0 at line 1 column 10";

const START_API: &str = "returns its own 502 for a body that is not UTF-8";

pub fn cases() -> Vec<Case> {
    vec![
        case!(unicode_is_stored_as_it_is_and_escaped),
        case!(empty_body_returns_400),
        case!(malformed_json_returns_400),
        case!(body_without_a_media_type_returns_415),
        case!(body_of_another_media_type_returns_415),
        case!(parameters_of_a_media_type_are_parsed_with_their_quoting),
        case!(unsupported_media_type_is_named),
        case!(binary_body_returns_415).differs(
            &[Kind::StartApi],
            START_API,
            check!(start_api_refuses_the_body),
        ),
        case!(binary_body_sent_as_text_is_refused).differs(
            &[Kind::StartApi],
            START_API,
            check!(start_api_refuses_the_body),
        ),
        case!(patch_that_is_not_utf8_returns_400).differs(
            &[Kind::StartApi],
            START_API,
            check!(start_api_refuses_the_body),
        ),
        case!(body_of_256_kib_is_read),
        case!(larger_body_returns_413),
        case!(first_of_413_415_400_422_and_404_is_reported),
        case!(body_of_a_get_is_ignored),
    ]
}

/// `POST /nosqldata` of a body of this media type.
async fn post(api: &Api, media_type: &str, body: impl Into<bytes::Bytes>) -> Response {
    let headers = [("content-type", media_type)];
    api.send(Method::POST, "/nosqldata", &headers, body).await
}

#[track_caller]
fn expect_unsupported(response: Response) -> Response {
    let detail = "The body must be application/json, in UTF-8 and without a content coding.";
    response.expect_problem(415, "unsupported-media-type", detail)
}

async fn unicode_is_stored_as_it_is_and_escaped(api: Api) {
    let name = "Tasse à café — 日本語のカップ 🫖 \u{202e}\u{feff}e\u{301}";
    let mut product = api.product();
    product["name"] = name.into();
    product["attributes"] = json!({"ключ": "значение", "": "\u{10ffff}", "nul": "\u{0}"});
    let created = api.post("/nosqldata", &product).await.expect(201);
    let path = created.header("location").to_owned();
    assert_eq!(api.get(&path).await.body, created.body);
    created.expect_members(&[
        ("/name", json!(name)),
        ("/attributes", product["attributes"].clone()),
    ]);
    let escapes = r#"{"name":"caf\u00e9 \ud83e\uded6"}"#;
    let patched = api.send(Method::PATCH, &path, &JSON, escapes).await;
    patched
        .expect(200)
        .expect_members(&[("/name", json!("café 🫖"))]);
}

async fn empty_body_returns_400(api: Api) {
    for list in LISTS {
        let refused = api.send(Method::POST, list, &JSON, "").await;
        let detail = "is not JSON: Unexpected end of file, a value was expected at line 1 column 1";
        refused.expect_malformed(&[("", detail)]);
    }
}

async fn malformed_json_returns_400(api: Api) {
    for (body, detail) in [
        ("{", "Object keys must be strings at line 1 column 2"),
        ("nonsense", "null expected at line 1 column 1"),
        (
            "{\"name\":}",
            "Unexpected closing curly bracket, no array to close at line 1 column 9",
        ),
        ("\u{feff}{}", "it starts with a byte order mark"),
        (
            "{} {}",
            "The JSON already contains one root element at line 1 column 4",
        ),
        ("'", "Unexpected char: ''' at line 1 column 1"),
    ] {
        let refused = post(&api, "application/json", body).await;
        refused.expect_malformed(&[("", &format!("is not JSON: {detail}"))]);
    }
}

async fn body_without_a_media_type_returns_415(api: Api) {
    for body in [r#"{"name":"Cup"}"#, "{}", ""] {
        let refused = api.send(Method::POST, "/nosqldata", &[], body).await;
        expect_unsupported(refused).expect_header("accept", "application/json");
    }
}

async fn body_of_another_media_type_returns_415(api: Api) {
    let created = api.create_product().await;
    for media_type in [
        "text/plain",
        "application/octet-stream",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/xml",
        "image/png",
    ] {
        expect_unsupported(post(&api, media_type, "a=1").await);
        let path = created.header("location");
        let headers = [("content-type", media_type)];
        let refused = api.send(Method::PATCH, path, &headers, "{}").await;
        let detail = "The body must be application/merge-patch+json or application/json, \
                      in UTF-8 and without a content coding.";
        refused
            .expect_problem(415, "unsupported-media-type", detail)
            .expect_header(
                "accept-patch",
                "application/merge-patch+json, application/json",
            );
    }
}

/// The body is not valid: a 422 shows that its media type was accepted.
async fn parameters_of_a_media_type_are_parsed_with_their_quoting(api: Api) {
    for (status, media_types) in [
        (
            422,
            &[
                "application/json",
                "Application/JSON",
                "application/json;charset=utf-8",
                "application/json; charset=utf8",
                "application/json; charset=UTF8",
                "application/json ; Charset=\"Utf-8\"",
                "application/json; charset=\"\\u\\t\\f-8\"",
                "application/json;profile=\"a;charset=utf-16\"",
                "application/json;profile=\"a\\\";charset=utf-16\"",
                "application/json;profile=x; v=\"1, 2\"",
                "application/json;",
            ][..],
        ),
        (
            415,
            &[
                "",
                "json",
                "application/",
                "application/json5",
                "application/problem+json",
                "application/*",
                "application/json, text/plain",
                "application/json,application/json",
                "application/json charset=utf-8",
                "application/json;charset",
                "application/json;charset=",
                "application/json;charset=utf-16",
                "application/json; charset=iso-8859-1",
                "application/json;charset=\"utf-8",
                "application/json;charset=utf-8\"",
                "application/json;charset='utf-8'",
                "application/json;charset=utf-8;charset=latin1",
            ],
        ),
    ] {
        for media_type in media_types {
            let response = post(&api, media_type, "{}").await;
            assert_eq!(response.status, status, "{media_type}");
        }
    }
}

async fn unsupported_media_type_is_named(api: Api) {
    let json = "application/json";
    for (media_type, coding, accept, accept_encoding) in [
        ("text/plain", "identity", json, ""),
        (json, "gzip", "", "identity"),
        (json, "identity, gzip", "", "identity"),
        ("text/plain", "x-gzip", json, "identity"),
    ] {
        let headers = [("content-type", media_type), ("content-encoding", coding)];
        let refused = api.send(Method::POST, "/nosqldata", &headers, "{}").await;
        expect_unsupported(refused)
            .expect_header("accept", accept)
            .expect_header("accept-encoding", accept_encoding);
    }
    let plain = [JSON[0], ("content-encoding", "Identity")];
    let read = api.send(Method::POST, "/nosqldata", &plain, "{}").await;
    read.expect(422);
}

async fn binary_body_returns_415(api: Api) {
    for media_type in ["application/octet-stream", "image/png"] {
        expect_unsupported(post(&api, media_type, PNG).await);
    }
}

async fn binary_body_sent_as_text_is_refused(api: Api) {
    expect_unsupported(post(&api, "text/plain", PNG).await);
    let headers = [JSON[0], ("content-encoding", "gzip")];
    let refused = api.send(Method::POST, "/nosqldata", &headers, GZIP).await;
    expect_unsupported(refused);
    let refused = post(&api, "application/json", NOT_UTF8).await;
    refused.expect_malformed(&[("", NOT_UTF8_DETAIL)]);
}

async fn start_api_refuses_the_body(api: Api) {
    for (media_type, body) in [
        ("application/octet-stream", PNG),
        ("text/plain", PNG),
        ("application/json", NOT_UTF8),
    ] {
        let refused = post(&api, media_type, body).await.expect(502);
        refused.expect_members(&[("/message", json!("Internal server error"))]);
    }
}

async fn patch_that_is_not_utf8_returns_400(api: Api) {
    let created = api.create_product().await;
    let path = created.header("location");
    let headers = [("content-type", "application/merge-patch+json")];
    let refused = api.send(Method::PATCH, path, &headers, NOT_UTF8).await;
    refused.expect_malformed(&[("", NOT_UTF8_DETAIL)]);
}

async fn body_of_256_kib_is_read(api: Api) {
    let mut body = api.product().to_string();
    body.push_str(&" ".repeat(MOST_BYTES - body.len()));
    let created = post(&api, "Application/JSON; Charset=\"UTF-8\"", body).await;
    created.expect(201);
}

async fn larger_body_returns_413(api: Api) {
    for (size, media_type) in [
        (MOST_BYTES + 1, "application/json"),
        (3 * MOST_BYTES, "application/json"),
        (2 * MOST_BYTES, "application/octet-stream"),
    ] {
        let refused = post(&api, media_type, vec![b'x'; size]).await;
        let detail = "The body is larger than 262144 bytes.";
        refused.expect_problem(413, "content-too-large", detail);
    }
}

async fn first_of_413_415_400_422_and_404_is_reported(api: Api) {
    let large = post(&api, "text/plain", vec![b'x'; MOST_BYTES + 1]).await;
    let detail = "The body is larger than 262144 bytes.";
    large.expect_problem(413, "content-too-large", detail);
    let refused = post(&api, "text/plain", "{").await;
    expect_unsupported(refused).expect_header("accept", "application/json");
    let path = "/nosqldata?verbose=1";
    let refused = api.send(Method::POST, path, &JSON, "{").await;
    let detail = "is not JSON: Object keys must be strings at line 1 column 2";
    refused.expect_malformed(&[("", detail)]);
    let path = "/nosqldata/-x?verbose=1";
    let refused = api.send(Method::PUT, path, &JSON, "{}").await;
    refused.expect_invalid(&[
        ("/name", "is required"),
        ("/category", "is required"),
        ("/price", "is required"),
        ("verbose", "is not a known parameter"),
    ]);
}

async fn body_of_a_get_is_ignored(api: Api) {
    let path = "/nosqldata?limit=1";
    api.send(Method::GET, path, &JSON, "{}").await.expect(200);
}
