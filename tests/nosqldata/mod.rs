//! The catalogue.

mod costs;
mod document;
mod extremes;
mod failures;
mod idempotency;
mod permissions;
mod races;

use testbed::{Response, eventually};

/// Sends a request whose idempotency key is in use until the response is a 409, which
/// precedes its deadline. On a slow machine the deadline may pass first.
async fn expect_key_in_use(send: impl AsyncFn() -> Response) {
    eventually(async || {
        let refused = send().await.expect_header("retry-after", "1");
        if refused.status == 503 {
            refused.expect_unavailable(&[
                "The time for the request ran out.",
                "The store did not respond in time.",
                "The database did not respond in time.",
            ]);
            return None;
        }
        let detail = "The first request with this Idempotency-Key is still running.";
        refused.expect_problem(409, "conflict", detail);
        Some(())
    })
    .await;
}
