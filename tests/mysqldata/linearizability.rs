// region: nosqldata
//! Histories of concurrent clients are linearizable, also while wires are cut;
//! and a store that is not linearizable is found out.
//!
//! `cargo xtask faults` records longer ones, and kills processes meanwhile.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::to_bytes,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use chassis::outbound::Policy;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use serde_json::{Value, json};
use testbed::{
    Client, Setup, System,
    linearizability::{Recording, Report},
    wire::Fault,
};
use uuid::Uuid;

const CLIENTS: usize = 6;

/// The operations during each fault, and in the healthy period after it.
const OPERATIONS: usize = 150;

#[tokio::test(flavor = "multi_thread")]
async fn histories_are_linearizable_while_wires_are_cut() {
    let system = System::with(Setup {
        instances: CLIENTS,
        policy: Some(Policy {
            open: Duration::from_millis(100),
            ..Policy::default()
        }),
        ..Setup::default()
    })
    .await;
    let cups = json!({"name": "Cups", "category": "c", "price": {"amount": 7, "currency": "DKK"}});
    let product = "/nosqldata/espresso-cups";
    system.client.put(product, &cups).await.expect(201);

    let recording = Recording::start(system.client.clone(), CLIENTS);
    recording.advances(400).await;
    for (wire, fault) in [
        (&system.dynamodb, Fault::Reset(3)),
        (&system.mysql, Fault::Reset(20)),
        (&system.dynamodb, Fault::Refused),
        (&system.mysql, Fault::Refused),
        (&system.dynamodb, Fault::Conflicts),
        (&system.mysql, Fault::Reset(5)),
        (&system.dynamodb, Fault::Reset(1)),
    ] {
        wire.set(fault).await;
        recording.advances(OPERATIONS).await;
        wire.heal().await;
        recording.advances(OPERATIONS).await;
    }
    let report = recording.finish().await.unwrap();
    report.expect_linearizable();
    assert!(report.operations > 400 && report.unknown > 0, "{report:?}");
}

/// A bug of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bug {
    /// Nothing, but that one write in ten is not acknowledged.
    None,
    /// A write ignores `If-Match`.
    LostCondition,
    /// A read may show the representation before the last write.
    StaleRead,
    /// A write may be done twice.
    DoneTwice,
    /// A write may be acknowledged and not done.
    LostWrite,
    /// A patch replaces what it should merge into.
    LostMerge,
    /// The entity tag of a product that was deleted is used again.
    ReusedTag,
    /// A write is sometimes executed although its response is 412.
    FalseRefusal,
}

#[tokio::test]
async fn a_linearizable_store_passes_although_responses_are_lost() {
    let report = record(Bug::None).await;
    report.expect_linearizable();
    assert!(report.unknown > 0, "{report:?}");
}

#[tokio::test]
async fn a_planted_bug_is_found() {
    for bug in [
        Bug::LostCondition,
        Bug::StaleRead,
        Bug::DoneTwice,
        Bug::LostWrite,
        Bug::LostMerge,
        Bug::ReusedTag,
        Bug::FalseRefusal,
    ] {
        let report = record(bug).await;
        assert!(!report.violations.is_empty(), "{bug:?}: {report:?}");
    }
}

/// The history that the clients of products record on a store with this bug.
async fn record(bug: Bug) -> Report {
    let store = Arc::new(Store {
        bug,
        products: Mutex::default(),
    });
    let router = Router::new().fallback(respond).with_state(store);
    let client = Client::new(testbed::serve(router).await);
    let recording = Recording::start(client, CLIENTS);
    recording.advances(600).await;
    recording.finish().await.unwrap()
}

/// A catalogue in memory.
struct Store {
    bug: Bug,
    /// The representations that each product has had, by its path.
    products: Mutex<HashMap<String, Vec<Option<Document>>>>,
}

#[derive(Clone)]
struct Document {
    tag: String,
    product: Value,
}

async fn respond(State(store): State<Arc<Store>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let path = head.uri.path().to_owned();
    if !path.starts_with("/nosqldata/") {
        return StatusCode::NOT_FOUND.into_response();
    }
    let body = to_bytes(body, usize::MAX).await.unwrap();
    let body = serde_json::from_slice(&body).unwrap_or_default();
    // Others come between.
    tokio::task::yield_now().await;
    let mut products = store.products.lock().unwrap();
    let states = products.entry(path).or_insert_with(|| vec![None]);
    let mut response = store.operate(&head.method, &head.headers, body, states);
    // The client expects them of a function.
    for (name, value) in [("x-request-id", "1"), ("x-content-type-options", "nosniff")] {
        let value = HeaderValue::from_static(value);
        response.headers_mut().insert(name, value);
    }
    response
}

impl Store {
    fn operate(
        &self,
        method: &Method,
        headers: &HeaderMap,
        body: Value,
        states: &mut Vec<Option<Document>>,
    ) -> Response {
        let back =
            usize::from(self.has(Bug::StaleRead) && method == Method::GET && states.len() > 1);
        let current = states[states.len() - 1 - back].clone();
        if current.is_none() && method != Method::PUT {
            return StatusCode::NOT_FOUND.into_response();
        }
        let names = |header: &str| {
            let tag = headers.get(header).map(|tag| tag.to_str().unwrap());
            tag.map(|tag| (current.as_ref()).is_some_and(|it| tag == "*" || it.tag == tag))
        };
        let (matches, excluded) = (names("if-match"), names("if-none-match"));
        let ignored = self.bug == Bug::LostCondition && method != Method::GET;
        if excluded == Some(true) && method == Method::GET {
            return StatusCode::NOT_MODIFIED.into_response();
        }
        let mut refused = excluded == Some(true) || (matches == Some(false) && !ignored);
        let written = match *method {
            Method::GET => current.clone(),
            Method::DELETE => None,
            _ => Some(self.written(method, current.as_ref(), body)),
        };
        if method != Method::GET && !refused {
            refused = self.has(Bug::FalseRefusal);
            if !self.has(Bug::LostWrite) {
                states.push(written.clone());
            }
            if self.has(Bug::DoneTwice)
                && let Some(mut again) = written.clone()
            {
                again.product["version"] = json!(again.product["version"].as_u64().unwrap() + 1);
                again.tag = format!("\"{}\"", Uuid::now_v7());
                states.push(Some(again));
            }
            if fastrand::u8(..10) == 0 {
                let retry_after = [("retry-after", "1")];
                return (StatusCode::SERVICE_UNAVAILABLE, retry_after).into_response();
            }
        }
        match written {
            _ if refused => StatusCode::PRECONDITION_FAILED.into_response(),
            None => StatusCode::NO_CONTENT.into_response(),
            Some(Document { tag, product }) => {
                let status = match current {
                    Some(_) => StatusCode::OK,
                    None => StatusCode::CREATED,
                };
                (status, [("etag", tag)], product.to_string()).into_response()
            }
        }
    }

    /// Whether the store has this bug, and it takes effect this time.
    fn has(&self, bug: Bug) -> bool {
        self.bug == bug && fastrand::bool()
    }

    fn written(&self, method: &Method, before: Option<&Document>, mut body: Value) -> Document {
        let before = before.map(|it| &it.product);
        let version = before.map_or(0, |it| it["version"].as_u64().unwrap()) + 1;
        if method == Method::PATCH {
            let last = body["attributes"]["last"].clone();
            body["price"] = match self.bug {
                Bug::LostMerge => json!({"amount": last}),
                _ => before.unwrap()["price"].clone(),
            };
        }
        body["version"] = json!(version);
        let tag = match self.bug {
            Bug::ReusedTag => format!("\"{version}\""),
            _ => format!("\"{}\"", Uuid::now_v7()),
        };
        Document { tag, product: body }
    }
}
// endregion
