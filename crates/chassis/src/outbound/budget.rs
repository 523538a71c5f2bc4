//! The retry budget: retries must not add load to a dependency that fails.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// The window in which requests and retries are counted.
const WINDOW: Duration = Duration::from_secs(10);

/// A limit of the retries per request, over any 10 s.
///
/// One retry in 10 s is always allowed: a function that is called now and then
/// could otherwise never retry, and one retry in 10 s adds hardly any load.
#[derive(Debug)]
pub(super) struct RetryBudget {
    percent: usize,
    window: Mutex<Window>,
}

#[derive(Debug, Default)]
struct Window {
    requests: VecDeque<Instant>,
    retries: VecDeque<Instant>,
}

impl RetryBudget {
    /// `percent` retries for 100 requests.
    #[must_use]
    pub(super) fn new(percent: u32) -> Self {
        Self {
            percent: usize::try_from(percent).unwrap_or(usize::MAX),
            window: Mutex::default(),
        }
    }

    /// Counts a request: a first attempt that is evidence about the dependency, so
    /// that no caller can raise the number of retries.
    pub(super) fn record_request(&self) {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        window.drop_expired();
        window.requests.push_back(Instant::now());
    }

    /// Takes one retry from the budget; `false` if none is left.
    #[must_use]
    pub(super) fn try_take_retry(&self) -> bool {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        window.drop_expired();
        let most = match self.percent {
            0 => 0,
            percent => (window.requests.len() * percent / 100).max(1),
        };
        let allowed = window.retries.len() < most;
        if allowed {
            window.retries.push_back(Instant::now());
        }
        allowed
    }

    /// The requests and the retries of the last 10 s.
    #[cfg(test)]
    pub(super) fn counts(&self) -> (usize, usize) {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        window.drop_expired();
        (window.requests.len(), window.retries.len())
    }
}

impl Window {
    /// Drops what is longer ago than the window.
    fn drop_expired(&mut self) {
        let now = Instant::now();
        for times in [&mut self.requests, &mut self.retries] {
            while times.front().is_some_and(|&then| now - then >= WINDOW) {
                times.pop_front();
            }
        }
    }
}
