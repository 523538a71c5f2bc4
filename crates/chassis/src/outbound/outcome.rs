//! The evidence that the outcome of an attempt is about a dependency.
//!
//! One rule moves a circuit breaker and a retry budget, for calls and for
//! health probes alike: [`Outcome::evidence`]. Nothing that a caller controls
//! (its deadline, a disconnect, the size or the validity of its request) is
//! evidence, because any client could otherwise open a breaker for all others.

use std::time::Duration;

/// How an attempt failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The dependency did what was requested, and the result is one that the
    /// caller handles as an error: a condition does not hold, a row is missing.
    Answered,
    /// Concurrent requests conflicted: a deadlock, a conflict of
    /// transactions. The dependency is healthy, and a retry usually succeeds.
    Conflict,
    /// The dependency rejected the request as invalid or too large.
    Rejected,
    /// The request never left this process.
    Unsent,
    /// The dependency failed, and more time would not have helped. A retry is safe,
    /// but not before this time has passed, if it sent one (`Retry-After`).
    Transient(Option<Duration>),
    /// The time may be why: no response in time, or the response of a service
    /// that is passed the deadline and may have run out of it (503). A retry is
    /// safe, as for [`Failure::Transient`].
    Late(Option<Duration>),
    /// The dependency failed, and a retry is unsafe or of no use.
    Broken,
}

/// An error that knows how the attempt failed.
pub trait Classify {
    /// How the attempt failed.
    fn failure(&self) -> Failure;
}

/// Every way in which an attempt can end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The dependency returned what was requested.
    Succeeded,
    /// It did not.
    Failed(Failure),
    /// The attempt was dropped before it ended: the caller disconnected, its
    /// deadline passed, a panic, or the platform suspended the process.
    Abandoned,
}

/// The time that an attempt was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Allowance {
    /// All that the policy grants.
    Full,
    /// Less, because the deadline of a request came first.
    Cut,
}

/// What an outcome shows about the health of the dependency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Evidence {
    /// It is healthy.
    Healthy,
    /// It is unhealthy.
    Unhealthy,
    /// Nothing.
    None,
}

impl Outcome {
    /// The rule: what this outcome of an attempt with this much time shows about the
    /// dependency.
    ///
    /// - A response to a valid request shows that the dependency is healthy,
    ///   whatever the response is.
    /// - A failure of the dependency shows that it is unhealthy. Where the time
    ///   may be the reason, it does so only if the attempt had all the time that
    ///   the policy grants: a shorter time is the caller's choice.
    /// - A request that was rejected, never sent or abandoned shows nothing.
    #[must_use]
    pub(crate) fn evidence(self, allowance: Allowance) -> Evidence {
        match (self, allowance) {
            (Self::Succeeded | Self::Failed(Failure::Answered | Failure::Conflict), _) => {
                Evidence::Healthy
            }
            (Self::Failed(Failure::Transient(_) | Failure::Broken), _)
            | (Self::Failed(Failure::Late(_)), Allowance::Full) => Evidence::Unhealthy,
            (Self::Failed(Failure::Late(_)), Allowance::Cut)
            | (Self::Failed(Failure::Rejected | Failure::Unsent) | Self::Abandoned, _) => {
                Evidence::None
            }
        }
    }
}
