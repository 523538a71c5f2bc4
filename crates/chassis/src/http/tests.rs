//! A service end to end: requests in, responses out.

use axum::{
    body::{Body, to_bytes},
    extract::State,
};
use http::{HeaderMap, StatusCode};
use json::{FromJson, Int, Schema, Text, ToJson};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::request::MAX_BODY_BYTES;
use super::*;
use crate::{Problem, auth::Access};

/// The name of a note, which is also its id.
type Name = Text<1, 8>;

/// A note.
#[derive(Debug, Clone, Serialize, Deserialize, FromJson, ToJson, Schema)]
#[json(read_only("version"))]
#[schema(request = "NoteInput", patch = "NotePatch")]
struct Note {
    name: Name,
    stars: Option<Int<1, 5>>,
}

impl Resource for Note {
    fn path(&self) -> String {
        format!("/notes/{}", self.name)
    }

    fn etag(&self) -> String {
        format!("{}-{}", self.name, self.stars.map_or(0, Int::get))
    }
}

#[derive(Debug, FromQuery)]
struct Filter {
    /// Only notes of so many stars.
    stars: Option<Int<1, 5>>,
}

async fn list(
    State(note): State<Note>,
    accept: Accept,
    Request(page): Request<Paged<Filter, Name>>,
) -> Result<Listing<Page<Note>>, Problem> {
    if accept.prefers_text() {
        return Ok(Listing::Text("Notes"));
    }
    assert!(page.filter.stars.is_none_or(|stars| stars.get() < 6));
    let last = note.name.clone();
    Ok(Listing::Json(page.page(
        "Notes",
        vec![note],
        Some(&last),
    )?))
}

async fn create(
    Request(Idempotent { body, key }): Request<Idempotent<Note>>,
) -> Result<Replayable<Created<Note>>, Problem> {
    let response = Created(body).to_stored().map_err(Problem::internal)?;
    let outcome = match key {
        Some(request) if request.key == "used" => Outcome::Replayed(response.clone()),
        _ => Outcome::Executed,
    };
    Ok(Replayable::new(response, outcome))
}

async fn read(
    State(note): State<Note>,
    Request((Id(name), preconditions)): Request<(Id<Name>, Preconditions)>,
) -> Result<Fetched<Note>, Problem> {
    assert_eq!(name, note.name);
    preconditions.fetch(note)
}

async fn put(
    Request((Id(_), Json(note))): Request<(Id<Name>, Json<Note>)>,
) -> Result<Written<Note>, Problem> {
    Ok(Written::Created(note))
}

async fn patch(
    State(note): State<Note>,
    Request((Id(_), patch)): Request<(Id<Name>, MergePatch<Note>)>,
) -> Result<Tagged<Note>, Problem> {
    patch.apply(&note).map(Tagged).map_err(Problem::invalid)
}

async fn fail() -> Result<NoContent, Problem> {
    panic!("a bug")
}

fn service() -> Service {
    let note = Note {
        name: Text::parse("milk").unwrap(),
        stars: None,
    };
    Router::new("notes", note)
        .route(
            "/notes",
            get(doc("list", "List", Access::Public), list)
                .post(doc("create", "Create", Access::Public), create),
        )
        .route(
            "/notes/{id}",
            get(doc("read", "Read", Access::Public), read)
                .put(doc("put", "Put", Access::Public), put)
                .patch(doc("patch", "Patch", Access::Public), patch),
        )
        .route("/fail", get(doc("fail", "Fail", Access::Public), fail))
        .cache_control("no-cache")
        .into_service()
}

struct Received {
    status: u16,
    headers: HeaderMap,
    body: Value,
}

async fn send(method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> Received {
    let mut request = http::Request::builder().method(method).uri(target);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::from(body.to_owned())).unwrap();
    let response = service().call(request).await;
    let (head, body) = response.into_parts();
    let body = to_bytes(body, 1_000_000).await.unwrap();
    Received {
        status: head.status.as_u16(),
        headers: head.headers,
        body: serde_json::from_slice(&body).unwrap_or_default(),
    }
}

const JSON: (&str, &str) = ("content-type", "application/json");

#[tokio::test]
async fn every_error_of_every_part_is_reported_at_once() {
    let body = r#"{"name":"","stars":6,"version":1,"colour":1,"name":2}"#;
    let received = send("PUT", "/notes/milk?x=1&x=2", &[JSON], body).await;
    assert_eq!(received.status, 422);
    assert_eq!(
        received.body["errors"],
        json!([
            {"pointer": "/name", "detail": "is repeated in its object"},
            {"pointer": "/name", "detail": "must have 1 to 8 characters"},
            {"pointer": "/stars", "detail": "must be between 1 and 5"},
            {"pointer": "/colour", "detail": "is not a known field"},
            {"pointer": "/version", "detail": "is set by the service and may not be sent"},
            {"parameter": "x", "detail": "is not a known parameter"},
        ])
    );
}

#[tokio::test]
async fn the_first_kind_of_error_is_reported() {
    let long = format!("\"{}\"", "x".repeat(MAX_BODY_BYTES));
    let range = ("content-range", "bytes 0-1/2");
    let coded = [JSON, ("content-encoding", "br")];
    for (target, headers, body, status) in [
        ("/notes/milk?x", &coded[..], long.as_str(), 413),
        ("/notes/milk?x", &coded[..], "{", 415),
        ("/notes/milk?x", &[][..], "{}", 415),
        ("/notes/milk?x", &[JSON][..], "{", 400),
        ("/notes/milk?x", &[JSON, range][..], "{}", 400),
        (
            "/notes/too-long-a-name?x",
            &[JSON][..],
            r#"{"name":"n"}"#,
            422,
        ),
        (
            "/notes/too-long-a-name",
            &[JSON][..],
            r#"{"name":"n"}"#,
            404,
        ),
        ("/notes/n", &[JSON][..], r#"{"name":"n"}"#, 201),
    ] {
        let received = send("PUT", target, headers, body).await;
        assert_eq!(received.status, status, "{target} {headers:?}");
    }
}

#[tokio::test]
async fn problem_415_names_the_unsupported_part() {
    let coded = send("PUT", "/notes/n", &[JSON, ("content-encoding", "br")], "").await;
    assert_eq!(coded.headers["accept-encoding"], "identity");
    assert!(!coded.headers.contains_key("accept"));
    let patch = send("PATCH", "/notes/n", &[("content-type", "text/plain")], "").await;
    assert_eq!(
        patch.headers["accept"],
        "application/merge-patch+json, application/json"
    );
    assert_eq!(patch.headers["accept-patch"], patch.headers["accept"]);
    assert!(!patch.headers.contains_key("accept-encoding"));
}

#[tokio::test]
async fn a_merge_patch_is_checked_before_and_after_merging() {
    for (patch, pointer) in [
        ("[]", ""),
        (r#"{"colour":null}"#, "/colour"),
        (r#"{"version":2}"#, "/version"),
        (r#"{"name":null}"#, "/name"),
        (r#"{"stars":7}"#, "/stars"),
    ] {
        let received = send("PATCH", "/notes/milk", &[JSON], patch).await;
        assert_eq!(received.status, 422, "{patch}");
        assert_eq!(received.body["errors"][0]["pointer"], pointer, "{patch}");
    }
    let received = send("PATCH", "/notes/milk", &[JSON], r#"{"stars":3}"#).await;
    assert_eq!(received.body, json!({"name": "milk", "stars": 3}));
    assert_eq!(received.headers["etag"], "\"milk-3\"");
}

#[tokio::test]
async fn head_has_the_length_of_get_or_none() {
    for target in ["/notes/none", "/unknown", "/notes?limit=0"] {
        let length = |received: &Received| received.headers["content-length"].clone();
        let got = send("GET", target, &[], "").await;
        let head = send("HEAD", target, &[], "").await;
        assert_eq!(head.status, got.status, "{target}");
        let body = got.body.to_string().len().to_string();
        assert_eq!(length(&head), body.as_str(), "{target}");
    }
    let tag = [("if-none-match", "\"milk-0\"")];
    let unchanged = send("HEAD", "/notes/milk", &tag, "").await;
    assert_eq!(unchanged.status, 304);
    assert!(!unchanged.headers.contains_key("content-length"));
}

#[tokio::test]
async fn a_cursor_is_bound_to_the_filters() {
    let first = send("GET", "/notes?stars=2&limit=1", &[], "").await;
    let cursor = first.body["nextCursor"].as_str().unwrap();
    for (target, status) in [
        (format!("/notes?cursor={cursor}&stars=2"), 200),
        (format!("/notes?cursor={cursor}&stars=2&limit=5"), 200),
        (format!("/notes?cursor={cursor}&stars=3"), 400),
        (format!("/notes?cursor={cursor}"), 400),
        (format!("/notes?cursor={cursor}&stars=2&x=1"), 422),
        (format!("/notes?cursor={cursor}&stars=2&stars=2"), 422),
        (format!("/notes?cursor={cursor}&stars=3&x=1"), 400),
        ("/notes?cursor=bogus&stars=2&stars=2".to_owned(), 400),
        ("/notes?limit=101&stars=0".to_owned(), 422),
        ("/notes?stars=1&stars=2".to_owned(), 422),
    ] {
        assert_eq!(
            send("GET", &target, &[], "").await.status,
            status,
            "{target}"
        );
    }
}

#[tokio::test]
async fn responses_carry_their_headers() {
    let text = send("GET", "/notes", &[("accept", "text/plain")], "").await;
    assert_eq!(text.headers["content-type"], "text/plain; charset=utf-8");
    assert_eq!(text.headers["vary"], "Accept");
    let created = send("POST", "/notes", &[JSON], r#"{"name":"n"}"#).await;
    assert_eq!(created.status, 201);
    assert_eq!(created.headers["location"], "/notes/n");
    assert_eq!(created.headers["cache-control"], "no-cache");
    assert_eq!(created.headers["x-content-type-options"], "nosniff");
    assert!(!created.headers.contains_key("idempotency-replayed"));
    let used = [JSON, ("idempotency-key", "\"used\"")];
    let replayed = send("POST", "/notes", &used, r#"{"name":"n"}"#).await;
    assert_eq!(replayed.headers["idempotency-replayed"], "true");
    assert_eq!(replayed.body, created.body);
    let written = send("PUT", "/notes/n", &[JSON], r#"{"name":"n"}"#).await;
    assert_eq!(written.headers["content-location"], "/notes/n");
    assert_eq!(written.headers["location"], "/notes/n");
}

#[tokio::test]
async fn preconditions_decide_between_200_304_and_412() {
    for (header, value, status) in [
        ("if-none-match", "\"other\"", 200),
        ("if-none-match", "W/\"milk-0\"", 304),
        ("if-match", "\"milk-0\"", 200),
        ("if-match", "W/\"milk-0\"", 412),
        ("if-match", "milk-0", 400),
    ] {
        let received = send("GET", "/notes/milk", &[(header, value)], "").await;
        assert_eq!(received.status, status, "{header}: {value}");
        let tagged = status == 200 || status == 304;
        assert_eq!(received.headers.contains_key("etag"), tagged);
    }
}

#[tokio::test]
async fn a_path_supports_the_methods_that_it_declares() {
    let options = send("OPTIONS", "/notes/milk", &[], "").await;
    assert_eq!(options.status, 204);
    assert_eq!(options.headers["allow"], "GET, HEAD, PUT, PATCH, OPTIONS");
    assert_eq!(
        options.headers["accept-patch"],
        "application/merge-patch+json, application/json"
    );
    let wrong = send("DELETE", "/notes", &[], "").await;
    assert_eq!(wrong.status, 405);
    assert_eq!(wrong.headers["allow"], "GET, HEAD, POST, OPTIONS");
    assert_eq!(wrong.body["type"], "/problems/method-not-allowed");
    assert_eq!(
        send("GET", "/nowhere", &[], "").await.body["type"],
        "/problems/unknown-path"
    );
    let head = send("HEAD", "/notes/milk", &[], "").await;
    assert_eq!((head.status, head.body), (200, Value::Null));
}

#[tokio::test]
async fn a_panic_is_a_problem_without_internals() {
    let failed = send("GET", "/fail", &[], "").await;
    assert_eq!(failed.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(failed.body["type"], "/problems/internal-error");
    assert!(!failed.body.to_string().contains("a bug"));
}

#[tokio::test]
async fn a_service_reports_its_own_health() {
    let health = send("GET", "/health/notes", &[], "").await;
    assert_eq!(health.headers["cache-control"], "no-store");
    assert_eq!(
        health.body,
        json!({"status": "pass", "serviceId": "notes", "checks": {}})
    );
}
