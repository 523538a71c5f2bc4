//! The circuit breaker: stops calls to a dependency that fails until it has recovered.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::{Allowance, Evidence, Outcome, Policy};

/// A circuit breaker. Closed, it lets every call through and counts failures;
/// when their rate is too high it opens and lets nothing through; after a time
/// it lets one probe through, and closes or opens again by the probe's outcome. If no
/// request comes for long, it closes: the failures are forgotten.
/// [`Outcome::evidence`] decides what counts as a failure.
#[derive(Debug, Clone)]
pub(super) struct Breaker {
    name: &'static str,
    policy: Policy,
    inner: Arc<Mutex<Inner>>,
}

/// The state of a breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// Every call passes.
    Closed,
    /// No call passes for some time.
    Open,
    /// One probe decides whether calls pass again.
    HalfOpen,
}

#[derive(Debug)]
enum Inner {
    /// When each attempt of the window ended, and whether it showed that the
    /// dependency is unhealthy.
    Closed(VecDeque<(Instant, bool)>),
    /// Until when nothing goes through.
    Open(Instant),
    /// A probe is under way.
    Probing,
}

/// The permission to make one attempt. Dropped, it counts as
/// [`Outcome::Abandoned`]: the next request may probe instead.
#[derive(Debug)]
#[must_use]
pub(super) struct Permit {
    breaker: Breaker,
    probe: bool,
    ended: bool,
}

impl Breaker {
    /// A closed one, for the dependency called `name`.
    #[must_use]
    pub(super) fn new(name: &'static str, policy: Policy) -> Self {
        Self {
            name,
            policy,
            inner: Arc::new(Mutex::new(Inner::Closed(VecDeque::new()))),
        }
    }

    /// The current state.
    #[must_use]
    pub(super) fn state(&self) -> State {
        match &*self.current() {
            Inner::Closed(_) => State::Closed,
            Inner::Open(until) if Instant::now() < *until => State::Open,
            Inner::Open(_) | Inner::Probing => State::HalfOpen,
        }
    }

    /// The permission to make an attempt.
    ///
    /// # Errors
    ///
    /// The time until a permit may be available, if there is none.
    pub(super) fn acquire(&self) -> Result<Permit, Duration> {
        let mut inner = self.current();
        let probe = match &*inner {
            Inner::Closed(_) => false,
            Inner::Open(until) => {
                let left = until.saturating_duration_since(Instant::now());
                if !left.is_zero() {
                    return Err(left);
                }
                *inner = Inner::Probing;
                true
            }
            // Its outcome is known after one attempt at the latest.
            Inner::Probing => return Err(self.policy.attempt),
        };
        Ok(Permit {
            breaker: self.clone(),
            probe,
            ended: false,
        })
    }

    fn record(&self, probe: bool, evidence: Evidence) {
        let mut inner = self.lock();
        let now = Instant::now();
        match (&mut *inner, evidence) {
            (Inner::Closed(attempts), Evidence::Healthy | Evidence::Unhealthy) => {
                let failed = evidence == Evidence::Unhealthy;
                attempts.push_back((now, failed));
                while attempts
                    .front()
                    .is_some_and(|&(then, _)| now - then >= self.policy.window)
                {
                    attempts.pop_front();
                }
                if !failed {
                    return;
                }
                let failures = attempts.iter().filter(|(_, failed)| *failed).count();
                let enough = attempts.len()
                    >= usize::try_from(self.policy.min_attempts).unwrap_or(usize::MAX);
                let rate = usize::try_from(self.policy.failure_percent).unwrap_or(100);
                if enough && failures * 100 >= attempts.len() * rate {
                    tracing::warn!(
                        dependency = self.name,
                        failures,
                        attempts = attempts.len(),
                        "breaker opens"
                    );
                    *inner = Inner::Open(now + self.policy.open);
                }
            }
            (Inner::Probing, Evidence::Unhealthy) if probe => {
                *inner = Inner::Open(now + self.policy.open);
            }
            (Inner::Probing, Evidence::Healthy) if probe => {
                tracing::info!(dependency = self.name, "breaker closes");
                *inner = Inner::Closed(VecDeque::new());
            }
            // Half-open as before: the next request may probe at once.
            (Inner::Probing, Evidence::None) if probe => *inner = Inner::Open(now),
            // An attempt from before the breaker opened is no new evidence.
            (Inner::Closed(_) | Inner::Probing | Inner::Open(_), _) => {}
        }
    }

    /// The state now. A breaker that had no request until its failures are out of the
    /// window closes: they are no evidence about the dependency any more.
    fn current(&self) -> MutexGuard<'_, Inner> {
        let mut inner = self.lock();
        if let Inner::Open(until) = *inner
            && until.elapsed() >= self.policy.window
        {
            *inner = Inner::Closed(VecDeque::new());
        }
        inner
    }

    /// The state is consistent between any two lines, so a panic elsewhere does
    /// not affect it.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The state's name in a health report.
    #[must_use]
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half-open",
        }
    }
}

impl Permit {
    /// Whether it is the one probe of a half-open breaker.
    #[must_use]
    pub(super) fn is_probe(&self) -> bool {
        self.probe
    }

    /// Ends the attempt: its outcome, given so much time, moves the breaker as
    /// [`Outcome::evidence`] states.
    pub(super) fn end(mut self, outcome: Outcome, allowance: Allowance) -> Evidence {
        self.ended = true;
        let evidence = outcome.evidence(allowance);
        self.breaker.record(self.probe, evidence);
        evidence
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if !self.ended {
            let evidence = Outcome::Abandoned.evidence(Allowance::Cut);
            self.breaker.record(self.probe, evidence);
        }
    }
}
