//! Timeouts: the function's own, and the platform's. Only the emulator shows both.

use std::{sync::Arc, time::Instant};

use futures_util::{FutureExt, future::LocalBoxFuture};
use serde_json::json;
use suite::{Api, Case};
use testbed::eventually;
// region: nosqldata
use testbed::wire::Fault;
// endregion

use super::emulator::Emulator;

pub fn cases(emulator: &Arc<Emulator>) -> Vec<Case> {
    let case = |name, check: fn(Api, Arc<Emulator>) -> LocalBoxFuture<'static, ()>| {
        let emulator = emulator.clone();
        let check = Arc::new(move |api| check(api, emulator.clone()));
        Case::new(module_path!(), name, check)
    };
    vec![
        // region: nosqldata
        case("silent_store_returns_503_before_the_timeout", |api, it| {
            silent_store_returns_503_before_the_timeout(api, it).boxed_local()
        }),
        // endregion
        case(
            "function_that_overruns_is_ended_and_restarted",
            |api, it| function_that_overruns_is_ended_and_restarted(api, it).boxed_local(),
        ),
    ]
}

// region: nosqldata
async fn silent_store_returns_503_before_the_timeout(api: Api, emulator: Arc<Emulator>) {
    emulator.dynamodb.set(Fault::BlackHole).await;
    let path = format!("/nosqldata/{}", api.unique());
    let refused = api.get(&path).await;
    emulator.dynamodb.heal().await;
    // The platform's would be a 500 without any of this.
    refused.expect_unavailable(&["The store did not respond in time."]);
    expect_recovery(&api, &path, 404).await;
}
// endregion

async fn function_that_overruns_is_ended_and_restarted(api: Api, emulator: Arc<Emulator>) {
    let timeout = emulator.timeout("hello");
    api.get("/").await.expect(200);
    assert_eq!(emulator.halt("hello"), 1, "processes of hello");
    let started = Instant::now();
    let ended = api.get("/").await.expect(500);
    ended.expect_members(&[("/message", json!("Internal Server Error"))]);
    // It is halted, so nothing but the emulator can end it.
    assert!(started.elapsed() >= timeout, "{:?}", started.elapsed());
    let expected = format!("Task timed out after {:.2} seconds", timeout.as_secs_f64());
    let last = emulator.last("hello");
    assert!(last.contains(&expected), "{last}");
    expect_recovery(&api, "/", 200).await;
}

/// Checks that a path returns `status` again before long.
async fn expect_recovery(api: &Api, path: &str, status: u16) {
    eventually(async || {
        let response = api.get(path).await;
        (response.status == status).then_some(())
    })
    .await;
}
