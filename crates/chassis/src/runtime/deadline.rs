//! The time that a request has.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

/// What a function keeps back of its time to put an answer together and hand
/// it over before the platform ends it.
const TO_ANSWER: Duration = Duration::from_millis(250);

/// What a request gets where the platform names no deadline that makes sense,
/// as `cargo lambda watch` does: a little less than a deployed function's
/// time-out of 10 s.
const WITHOUT_ONE: Duration = Duration::from_millis(9_750);

/// When the answer to a request has to be ready.
#[derive(Debug, Clone, Copy)]
pub struct Deadline(Instant);

impl Deadline {
    /// In so much time from now.
    #[must_use]
    pub fn within(time: Duration) -> Self {
        Self(Instant::now() + time)
    }

    /// From Lambda's own deadline in milliseconds since the epoch, less the
    /// time to answer.
    ///
    /// One that lies hours back is no deadline but a placeholder, so the
    /// request gets the time of a deployed function.
    #[must_use]
    pub fn from_lambda(epoch_ms: u64) -> Self {
        const HOUR: Duration = Duration::from_hours(1);
        let at = SystemTime::UNIX_EPOCH + Duration::from_millis(epoch_ms);
        match at.duration_since(SystemTime::now()) {
            Ok(left) => Self::within(left.saturating_sub(TO_ANSWER)),
            Err(past) if past.duration() < HOUR => Self::within(Duration::ZERO),
            Err(_) => Self::within(WITHOUT_ONE),
        }
    }

    /// This one, or so much time from now if that is sooner.
    #[must_use]
    pub fn at_most(self, time: Duration) -> Self {
        let then = Instant::now().checked_add(time);
        Self(then.map_or(self.0, |then| self.0.min(then)))
    }

    /// This one, or sooner, so that the answer is with a caller who waits for
    /// so much `time`: what is kept back is a tenth of it, if that is less than
    /// a function keeps.
    #[must_use]
    pub fn for_caller(self, time: Duration) -> Self {
        self.at_most(time.saturating_sub((time / 10).min(TO_ANSWER)))
    }

    /// What is left of it.
    #[must_use]
    pub fn remaining(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// The instant that it is.
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
    async fn time_to_answer_is_kept_back() {
        let left = lambda(5_000);
        assert!(left > Duration::from_millis(4_500) && left <= Duration::from_millis(4_750));
        assert_eq!(lambda(100), Duration::ZERO);
        assert_eq!(lambda(-100), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_caller_is_answered_while_it_waits() {
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
    async fn a_placeholder_is_no_deadline() {
        assert_eq!(Deadline::from_lambda(600_000).remaining(), WITHOUT_ONE);
    }
}
