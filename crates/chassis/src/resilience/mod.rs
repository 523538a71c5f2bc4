//! Calls out of a service, made so that the other side may fail.
//!
//! Whatever a service calls (another service, `DynamoDB`, `MySQL`) is a
//! [`Dependency`]. A call goes through it and meets, in this order: the
//! request's deadline, the dependency's circuit breaker, a time-out for each
//! attempt, and retries with full jitter within a budget. What comes back is
//! either what the dependency returned or a [`CallError`] that a caller can
//! handle. What moves the breaker and the budget is stated once, in
//! [`Outcome::evidence`].

mod breaker;
mod budget;
mod outcome;
mod policy;

use std::{fmt, sync::Arc, time::Duration};

pub use breaker::{Breaker, Permit, State};
pub use budget::Budget;
use futures_util::future::BoxFuture;
use outcome::Retry;
pub use outcome::{Allowance, Classify, Evidence, Failure, Outcome};
pub use policy::Policy;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::{Call, Deadline, Problem, span::Span};

/// A call that has less time than this is not made: no answer would come.
const LEAST: Duration = Duration::from_millis(5);

/// How long a request that comes when it is time for a probe waits for what
/// the probe finds. A dependency that is well again answers in less; one that
/// is not must not slow the request down.
const PATIENCE: Duration = Duration::from_millis(15);

/// A time-out that fires this long after it was due shows that the process was
/// suspended meanwhile, as Lambda does to a function that has responded.
const SUSPENDED: Duration = Duration::from_millis(250);

/// Why a call brought nothing.
#[derive(Debug, thiserror::Error)]
pub enum CallError<E> {
    /// The breaker is open: nothing went out. It lets a probe through in this
    /// time.
    #[error("the circuit breaker of {name} is open")]
    Open {
        /// The dependency.
        name: &'static str,
        /// When it may be asked again.
        retry_after: Duration,
    },
    /// The request's time was up before there was an answer.
    #[error("{name} did not answer in the time there was")]
    Elapsed {
        /// The dependency.
        name: &'static str,
    },
    /// The last attempt failed like this.
    #[error("{name} failed")]
    Failed {
        /// The dependency.
        name: &'static str,
        /// How.
        #[source]
        error: E,
    },
}

/// Something that a service calls, with what has been learnt of it so far. One
/// for the process; clones share what they learn.
#[derive(Clone)]
pub struct Dependency {
    name: &'static str,
    policy: Policy,
    breaker: Breaker,
    budget: Budget,
    probe: Arc<dyn Fn(Call) -> BoxFuture<'static, Result<(), Failure>> + Send + Sync>,
}

/// An attempt that has ended.
struct Attempted<T, E> {
    result: Result<T, CallError<E>>,
    outcome: Outcome,
    allowance: Allowance,
    evidence: Evidence,
}

impl fmt::Debug for Dependency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dependency")
            .field("name", &self.name)
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}

impl Dependency {
    /// The dependency called `name`, called by this policy. `probe` checks its
    /// health by the cheapest request that it answers.
    #[must_use]
    pub fn new<F, E: Classify>(
        name: &'static str,
        policy: Policy,
        probe: impl Fn(Deadline) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
    {
        Self::service(name, policy, move |call| probe(call.deadline))
    }

    /// The same for another service: where its API is, the request on whose way
    /// the probe is sent may be the only one to know.
    #[must_use]
    pub fn service<F, E: Classify>(
        name: &'static str,
        policy: Policy,
        probe: impl Fn(Call) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
    {
        Self {
            name,
            breaker: Breaker::new(name, policy.clone()),
            budget: Budget::new(policy.budget_percent),
            policy,
            probe: Arc::new(move |call| {
                let probed = probe(call);
                Box::pin(async { probed.await.map_err(|error| error.failure()) })
            }),
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// How it is called.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// What its breaker lets through.
    #[must_use]
    pub fn state(&self) -> State {
        self.breaker.state()
    }

    /// Calls it with what is safe to repeat: `attempt` is made once, and again
    /// as the policy allows where a [`Failure`] says that it may help. Each
    /// attempt is given a deadline of its own, and is dropped when that has
    /// passed.
    ///
    /// # Errors
    ///
    /// [`CallError`], where no attempt brought what was asked for.
    pub async fn call<T, E: Classify, F>(
        &self,
        call: &Call,
        attempt: impl FnMut(Deadline) -> F,
    ) -> Result<T, CallError<E>>
    where
        F: Future<Output = Result<T, E>>,
    {
        self.call_at_most(self.policy.retries, call, attempt).await
    }

    /// Calls it once, whatever comes of it: what is not safe to repeat, and
    /// what somebody waits for who would rather know.
    ///
    /// # Errors
    ///
    /// [`CallError`], where the attempt did not bring what was asked for.
    pub async fn call_once<T, E: Classify, F>(
        &self,
        call: &Call,
        attempt: impl FnMut(Deadline) -> F,
    ) -> Result<T, CallError<E>>
    where
        F: Future<Output = Result<T, E>>,
    {
        self.call_at_most(0, call, attempt).await
    }

    // Not `AsyncFnMut`: of what that gives, nobody can say that it is `Send`.
    async fn call_at_most<T, E: Classify, F>(
        &self,
        retries: u32,
        call: &Call,
        mut attempt: impl FnMut(Deadline) -> F,
    ) -> Result<T, CallError<E>>
    where
        F: Future<Output = Result<T, E>>,
    {
        let name = self.name;
        let mut tried = 0;
        loop {
            if call.deadline.remaining() < LEAST {
                return Err(CallError::Elapsed { name });
            }
            let permit = self
                .permit(call, PATIENCE)
                .await
                .map_err(|retry_after| CallError::Open { name, retry_after })?;
            let Attempted {
                result,
                outcome,
                allowance,
                evidence,
            } = self
                .attempt(permit, Some(call.deadline), &mut attempt)
                .await;
            if tried == 0 && evidence != Evidence::None {
                self.budget.request();
            }
            if result.is_ok() || tried == retries {
                return result;
            }
            let (budgeted, not_before) = match outcome.retry(allowance) {
                Retry::No => return result,
                Retry::Unbudgeted => (false, Duration::ZERO),
                Retry::Budgeted(not_before) => (true, not_before),
            };
            let pause = self.policy.pause(tried).max(not_before);
            let in_time = call.deadline.remaining() > pause + LEAST;
            if !in_time || (budgeted && !self.budget.retry()) {
                return result;
            }
            tried += 1;
            tracing::debug!(
                request_id = call.request_id,
                dependency = name,
                pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX),
                "retry"
            );
            sleep(pause).await;
        }
    }

    /// Makes one attempt and records its outcome. `caller` is the deadline of
    /// the request that it is made for; a probe of a half-open breaker has none.
    async fn attempt<T, E: Classify, F>(
        &self,
        permit: Permit,
        caller: Option<Deadline>,
        attempt: impl FnOnce(Deadline) -> F,
    ) -> Attempted<T, E>
    where
        F: Future<Output = Result<T, E>>,
    {
        let name = self.name;
        let granted = Deadline::within(self.policy.attempt);
        let (deadline, allowance) = match caller {
            Some(caller) if caller.instant() < granted.instant() => (caller, Allowance::Cut),
            _ => (granted, Allowance::Full),
        };
        let attempted = timeout_at(deadline.instant(), attempt(deadline)).await;
        let overdue = Instant::now().saturating_duration_since(deadline.instant());
        let (result, outcome) = match attempted {
            Ok(Ok(value)) => (Ok(value), Outcome::Succeeded),
            Ok(Err(error)) => {
                let outcome = Outcome::Failed(error.failure());
                (Err(CallError::Failed { name, error }), outcome)
            }
            Err(_) if overdue > SUSPENDED => (Err(CallError::Elapsed { name }), Outcome::Abandoned),
            Err(_) => {
                let outcome = Outcome::Failed(Failure::Late(None));
                (Err(CallError::Elapsed { name }), outcome)
            }
        };
        Attempted {
            evidence: permit.end(outcome, allowance),
            result,
            outcome,
            allowance,
        }
    }

    /// Whether it is healthy, by its probe: for health checks. While the breaker
    /// is open nothing is sent.
    pub async fn is_healthy(&self, call: &Call) -> bool {
        let Ok(permit) = self.permit(call, call.deadline.remaining()).await else {
            return false;
        };
        let probe = |deadline| (self.probe)(call.by(deadline));
        let probed = self.attempt(permit, Some(call.deadline), probe).await;
        probed.result.is_ok()
    }

    /// The permission to make an attempt. Where it is time for a probe, that is
    /// sent first, with the policy's time and not the request's: it goes on when
    /// the request has run out of `patience` and has been answered.
    async fn permit(&self, call: &Call, patience: Duration) -> Result<Permit, Duration> {
        let permit = self.breaker.acquire()?;
        if !permit.is_probe() {
            return Ok(permit);
        }
        let (dependency, call) = (self.clone(), call.clone());
        let probing = tokio::spawn(Span::carried(async move {
            let probe = |deadline| (dependency.probe)(call.by(deadline));
            dependency.attempt(permit, None, probe).await;
        }));
        // In time or not: the breaker's state now is what counts.
        let _ = timeout(patience, probing).await;
        let permit = self.breaker.acquire()?;
        // The probe showed nothing, and a request is never a probe.
        if permit.is_probe() {
            return Err(Duration::ZERO);
        }
        Ok(permit)
    }
}

impl<E> CallError<E> {
    /// When it is worth trying again, in whole seconds, at least one.
    #[must_use]
    pub fn retry_after_s(&self) -> u64 {
        match self {
            Self::Open { retry_after, .. } => {
                let fraction = u64::from(retry_after.subsec_nanos() > 0);
                (retry_after.as_secs() + fraction).max(1)
            }
            Self::Elapsed { .. } | Self::Failed { .. } => 1,
        }
    }
}

impl<E: std::error::Error + Send + Sync + 'static> CallError<E> {
    /// The problem that answers a request which cannot be served without this
    /// dependency, 503 with `Retry-After`; `what` names it as a client knows it.
    pub fn into_problem(self, what: &str) -> Problem {
        let detail = match &self {
            Self::Open { .. } => format!("{what} has failed lately and is given time to recover."),
            Self::Elapsed { .. } => format!("{what} did not answer in time."),
            Self::Failed { .. } => format!("{what} is away."),
        };
        Problem::unavailable(detail, self.retry_after_s()).with_source(self)
    }
}

/// The instant `after` from now; what no instant can hold is as good as never.
fn later(after: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(after).unwrap_or(now)
}

#[cfg(test)]
mod tests;
