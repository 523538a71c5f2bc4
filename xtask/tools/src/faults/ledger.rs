// region: mysqldata nosqldata
//! Counts and checks the responses of one run.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use serde_json::Value;

use testbed::Response;

/// The limit of a response time: a function's timeout less its reserve.
pub const LONGEST_RESPONSE: Duration = Duration::from_millis(9_900);

/// The number of violations that are kept.
const KEPT_VIOLATIONS: usize = 20;

/// The counts of a run, shared by its clients.
#[derive(Debug, Default)]
pub struct Ledger(Mutex<Tally>);

/// The counts of a run.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// The number of responses by status; 0 represents no response.
    pub responses: BTreeMap<u16, usize>,
    /// The longest response time.
    pub slowest: Duration,
    /// Orders that were placed.
    pub placed: usize,
    /// The orders that were placed at snapshot prices.
    pub snapshots: usize,
    /// Requests to place an order that got 503.
    pub refused_orders: usize,
    /// The time of the last response that shows the effect of a fault.
    pub last_failure: Option<Instant>,
    /// The number of responses that were neither correct nor a problem.
    pub wrong: usize,
    /// The descriptions of the first of them.
    pub violations: Vec<String>,
}

/// The outcome of a request.
#[derive(Debug)]
pub enum Outcome {
    /// A successful response. The caller checks its content.
    Success(Response),
    /// A problem with an expected status.
    Problem(u16),
    /// No response: the outcome is unknown.
    NoResponse,
}

impl Ledger {
    /// Takes and resets the counts.
    pub fn take(&self) -> Tally {
        std::mem::take(&mut self.lock())
    }

    /// The number of orders placed, in total and at snapshot prices.
    pub fn placed(&self) -> (usize, usize) {
        let tally = self.lock();
        (tally.placed, tally.snapshots)
    }

    /// The time of the last response that shows the effect of a fault.
    pub fn last_failure(&self) -> Option<Instant> {
        self.lock().last_failure
    }

    /// Counts and checks the response to `request`, which took `elapsed`.
    ///
    /// A problem may have status 503 or one of `expected`.
    pub fn check(
        &self,
        request: &str,
        response: Option<Response>,
        elapsed: Duration,
        expected: &[u16],
        may_lose_responses: bool,
    ) -> Outcome {
        let mut tally = self.lock();
        let status = (response.as_ref()).map_or(0, |response| response.status.as_u16());
        *tally.responses.entry(status).or_default() += 1;
        if status == 503 || status == 0 {
            tally.last_failure = Some(Instant::now());
        }
        let Some(response) = response else {
            if !may_lose_responses {
                tally.add_violation(format!("{request}: no response after {elapsed:?}"));
            }
            return Outcome::NoResponse;
        };
        tally.slowest = tally.slowest.max(elapsed);
        if elapsed > LONGEST_RESPONSE {
            tally.add_violation(format!("{request}: {status} after {elapsed:?}"));
        }
        if response.status.is_success() {
            return Outcome::Success(response);
        }
        let is_expected = status == 503 || expected.contains(&status);
        if let Some(defect) = defect_of_problem(&response) {
            tally.add_violation(format!(
                "{request}: {status}, {defect}: {}",
                response.text()
            ));
        } else if !is_expected {
            tally.add_violation(format!("{request}: {status} {}", response.text()));
        }
        Outcome::Problem(status)
    }

    /// Counts an order that was placed, at snapshot or at live prices.
    pub fn add_order(&self, snapshot: bool) {
        let mut tally = self.lock();
        tally.placed += 1;
        if snapshot {
            tally.snapshots += 1;
            tally.last_failure = Some(Instant::now());
        }
    }

    /// Counts an order that was refused with 503.
    pub fn add_refused_order(&self) {
        self.lock().refused_orders += 1;
    }

    /// Counts a response whose content is wrong.
    pub fn add_violation(&self, violation: String) {
        self.lock().add_violation(violation);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Tally> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tally {
    fn add_violation(&mut self, violation: String) {
        self.wrong += 1;
        if self.violations.len() < KEPT_VIOLATIONS {
            self.violations.push(violation);
        }
    }

    /// The responses by status, as in the table.
    pub fn by_status(&self) -> String {
        let responses = self.responses.iter().map(|(status, count)| match status {
            0 => format!("none × {count}"),
            status => format!("{status} × {count}"),
        });
        responses.collect::<Vec<_>>().join(", ")
    }

    /// The number of requests.
    pub fn requests(&self) -> usize {
        self.responses.values().sum()
    }
}

/// The defect of a response that has to be a problem; `None` if it is correct.
pub fn defect_of_problem(response: &Response) -> Option<&'static str> {
    if response.header("content-type") != "application/problem+json" {
        return Some("not a problem");
    }
    let Ok(problem) = serde_json::from_slice::<Value>(&response.body) else {
        return Some("invalid JSON");
    };
    let has = |member: &str| problem[member].as_str().is_some_and(|it| !it.is_empty());
    if !["type", "title", "detail", "instance", "requestId"]
        .into_iter()
        .all(has)
        || problem["status"] != response.status.as_u16()
    {
        return Some("an incomplete problem");
    }
    let has_retry_after = response
        .header("retry-after")
        .parse::<u32>()
        .is_ok_and(|s| s > 0);
    (response.status.as_u16() == 503 && !has_retry_after).then_some("no Retry-After")
}
// endregion
