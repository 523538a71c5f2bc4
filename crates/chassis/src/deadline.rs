//! The time that a request has.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

/// The part of a function's time that is reserved for returning the response
/// before the platform ends the function.
const RESERVE: Duration = Duration::from_millis(250);

/// The time of a request where the platform names no plausible deadline, as
/// `cargo lambda watch` does: a little less than a deployed function's timeout of
/// 10 s.
const DEFAULT: Duration = Duration::from_millis(9_750);

/// When the response to a request must be ready.
#[derive(Debug, Clone, Copy)]
pub struct Deadline(Instant);

impl Deadline {
    /// The deadline `time` from now.
    #[must_use]
    pub fn within(time: Duration) -> Self {
        Self(Instant::now() + time)
    }

    /// Lambda's deadline in milliseconds since the epoch, less the reserve.
    ///
    /// A deadline that passed an hour ago or earlier is a placeholder: the request
    /// then gets [`Self::default_for_request`].
    #[must_use]
    pub(crate) fn from_lambda(epoch_ms: u64) -> Self {
        const HOUR: Duration = Duration::from_hours(1);
        let at = SystemTime::UNIX_EPOCH + Duration::from_millis(epoch_ms);
        match at.duration_since(SystemTime::now()) {
            Ok(left) => Self::within(left.saturating_sub(RESERVE)),
            Err(past) if past.duration() < HOUR => Self::within(Duration::ZERO),
            Err(_) => Self::default_for_request(),
        }
    }

    /// The deadline of a request for which the platform names no plausible one.
    #[must_use]
    pub(crate) fn default_for_request() -> Self {
        Self::within(DEFAULT)
    }

    /// The earlier of this deadline and `time` from now.
    #[must_use]
    pub fn at_most(self, time: Duration) -> Self {
        let then = Instant::now().checked_add(time);
        Self(then.map_or(self.0, |then| self.0.min(then)))
    }

    /// The deadline by which a caller that waits for `time` gets its response:
    /// a tenth of that is reserved, but at most the function's own reserve.
    #[must_use]
    pub(crate) fn for_caller(self, time: Duration) -> Self {
        self.at_most(time.saturating_sub((time / 10).min(RESERVE)))
    }

    /// The time that is left.
    #[must_use]
    pub fn remaining(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// The deadline as an instant.
    #[must_use]
    pub fn instant(self) -> Instant {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lambda(offset_ms: i64) -> Duration {
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap();
        let at = i64::try_from(now.as_millis()).unwrap() + offset_ms;
        Deadline::from_lambda(u64::try_from(at).unwrap()).remaining()
    }

    #[tokio::test(start_paused = true)]
    async fn time_to_respond_is_reserved() {
        // The deadline is a time of the system's clock, which is not paused.
        let started = SystemTime::now();
        let left = lambda(5_000);
        let elapsed = started.elapsed().unwrap();
        assert!(left <= Duration::from_millis(4_750), "{left:?}");
        let least = Duration::from_millis(4_749).saturating_sub(elapsed);
        assert!(left >= least, "{left:?} after {elapsed:?}");
        assert_eq!(lambda(100), Duration::ZERO);
        assert_eq!(lambda(-100), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_caller_gets_its_response_while_it_waits() {
        let ours = Deadline::within(Duration::from_secs(9));
        for (theirs_ms, left_ms) in [
            (0, 0),
            (100, 90),
            (2_000, 1_800),
            (8_000, 7_750),
            (60_000, 9_000),
        ] {
            let left = ours
                .for_caller(Duration::from_millis(theirs_ms))
                .remaining();
            assert_eq!(left, Duration::from_millis(left_ms));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_placeholder_is_not_a_deadline() {
        assert_eq!(Deadline::from_lambda(600_000).remaining(), DEFAULT);
    }
}
