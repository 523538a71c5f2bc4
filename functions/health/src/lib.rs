//! `GET /health`: the health of every function, checked over HTTP at once.

mod config;

use std::{sync::Arc, time::Duration};

use axum::extract::State;
use chassis::{
    RequestContext,
    auth::{Access, Authenticator, Caller},
    http::{
        Router, doc, get,
        health::{Check, CheckResult, HealthReport, check_all},
    },
    outbound::{Client, Policy},
};
use dto::health::{Health, HealthStatus};

pub use config::Config;

/// The name of the function.
const NAME: &str = "health";

/// The timeout of a function's health check. It checks its own stores within 2 s.
const TIMEOUT: Duration = Duration::from_secs(4);

/// The routes of `health`.
#[must_use]
pub fn router(config: Config, authenticator: Authenticator) -> Router<Arc<[Check]>> {
    let client = Client::new("functions", config.api, Policy::default().connect).forward_token();
    let path = |function: &String| format!("/health/{function}");
    let check = |function: &String| check_function(&client, function, path(function));
    let checks: Vec<_> = config.functions.iter().map(check).collect();
    let check_every = doc(
        "getHealth",
        "Check the health of every function",
        Access::Optional,
    )
    .describe(
        "Each other function checks its own health, all at once. 503 if one fails. Only with the \
         scope `ops:read` the response has the details, and `warn`, which others see as `pass`.",
    );
    let router = Router::new(NAME, checks.into())
        .authenticate(authenticator)
        .route("/health", get(check_every, health));
    config
        .functions
        .iter()
        .map(path)
        .fold(router, Router::calls)
}

async fn health(
    State(checks): State<Arc<[Check]>>,
    ctx: RequestContext,
    caller: Option<Caller>,
) -> HealthReport {
    check_all(NAME, &checks, &ctx, caller.as_ref()).await
}

/// The check of one function: its own report at `path`.
fn check_function(client: &Client, function: &str, path: String) -> Check {
    let client = client.clone();
    Check::new(function, HealthStatus::Fail, TIMEOUT, move |ctx| {
        let (client, path) = (client.clone(), path.clone());
        async move { fetch(&client, &ctx, &path).await }
    })
}

async fn fetch(client: &Client, ctx: &RequestContext, path: &str) -> CheckResult {
    let reply = client.get(ctx, path).await.map_err(|error| {
        tracing::warn!(
            path,
            cause = chassis::error_chain(&error),
            "no health report"
        );
        "is unavailable".to_owned()
    })?;
    match serde_json::from_slice::<Health>(&reply.body) {
        Ok(health) => Ok(health.status),
        Err(_) => Err(format!(
            "responds with {} and no health report",
            reply.status.as_u16()
        )),
    }
}
