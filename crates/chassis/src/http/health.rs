//! Health: a function and its dependencies, checked on request.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use axum::response::{IntoResponse, Response};
use dto::health::{Health, HealthCheck, HealthStatus, MEDIA_TYPE};
use futures_util::future::{BoxFuture, join_all};
use http::StatusCode;
use tokio::time::Instant;

use super::response;
use crate::{RequestContext, auth::Caller, outbound::Dependency};

/// The result of a check: a status, or what is wrong, without internals.
pub type CheckResult = Result<HealthStatus, String>;

/// A check of one dependency.
#[derive(Clone)]
pub struct Check {
    name: String,
    status_on_failure: HealthStatus,
    timeout: Duration,
    dependency: Option<Dependency>,
    run: Arc<dyn Fn(RequestContext) -> BoxFuture<'static, CheckResult> + Send + Sync>,
}

impl Check {
    /// A check called `name`.
    ///
    /// If it fails, or does not end within `timeout`, its status is `status_on_failure`:
    /// fail if the function cannot work without the dependency, warn if it can.
    pub fn new<F>(
        name: impl Into<String>,
        status_on_failure: HealthStatus,
        timeout: Duration,
        run: impl Fn(RequestContext) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = CheckResult> + Send + 'static,
    {
        Self {
            name: name.into(),
            status_on_failure,
            timeout,
            dependency: None,
            run: Arc::new(move |ctx| Box::pin(run(ctx))),
        }
    }

    /// A check of a dependency by its probe. It reports the state of the circuit
    /// breaker; while that is open, no probe is sent.
    #[must_use]
    pub fn of(dependency: Dependency, status_on_failure: HealthStatus, timeout: Duration) -> Self {
        let probed = dependency.clone();
        let check = Self::new(dependency.name(), status_on_failure, timeout, move |ctx| {
            let dependency = probed.clone();
            async move {
                if dependency.is_healthy(&ctx).await {
                    Ok(HealthStatus::Pass)
                } else {
                    Err("is unavailable".to_owned())
                }
            }
        });
        Self {
            dependency: Some(dependency),
            ..check
        }
    }

    async fn run(self, ctx: RequestContext) -> (String, Vec<HealthCheck>) {
        let started = Instant::now();
        let deadline = ctx.deadline.at_most(self.timeout);
        let checked = (self.run)(ctx.with_deadline(deadline));
        let result = tokio::time::timeout_at(deadline.instant(), checked).await;
        let (status, output) = match result {
            Ok(Ok(status)) => (status, None),
            Ok(Err(wrong)) => (self.status_on_failure, Some(wrong)),
            Err(_elapsed) => (
                self.status_on_failure,
                Some("did not respond in time".to_owned()),
            ),
        };
        if output.is_some() && ctx.deadline.remaining().is_zero() {
            ctx.record.time_out();
        }
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

/// The health of a function: 200 on pass or warn, 503 on fail.
#[derive(Debug)]
pub struct HealthReport(Health);

impl IntoResponse for HealthReport {
    fn into_response(self) -> Response {
        let status = match self.0.status {
            HealthStatus::Pass | HealthStatus::Warn => StatusCode::OK,
            HealthStatus::Fail => StatusCode::SERVICE_UNAVAILABLE,
        };
        response::json(status, MEDIA_TYPE, &self.0)
    }
}

impl super::openapi::DescribeOutput for HealthReport {
    fn describe(operation: &mut super::openapi::Operation) {
        let health = operation.response_schema::<Health>();
        let problem = operation.response_schema::<dto::problem::ProblemDetails>();
        let pass = "Healthy: `pass`, or `warn` where it works with a restriction.";
        operation.response(
            200,
            pass,
            &["Cache-Control"],
            &[(MEDIA_TYPE, health.clone())],
        );
        let content = [(MEDIA_TYPE, health), (dto::problem::MEDIA_TYPE, problem)];
        let fail = "Unhealthy: `fail`; or a problem, if the time for the request ran out.";
        operation.response(503, fail, &["Cache-Control", "Retry-After"], &content);
    }
}

/// The scope of callers who see the details of a health report.
pub(crate) const OPS_READ: &str = "ops:read";

/// Runs all of `checks` at once. Only a caller with the scope `ops:read` gets the
/// results of the checks: others learn whether the function works, and a warning
/// is a pass to them.
pub async fn check_all(
    service: &'static str,
    checks: &[Check],
    ctx: &RequestContext,
    caller: Option<&Caller>,
) -> HealthReport {
    let shows_details = checks.is_empty() || caller.is_some_and(|it| it.has_scope(OPS_READ));
    let running = checks.iter().map(|check| check.clone().run(ctx.clone()));
    let checks: BTreeMap<_, _> = join_all(running).await.into_iter().collect();
    let worst = checks.values().flatten().map(|check| check.status).max();
    let status = match worst.unwrap_or(HealthStatus::Pass) {
        HealthStatus::Warn if !shows_details => HealthStatus::Pass,
        status => status,
    };
    HealthReport(Health {
        status,
        service_id: service.to_owned(),
        checks: shows_details.then_some(checks),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Deadline;

    #[tokio::test]
    async fn a_warning_is_a_pass_to_those_who_see_no_details() {
        let ctx = RequestContext::at_start(Deadline::within(Duration::from_secs(1)));
        let caller = |scope: &str| Caller::new("ada".to_owned(), vec![scope.to_owned()]);
        for (worst, caller, expected, details) in [
            (HealthStatus::Warn, None, HealthStatus::Pass, false),
            (
                HealthStatus::Warn,
                Some(caller("x")),
                HealthStatus::Pass,
                false,
            ),
            (
                HealthStatus::Warn,
                Some(caller(OPS_READ)),
                HealthStatus::Warn,
                true,
            ),
            (HealthStatus::Fail, None, HealthStatus::Fail, false),
        ] {
            let check = Check::new("it", worst, Duration::from_secs(1), |_| async {
                Err("is broken".to_owned())
            });
            let report = check_all("service", &[check], &ctx, caller.as_ref()).await;
            assert_eq!(report.0.status, expected);
            assert_eq!(report.0.checks.is_some(), details);
        }
    }
}
