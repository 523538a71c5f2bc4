//! A dependency: something that a service calls and that may fail.

use std::{
    error::Error,
    fmt,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::future::BoxFuture;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tracing::Instrument;

use super::{
    Allowance, Classify, Evidence, Failure, Outcome, Policy,
    breaker::{Breaker, Permit, State},
    budget::RetryBudget,
};
use crate::{Deadline, Problem, RequestContext, error_chain};

/// A call with less time left is not made: no response would arrive.
const MIN_TIME_LEFT: Duration = Duration::from_millis(5);

/// A retry with less time left is not made: the deadline would cut it short, and its
/// outcome would be unknown.
const MIN_RETRY_TIME: Duration = Duration::from_millis(50);

/// The time that a request waits for the probe of a half-open breaker. A dependency
/// that has recovered responds in less; one that has not must not slow the
/// request down.
pub(super) const PROBE_WAIT: Duration = Duration::from_millis(15);

/// The interval at which a probe checks whether the process was suspended.
const TICK: Duration = Duration::from_millis(50);

/// A timer that is this late shows that Lambda suspended the process, as it does when a
/// function has responded.
pub(crate) const SUSPENDED: Duration = Duration::from_millis(250);

/// Why a call has no result.
#[derive(Debug, thiserror::Error)]
pub enum CallError<E> {
    /// 503: the circuit breaker is open, and nothing was sent.
    #[error("the circuit breaker of {name} is open")]
    Open {
        /// The dependency.
        name: &'static str,
        /// After which time the breaker lets a probe through.
        retry_after: Duration,
    },
    /// 503: the request's time ran out before there was a response.
    #[error("{name} did not respond in time")]
    Elapsed {
        /// The dependency.
        name: &'static str,
    },
    /// 503: the request had less time than an attempt is granted, so nothing is known
    /// about the dependency. A caller can cause this by a short deadline, so it must not
    /// choose a fallback by it: see [`RequestContext::is_shortened`].
    #[error("{name} did not respond in the little time that the request had")]
    Hurried {
        /// The dependency.
        name: &'static str,
        /// What it responded, if it did.
        #[source]
        error: Option<E>,
    },
    /// The last attempt failed.
    #[error("{name} failed")]
    Failed {
        /// The dependency.
        name: &'static str,
        /// Why.
        #[source]
        error: E,
    },
}

/// Something that a service calls, with its circuit breaker and its retry budget.
/// Clones share both.
#[derive(Clone)]
pub struct Dependency(Arc<Inner>);

struct Inner {
    name: &'static str,
    policy: Policy,
    breaker: Breaker,
    budget: RetryBudget,
    /// Whether the last probe failed in a process that was suspended.
    suspended: AtomicBool,
    probe: Box<dyn Fn(RequestContext) -> BoxFuture<'static, Result<(), ProbeError>> + Send + Sync>,
}

/// Why a probe failed, for the log.
#[derive(Debug, thiserror::Error)]
#[error("{cause}")]
struct ProbeError {
    cause: String,
    failure: Failure,
}

/// An attempt that has ended.
struct Attempted<T, E> {
    result: Result<T, CallError<E>>,
    outcome: Outcome,
    evidence: Evidence,
}

impl fmt::Debug for Dependency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dependency")
            .field("name", &self.0.name)
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}

impl Dependency {
    /// The dependency called `name`. `probe` checks its health by the cheapest
    /// request.
    #[must_use]
    pub fn new<F, E: Classify + Error + 'static>(
        name: &'static str,
        policy: Policy,
        probe: impl Fn(RequestContext) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
    {
        Self(Arc::new(Inner {
            name,
            breaker: Breaker::new(name, policy.clone()),
            budget: RetryBudget::new(policy.budget_percent),
            policy,
            suspended: AtomicBool::new(false),
            probe: Box::new(move |ctx| {
                let probed = probe(ctx);
                Box::pin(async {
                    probed.await.map_err(|error| ProbeError {
                        cause: error_chain(&error),
                        failure: error.failure(),
                    })
                })
            }),
        }))
    }

    /// Its name.
    #[must_use]
    pub(crate) fn name(&self) -> &'static str {
        self.0.name
    }

    /// Its retry budget.
    #[cfg(test)]
    pub(super) fn budget(&self) -> &RetryBudget {
        &self.0.budget
    }

    /// The state of its circuit breaker.
    #[must_use]
    pub(crate) fn state(&self) -> State {
        self.0.breaker.state()
    }

    /// Calls the dependency with an operation that is safe to repeat.
    ///
    /// `attempt` is made once, and again if its [`Failure`] allows a retry: until the
    /// request's deadline after [`Failure::Conflict`], otherwise as the policy allows.
    /// Each attempt gets a context with a deadline of its own, and is dropped when that
    /// has passed.
    ///
    /// # Errors
    ///
    /// [`CallError`] if no attempt succeeded.
    // Not `AsyncFnMut`: its future cannot be required to be `Send`.
    pub async fn call<T, E: Classify, F>(
        &self,
        ctx: &RequestContext,
        mut attempt: impl FnMut(RequestContext) -> F,
    ) -> Result<T, CallError<E>>
    where
        F: Future<Output = Result<T, E>>,
    {
        let name = self.0.name;
        let (mut retries, mut budgeted_retries, mut is_unhealthy) = (0, 0, false);
        loop {
            if ctx.deadline.remaining() < MIN_TIME_LEFT {
                let elapsed = CallError::Elapsed { name };
                return Err(if is_unhealthy {
                    elapsed
                } else {
                    elapsed.hurried(ctx)
                });
            }
            let permit = self
                .permit(ctx, PROBE_WAIT)
                .await
                .map_err(|retry_after| CallError::Open { name, retry_after })?;
            let Attempted {
                result,
                outcome,
                evidence,
            } = self
                .attempt(permit, ctx, Some(ctx.deadline), &mut attempt)
                .await;
            if retries == 0 && evidence != Evidence::None {
                self.0.budget.record_request();
            }
            is_unhealthy |= evidence == Evidence::Unhealthy;
            let is_late = matches!(outcome, Outcome::Failed(Failure::Late(_)));
            let result = if is_late && !is_unhealthy {
                result.map_err(|error| error.hurried(ctx))
            } else {
                result
            };
            // An open breaker would refuse the next attempt.
            if result.is_ok() || self.state() != State::Closed {
                return result;
            }
            let pause = self.0.policy.pause(retries);
            let (budgeted, pause) = match (outcome, evidence) {
                // The budget bounds what an unhealthy dependency is sent.
                (Outcome::Failed(Failure::Conflict), _) => (false, pause),
                (
                    Outcome::Failed(Failure::Transient(not_before) | Failure::Late(not_before)),
                    Evidence::Unhealthy,
                ) => (true, pause.max(not_before.unwrap_or_default())),
                // What is no evidence is not retried, so that no caller can spend the budget.
                _ => return result,
            };
            if !has_time_after(pause, ctx) {
                return result;
            }
            let is_last = budgeted_retries == self.0.policy.retries;
            if budgeted && (is_last || !self.0.budget.try_take_retry()) {
                return result;
            }
            retries += 1;
            budgeted_retries += u32::from(budgeted);
            ctx.record.add_retry(name);
            tracing::debug!(
                dependency = name,
                pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX),
                "retry"
            );
            sleep(pause).await;
        }
    }

    /// Pauses before an operation of several calls makes retry number `retry`, counted
    /// from 0: after another request's write, or after an incomplete response. Returns
    /// `false` at once if there would not be enough time for the retry.
    pub async fn pause(&self, ctx: &RequestContext, retry: u32) -> bool {
        let pause = self.0.policy.pause(retry);
        let in_time = has_time_after(pause, ctx);
        if in_time {
            sleep(pause).await;
        }
        in_time
    }

    /// Makes one attempt and records its outcome. `request_deadline` is `None` for a
    /// probe of a half-open breaker.
    async fn attempt<T, E: Classify, F>(
        &self,
        permit: Permit,
        ctx: &RequestContext,
        request_deadline: Option<Deadline>,
        attempt: impl FnOnce(RequestContext) -> F,
    ) -> Attempted<T, E>
    where
        F: Future<Output = Result<T, E>>,
    {
        let name = self.0.name;
        let granted = Deadline::within(self.0.policy.attempt);
        let (deadline, allowance) = match request_deadline {
            Some(request) if request.instant() < granted.instant() => (request, Allowance::Cut),
            _ => (granted, Allowance::Full),
        };
        let attempted = timeout_at(deadline.instant(), attempt(ctx.with_deadline(deadline)));
        let (ended, was_suspended) = match request_deadline {
            Some(_) => (attempted.await, false),
            None => detect_suspension(attempted).await,
        };
        let (result, failure) = match ended {
            Ok(Ok(value)) => (Ok(value), None),
            Ok(Err(error)) => {
                let failure = error.failure();
                (Err(CallError::Failed { name, error }), Some(failure))
            }
            Err(_) => (Err(CallError::Elapsed { name }), Some(Failure::Late(None))),
        };
        let outcome = match failure {
            None => Outcome::Succeeded,
            // It shows nothing about the dependency.
            Some(_) if was_suspended => Outcome::Abandoned,
            Some(failure) => Outcome::Failed(failure),
        };
        if request_deadline.is_none() {
            let suspended = outcome == Outcome::Abandoned;
            self.0.suspended.store(suspended, Ordering::Relaxed);
        }
        let evidence = permit.end(outcome, allowance);
        if self.state() == State::Open {
            ctx.record.set_breaker_open(name);
        }
        Attempted {
            result,
            outcome,
            evidence,
        }
    }

    /// Whether the dependency is healthy, by its probe: for health checks. While
    /// the breaker is open, nothing is sent.
    pub(crate) async fn is_healthy(&self, ctx: &RequestContext) -> bool {
        let Ok(permit) = self.permit(ctx, ctx.deadline.remaining()).await else {
            return false;
        };
        self.probe(permit, ctx, Some(ctx.deadline)).await
    }

    /// Sends a probe and returns whether it succeeded; the log has the reason if not.
    async fn probe(
        &self,
        permit: Permit,
        ctx: &RequestContext,
        request_deadline: Option<Deadline>,
    ) -> bool {
        let probe = |ctx| (self.0.probe)(ctx);
        let probed = self.attempt(permit, ctx, request_deadline, probe).await;
        if let Err(error) = &probed.result {
            let (dependency, cause) = (self.0.name, error_chain(error));
            tracing::warn!(dependency, cause, "a probe failed");
        }
        probed.result.is_ok()
    }

    /// The permission to make an attempt. While the breaker is half-open, a probe
    /// is sent first, with the policy's time and not the request's: it continues
    /// when the request has stopped waiting for it after `wait`.
    ///
    /// Lambda suspends a process that has responded, and the probe with it: the request
    /// after that waits for a new probe, which would never end otherwise.
    async fn permit(&self, ctx: &RequestContext, wait: Duration) -> Result<Permit, Duration> {
        let acquire = || {
            let permit = self.0.breaker.acquire();
            permit.inspect_err(|_| ctx.record.set_breaker_open(self.0.name))
        };
        let permit = acquire()?;
        if !permit.is_probe() {
            return Ok(permit);
        }
        let wait = if self.0.suspended.load(Ordering::Relaxed) {
            self.0.policy.attempt.min(ctx.deadline.remaining())
        } else {
            wait
        };
        let (dependency, probed) = (self.clone(), ctx.clone());
        let probing = async move {
            dependency.probe(permit, &probed, None).await;
        };
        // In time or not: the breaker's state now is what counts.
        let _ = timeout(wait, tokio::spawn(probing.in_current_span())).await;
        let permit = acquire()?;
        // The probe showed nothing, and a request is never a probe.
        if permit.is_probe() {
            return Err(Duration::ZERO);
        }
        Ok(permit)
    }
}

/// Whether a retry after this pause would have enough time.
fn has_time_after(pause: Duration, ctx: &RequestContext) -> bool {
    ctx.deadline.remaining() > pause + MIN_RETRY_TIME
}

/// Runs a probe and returns also whether the process was suspended meanwhile.
async fn detect_suspension<F: Future>(probe: F) -> (F::Output, bool) {
    let mut probe = pin!(probe);
    let mut suspended = false;
    loop {
        let ticked = Instant::now();
        let ended = timeout(TICK, probe.as_mut()).await;
        suspended |= ticked.elapsed() > SUSPENDED;
        if let Ok(output) = ended {
            return (output, suspended);
        }
    }
}

impl Classify for ProbeError {
    fn failure(&self) -> Failure {
        self.failure
    }
}

impl<E> CallError<E> {
    /// The same error, where the time that the request had is the only known reason.
    fn hurried(self, ctx: &RequestContext) -> Self {
        ctx.record.time_out();
        match self {
            Self::Elapsed { name } => Self::Hurried { name, error: None },
            Self::Failed { name, error } => Self::Hurried {
                name,
                error: Some(error),
            },
            other => other,
        }
    }
}

impl<E: Error + Send + Sync + 'static> CallError<E> {
    /// 503 with `Retry-After`: the request cannot be served without this
    /// dependency. `what` is its name for clients.
    pub fn into_problem(self, what: &str) -> Problem {
        let detail = match &self {
            Self::Open { .. } => format!("{what} has failed recently and is not called for now."),
            Self::Elapsed { .. } | Self::Hurried { .. } => {
                format!("{what} did not respond in time.")
            }
            Self::Failed { .. } => format!("{what} is unavailable."),
        };
        let retry_after = match &self {
            Self::Open { retry_after, .. } => *retry_after,
            Self::Elapsed { .. } | Self::Hurried { .. } | Self::Failed { .. } => Duration::ZERO,
        };
        Problem::unavailable(detail, retry_after).with_source(self)
    }
}
