//! `GET /health`: how every function is, asked of each over HTTP at once.

mod config;

use std::time::Duration;

use chassis::{
    Call, Router,
    client::Client,
    health::{Check, Seen, report},
    resilience::Policy,
};
use dto::health::{Health, HealthStatus};

#[cfg(feature = "openapi")]
pub mod openapi;

pub use config::{API_URL, Config, FUNCTIONS, VARIABLES};

/// How long a function may take. It asks its own stores within 2 s.
const PATIENCE: Duration = Duration::from_secs(4);

/// The routes of `health`.
#[must_use]
pub fn router(config: Config) -> Router {
    let client = Client::new(config.api, Policy::default().connect);
    let functions = config.functions.into_iter();
    let mut router = Router::new("health")
        .cache_control("no-store")
        .reads(VARIABLES);
    let mut checks = Vec::new();
    for name in functions {
        let path = format!("/health/{name}");
        router = router.calls(&path);
        checks.push(check(client.clone(), name, path));
    }
    router.route("/health", report("health", checks))
}

/// The function called `name`, asked at `path` for its own health.
fn check(client: Client, name: String, path: String) -> Check {
    Check::new(name, HealthStatus::Fail, PATIENCE, move |call| {
        let (client, path) = (client.clone(), path.clone());
        async move { ask(&client, &call, &path).await }
    })
}

async fn ask(client: &Client, call: &Call, path: &str) -> Seen {
    let answer = client.get(call, path).await.map_err(|error| {
        tracing::warn!(
            request_id = call.request_id,
            path,
            error = error.to_string(),
            "no health"
        );
        "does not answer".to_owned()
    })?;
    match serde_json::from_slice::<Health>(&answer.body) {
        Ok(health) => Ok(health.status),
        Err(_) => Err(format!(
            "answers {} without a health",
            answer.status.as_u16()
        )),
    }
}
