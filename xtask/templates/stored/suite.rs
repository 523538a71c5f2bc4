//! `/@name@`: create, read, list.

use http::Method;
use serde_json::{Value, json};

use crate::{Api, Case};

pub fn cases() -> Vec<Case> {
    vec![
        case!(created_@type@_has_what_was_sent),
        case!(matching_if_none_match_returns_304),
        case!(repeated_request_creates_nothing),
        case!(walk_returns_each_@type@_once),
        case!(every_error_is_reported),
    ]
}

/// What a client sends of @a@ @type@.
fn content(api: &Api) -> Value {
    json!({"name": api.unique(), "note": "From the suite"})
}

async fn created_@type@_has_what_was_sent(api: Api) {
    let sent = content(&api);
    let created = api.post("/@name@", &sent).await.expect(201);
    for member in ["name", "note"] {
        assert_eq!(created.json()[member], sent[member], "{created}");
    }
    let path = created.header("location");
    assert_eq!(path, format!("/@name@/{}", created.id()));
    let read = api.get(path).await.expect(200);
    assert_eq!(read.json(), created.json());
    read.expect_header("etag", created.header("etag"));
}

async fn matching_if_none_match_returns_304(api: Api) {
    let created = api.post("/@name@", &content(&api)).await.expect(201);
    let headers = [("if-none-match", created.header("etag"))];
    let read = api.get_with(created.header("location"), &headers).await;
    read.expect(304).expect_empty();
}

async fn repeated_request_creates_nothing(api: Api) {
    let (sent, key) = (content(&api), api.unique());
    let headers = [("idempotency-key", key.as_str())];
    let first = api.json(Method::POST, "/@name@", &headers, &sent).await;
    let first = first.expect(201);
    let second = api.json(Method::POST, "/@name@", &headers, &sent).await;
    let second = second.expect(201);
    assert_eq!(second.body, first.body);
    second.expect_header("idempotency-replayed", "true");

    let other = content(&api);
    let other = api.json(Method::POST, "/@name@", &headers, &other).await;
    other.expect(422);
}

async fn walk_returns_each_@type@_once(api: Api) {
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(api.post("/@name@", &content(&api)).await.expect(201).id());
    }
    let mut found = Vec::new();
    let mut target = "/@name@?limit=2".to_owned();
    // The store may have @name@ of other cases. A walk ends: each page has a limit.
    for _ in 0..1_000 {
        let page = api.get(&target).await.expect(200).json();
        let items = page["items"].as_array().unwrap().iter();
        found.extend(items.map(|item| item["id"].as_str().unwrap().to_owned()));
        let Some(cursor) = page["nextCursor"].as_str() else {
            break;
        };
        target = format!("/@name@?limit=100&cursor={cursor}");
    }
    for id in ids {
        assert_eq!(found.iter().filter(|it| **it == id).count(), 1, "{id}");
    }
}

async fn every_error_is_reported(api: Api) {
    let wrong = json!({"id": "mine", "name": "", "note": 7});
    let refused = api.post("/@name@?verbose=1", &wrong).await;
    refused.expect_invalid(&[
        ("/name", "must have 1 to 200 characters"),
        ("/note", "must be a string, not a number"),
        ("/id", "is set by the service and may not be sent"),
        ("verbose", "is not a known parameter"),
    ]);
}
