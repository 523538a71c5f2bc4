//! Pauses between the tries of an operation: after another request's write, or while
//! the store leaves keys of a batch unprocessed.

use std::time::Duration;

use chassis::Deadline;
use tokio::time::sleep;

/// A try with less time left would not end in time.
const MIN_TIME_LEFT: Duration = Duration::from_millis(50);

/// The longest first pause.
const FIRST: Duration = Duration::from_millis(10);

/// The longest pause.
const MAX: Duration = Duration::from_millis(400);

/// Random pauses that grow, so that concurrent requests do not meet again.
pub(crate) struct Pauses {
    deadline: Deadline,
    longest: Duration,
}

impl Pauses {
    /// Pauses until the deadline.
    pub(crate) fn until(deadline: Deadline) -> Self {
        Self {
            deadline,
            longest: FIRST,
        }
    }

    /// Waits; `false` if there would not be enough time for another try.
    pub(crate) async fn pause(&mut self) -> bool {
        let pause = self.longest.mul_f64(fastrand::f64());
        self.longest = (self.longest * 2).min(MAX);
        let in_time = pause + MIN_TIME_LEFT < self.deadline.remaining();
        if in_time {
            sleep(pause).await;
        }
        in_time
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn pauses_end_before_the_deadline() {
        let deadline = Deadline::within(Duration::from_secs(5));
        let mut pauses = Pauses::until(deadline);
        let mut tries = 0;
        while pauses.pause().await {
            tries += 1;
        }
        assert!(deadline.remaining() > Duration::ZERO);
        assert!(deadline.remaining() < MIN_TIME_LEFT + MAX);
        assert!(tries > 10, "{tries}");
    }
}
