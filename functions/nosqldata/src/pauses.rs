//! Pauses between tries of what others come between.

use std::time::Duration;

use chassis::Deadline;
use tokio::time::sleep;

/// A try with less time than this would only be cut off.
const LEAST: Duration = Duration::from_millis(50);

/// The pauses between tries: random ones, so that those who met do not meet
/// again, and longer each time.
pub(crate) struct Pauses {
    deadline: Deadline,
    most: Duration,
}

impl Pauses {
    /// Pauses for as long as there is time.
    pub(crate) fn until(deadline: Deadline) -> Self {
        let most = Duration::from_millis(10);
        Self { deadline, most }
    }

    /// Waits, unless too little time would be left: then there is no next try.
    pub(crate) async fn pause(&mut self) -> bool {
        let pause = self.most.mul_f64(fastrand::f64());
        self.most = (self.most * 2).min(Duration::from_millis(400));
        let in_time = pause + LEAST < self.deadline.remaining();
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
        assert!(deadline.remaining() < LEAST + Duration::from_millis(400));
        assert!(tries > 10, "{tries}");
    }
}
