//! The retry budget: retries must not add load to a dependency that fails.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// The time over which retries are held against requests.
const WINDOW: Duration = Duration::from_secs(10);

/// A limit of the retries per request, over any 10 s.
///
/// One retry in 10 s is always allowed: a function that is called now and then
/// would else never have a second try, and one call in 10 s amplifies nothing.
#[derive(Debug)]
pub struct RetryBudget {
    percent: usize,
    spent: Mutex<Spent>,
}

#[derive(Debug, Default)]
struct Spent {
    requests: VecDeque<Instant>,
    retries: VecDeque<Instant>,
}

impl RetryBudget {
    /// `percent` retries for 100 requests.
    #[must_use]
    pub fn new(percent: u32) -> Self {
        Self {
            percent: usize::try_from(percent).unwrap_or(usize::MAX),
            spent: Mutex::default(),
        }
    }

    /// Counts a request: a first attempt that is evidence about the dependency, so
    /// that no caller can raise the number of retries.
    pub fn request(&self) {
        let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        spent.forget();
        spent.requests.push_back(Instant::now());
    }

    /// Takes one retry from the budget; `false` if none is left.
    #[must_use]
    pub fn retry(&self) -> bool {
        let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        spent.forget();
        let most = match self.percent {
            0 => 0,
            percent => (spent.requests.len() * percent / 100).max(1),
        };
        let allowed = spent.retries.len() < most;
        if allowed {
            spent.retries.push_back(Instant::now());
        }
        allowed
    }

    /// The requests and the retries of the last 10 s.
    #[cfg(test)]
    pub(super) fn counts(&self) -> (usize, usize) {
        let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        spent.forget();
        (spent.requests.len(), spent.retries.len())
    }
}

impl Spent {
    /// Forgets what is longer ago than the window.
    fn forget(&mut self) {
        let now = Instant::now();
        for times in [&mut self.requests, &mut self.retries] {
            while times.front().is_some_and(|&then| now - then >= WINDOW) {
                times.pop_front();
            }
        }
    }
}
