//! Calls out of a service, made so that the other side may fail.
//!
//! Whatever a service calls (another service, `DynamoDB`, `MySQL`) is a
//! [`Dependency`]. A call goes through it and meets, in this order: the
//! request's deadline, the dependency's circuit breaker, a time-out for each
//! attempt, and retries with full jitter within a budget. What comes back is
//! either what the dependency said or a [`CallError`] that a caller can answer.

mod breaker;
mod budget;
mod policy;

use std::{fmt, sync::Arc, time::Duration};

pub use breaker::{Breaker, Permit, State};
pub use budget::Budget;
use futures_util::future::BoxFuture;
pub use policy::Policy;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::{Call, Deadline, Problem, span::Span};

/// A call that has less time than this is not made: no answer would come.
const LEAST: Duration = Duration::from_millis(5);

/// How long a request that comes when it is time for a probe waits for what
/// the probe finds. A dependency that is well again answers in less; one that
/// is not must not slow the request down.
const PATIENCE: Duration = Duration::from_millis(15);

/// How an attempt failed, as far as what to do next depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The dependency answered, and the answer is about the request: it is
    /// well, and asking again would not change its mind.
    Answered,
    /// The dependency answered that something came between, such as a deadlock
    /// or a conflict of transactions: it is well, and asking again is the cure.
    Conflict,
    /// The dependency failed, and it is safe to ask again; not before this
    /// time, where it said so (`Retry-After`).
    Transient(Option<Duration>),
    /// The dependency failed, and to ask again might do something twice, or
    /// would be of no use.
    Broken,
}

/// What tells how an attempt failed.
pub trait Classify {
    /// How it failed.
    fn failure(&self) -> Failure;
}

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
    probe: Arc<dyn Fn(Call) -> BoxFuture<'static, bool> + Send + Sync>,
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
    /// The dependency called `name`, to be called by this policy. `probe` asks
    /// it whether it is well, in the cheapest way there is.
    #[must_use]
    pub fn new<F>(
        name: &'static str,
        policy: Policy,
        probe: impl Fn(Deadline) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = bool> + Send + 'static,
    {
        Self::service(name, policy, move |call| probe(call.deadline))
    }

    /// The same for another service: where its API is, the request on whose way
    /// the probe is sent may be the only one to know.
    #[must_use]
    pub fn service<F>(
        name: &'static str,
        policy: Policy,
        probe: impl Fn(Call) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = bool> + Send + 'static,
    {
        Self {
            name,
            breaker: Breaker::new(name, policy.clone()),
            budget: Budget::new(policy.budget_percent),
            policy,
            probe: Arc::new(move |call| Box::pin(probe(call))),
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
        self.budget.request();
        let mut tried = 0;
        loop {
            if call.deadline.remaining() < LEAST {
                return Err(CallError::Elapsed { name });
            }
            let permit = self
                .permit(call, PATIENCE)
                .await
                .map_err(|retry_after| CallError::Open { name, retry_after })?;
            let hurried = call.deadline.remaining() < self.policy.attempt;
            let deadline = call.deadline.at_most(self.policy.attempt);
            let attempted = timeout_at(deadline.instant(), attempt(deadline)).await;
            let (failure, error) = match attempted {
                Ok(Ok(value)) => {
                    permit.succeed();
                    return Ok(value);
                }
                Ok(Err(error)) => (error.failure(), CallError::Failed { name, error }),
                // Whether it was done nobody knows; it is safe to repeat.
                Err(_elapsed) => (Failure::Transient(None), CallError::Elapsed { name }),
            };
            // That a caller was in a hurry says nothing of the dependency.
            let cut_short = hurried && deadline.remaining().is_zero();
            let not_before = match failure {
                _ if cut_short => return Err(error),
                Failure::Answered => {
                    permit.succeed();
                    return Err(error);
                }
                Failure::Conflict => {
                    permit.succeed();
                    None
                }
                Failure::Transient(not_before) => {
                    permit.fail();
                    not_before
                }
                Failure::Broken => {
                    permit.fail();
                    return Err(error);
                }
            };
            let pause = self.policy.pause(tried).max(not_before.unwrap_or_default());
            let in_time = call.deadline.remaining() > pause + LEAST;
            if tried == retries || !in_time || !self.budget.retry() {
                return Err(error);
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

    /// Whether it is well, asked on purpose: for health. While the breaker is
    /// open nothing goes out for this either.
    pub async fn is_well(&self, call: &Call) -> bool {
        let deadline = call.deadline;
        let Ok(permit) = self.permit(call, deadline.remaining()).await else {
            return false;
        };
        let well = timeout_at(deadline.instant(), (self.probe)(call.clone()))
            .await
            .unwrap_or(false);
        if well {
            permit.succeed();
        } else {
            permit.fail();
        }
        well
    }

    /// The permission to make an attempt. Where it is time for a probe, that is
    /// sent on its own way first: it goes on when the request that set it off
    /// has lost patience and has been answered.
    async fn permit(&self, call: &Call, patience: Duration) -> Result<Permit, Duration> {
        let permit = self.breaker.acquire()?;
        if !permit.is_probe() {
            return Ok(permit);
        }
        let deadline = Deadline::within(self.policy.attempt);
        let probe = (self.probe)(call.by(deadline));
        let probing = tokio::spawn(Span::carried(async move {
            match timeout_at(deadline.instant(), probe).await {
                Ok(true) => permit.succeed(),
                Ok(false) | Err(_) => permit.fail(),
            }
        }));
        // Lost patience or not: what the breaker says now is what counts.
        let _ = timeout(patience, probing).await;
        self.breaker.acquire()
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
