//! Thousands of generated, mostly invalid requests: none gets a 5xx response.
//!
//! The generator is seeded, so every run sends the same requests. A failure prints
//! the event; put it under `events/` to keep it.

use std::thread;

use bytes::Bytes;
use http::Request;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::Value;
use testbed::{
    FUNCTIONS, Started, System, event, eventually, functions,
    hostile::{check, events},
    routes,
};
use tokio::runtime::Runtime;

/// The number of requests to each function.
const REQUESTS: u32 = 4_000;

/// The response of a function to an event. A failed health check is repeated: on a busy
/// machine it exceeds its timeout.
async fn respond(system: &System, function: &str, event: &Value) -> Value {
    eventually(async || {
        let response = system.invoke(function, event).await;
        let content_type = &response["headers"]["content-type"];
        let is_health = content_type == "application/health+json";
        let is_failed_check = is_health && response["statusCode"] == 503;
        (!is_failed_check).then_some(response)
    })
    .await
}

fn send_requests(function: &'static str) {
    let runtime = Runtime::new().unwrap();
    let system = runtime.block_on(System::with_samples());
    let seed = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let config = Config {
        cases: REQUESTS,
        max_shrink_iters: 200,
        failure_persistence: None,
        ..Config::default()
    };
    let result = TestRunner::new_with_rng(config, seed).run(&events(function), |event| {
        let response = runtime.block_on(respond(&system, function, &event));
        check(&event, &response)
    });
    result.unwrap_or_else(|failure| panic!("{failure}"));
    // Afterwards the function is still healthy.
    let health = Request::get(format!("/health/{function}"))
        .body(Bytes::new())
        .unwrap();
    let response = runtime.block_on(respond(&system, function, &event::of(&health)));
    assert_eq!(response["statusCode"], 200, "{response}");
}

/// The functions that call only paths which others have: without one that it calls,
/// a function responds with 503.
async fn complete() -> Vec<&'static str> {
    let routes = routes().await;
    let mut complete = Vec::new();
    for Started { service, .. } in functions().await {
        let mut calls = service.calls().iter();
        if calls.all(|path| routes.contains_key(path)) {
            complete.extend(FUNCTIONS.iter().find(|name| **name == service.name()));
        }
    }
    complete
}

/// Each function in a thread of its own.
#[test]
fn no_function_responds_with_5xx() {
    let functions = Runtime::new().unwrap().block_on(complete());
    thread::scope(|scope| {
        for function in functions {
            scope.spawn(move || send_requests(function));
        }
    });
}
