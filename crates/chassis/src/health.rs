//! Health: what a function depends on, asked when somebody wants to know.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use axum::{
    response::Response,
    routing::{MethodRouter, get},
};
use dto::health::{Health, HealthCheck, HealthStatus};
use futures_util::future::{BoxFuture, join_all};
use http::{HeaderValue, StatusCode, header::CACHE_CONTROL};
use tokio::time::Instant;

use crate::{Call, Problem, reply, resilience::Dependency};

/// The media type of a [`Health`] body.
pub const MEDIA_TYPE: &str = "application/health+json";

/// What a check saw: how well the thing is, or in a few words (without
/// internals: they are public) what is wrong with it.
pub type Seen = Result<HealthStatus, String>;

/// A thing that a function depends on, and how to ask how it is.
#[derive(Clone)]
pub struct Check {
    name: String,
    worst: HealthStatus,
    patience: Duration,
    dependency: Option<Dependency>,
    ask: Arc<dyn Fn(Call) -> BoxFuture<'static, Seen> + Send + Sync>,
}

impl Check {
    /// A check called `name`. Where the thing does not answer well, or not
    /// within `patience`, the function's health is `worst`: fail if it cannot
    /// do without, warn if it can.
    pub fn new<F>(
        name: impl Into<String>,
        worst: HealthStatus,
        patience: Duration,
        ask: impl Fn(Call) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Seen> + Send + 'static,
    {
        Self {
            name: name.into(),
            worst,
            patience,
            dependency: None,
            ask: Arc::new(move |call| Box::pin(ask(call))),
        }
    }

    /// A check of a dependency, by its probe: its breaker's state is told too,
    /// and while that is open nothing goes out.
    #[must_use]
    pub fn of(dependency: Dependency, worst: HealthStatus, patience: Duration) -> Self {
        let asked = dependency.clone();
        let check = Self::new(dependency.name(), worst, patience, move |call| {
            let dependency = asked.clone();
            async move {
                if dependency.is_healthy(&call).await {
                    Ok(HealthStatus::Pass)
                } else {
                    Err("does not answer as it should".to_owned())
                }
            }
        });
        Self {
            dependency: Some(dependency),
            ..check
        }
    }

    async fn run(self, call: Call) -> (String, Vec<HealthCheck>) {
        let started = Instant::now();
        let deadline = call.deadline.at_most(self.patience);
        let call = Call { deadline, ..call };
        let asked = tokio::time::timeout_at(deadline.instant(), (self.ask)(call)).await;
        let (status, output) = match asked {
            Ok(Ok(status)) => (status, None),
            Ok(Err(wrong)) => (self.worst, Some(wrong)),
            Err(_) => (self.worst, Some("no answer in time".to_owned())),
        };
        let check = HealthCheck {
            status,
            observed_value: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
            observed_unit: "ms".to_owned(),
            breaker: self
                .dependency
                .map(|dependency| dependency.state().as_str().to_owned()),
            output,
        };
        (self.name, vec![check])
    }
}

/// A route that asks all of `checks` at once and answers with what they saw:
/// 200 on pass or warn, 503 on fail.
pub fn report<S: Clone + Send + Sync + 'static>(
    service: &'static str,
    checks: Vec<Check>,
) -> MethodRouter<S> {
    get(move |call: Call| answer(service, checks.clone(), call))
}

async fn answer(
    service: &'static str,
    checks: Vec<Check>,
    call: Call,
) -> Result<Response, Problem> {
    let asked = checks.into_iter().map(|check| check.run(call.clone()));
    let checks: BTreeMap<_, _> = join_all(asked).await.into_iter().collect();
    let worst = checks.values().flatten().map(|check| check.status).max();
    let health = Health {
        status: worst.unwrap_or(HealthStatus::Pass),
        service_id: service.to_owned(),
        checks,
    };
    let status = match health.status {
        HealthStatus::Pass | HealthStatus::Warn => StatusCode::OK,
        HealthStatus::Fail => StatusCode::SERVICE_UNAVAILABLE,
    };
    let mut response = reply::with_media_type(MEDIA_TYPE, status, &health)?;
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}
