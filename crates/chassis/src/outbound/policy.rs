//! How a dependency is called.

use std::time::Duration;

/// The longest pause before any retry.
const MAX_PAUSE: Duration = Duration::from_millis(400);

/// How a dependency is called. [`Policy::default`] fits a service or a store in
/// the same region that responds within milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// The timeout of opening a connection. Within a region that is a
    /// millisecond or two; one second allows for a packet that is lost twice.
    pub connect: Duration,
    /// The timeout of one attempt, its connection included. 2 s leave room
    /// for a cold start behind it, and for a second attempt within a function's
    /// 10 s.
    pub attempt: Duration,
    /// The number of retries after failures of the dependency. A conflict of concurrent
    /// requests is none: it is retried until the request's deadline.
    pub retries: u32,
    /// The longest pause before the first retry; it doubles with each retry, up to
    /// 400 ms.
    pub backoff: Duration,
    /// The limit of retries per 100 requests, over 10 s.
    pub budget_percent: u32,
    /// The percentage of failed attempts in the window that opens the breaker.
    pub failure_percent: u32,
    /// The time over which attempts are counted: long enough to see some of a
    /// function with little traffic, short enough to follow a recovery.
    pub window: Duration,
    /// The fewest attempts in the window for which the percentage means
    /// something.
    pub min_attempts: u32,
    /// The time that the breaker stays open before it lets a probe through.
    pub open: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(1),
            attempt: Duration::from_secs(2),
            retries: 2,
            backoff: Duration::from_millis(50),
            budget_percent: 20,
            failure_percent: 50,
            window: Duration::from_secs(10),
            min_attempts: 5,
            open: Duration::from_secs(2),
        }
    }
}

impl Policy {
    /// The pause before retry number `retry`, counted from 0: random up to the
    /// longest ("full jitter"), so that clients that failed together do not retry
    /// at the same time.
    /// Source: AWS Architecture Blog, "Exponential Backoff And Jitter".
    #[must_use]
    pub(crate) fn pause(&self, retry: u32) -> Duration {
        let longest = self.backoff.saturating_mul(1 << retry.min(16));
        longest.min(MAX_PAUSE).mul_f64(fastrand::f64())
    }
}
