// region: mysqldata nosqldata
//! Counts and checks the responses of one run.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use dto::problem::{MEDIA_TYPE, ProblemDetails};
use testbed::Response;

/// The limit of a response time: a function's timeout less its reserve.
const LONGEST_RESPONSE: Duration = Duration::from_millis(9_900);

/// The number of violations that are printed.
const PRINTED_VIOLATIONS: usize = 20;

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
    /// The descriptions of the responses that were neither correct nor a problem.
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
                let violation = format!("{request}: no response after {elapsed:?}");
                tally.violations.push(violation);
            }
            return Outcome::NoResponse;
        };
        tally.slowest = tally.slowest.max(elapsed);
        if elapsed > LONGEST_RESPONSE {
            let violation = format!("{request}: {status} after {elapsed:?}");
            tally.violations.push(violation);
        }
        if response.status.is_success() {
            return Outcome::Success(response);
        }
        let is_expected = status == 503 || expected.contains(&status);
        let defect = defect_of_problem(&response).or((!is_expected).then_some("unexpected"));
        if let Some(defect) = defect {
            let violation = format!("{request}: {status}, {defect}: {}", response.text());
            tally.violations.push(violation);
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
        self.lock().violations.push(violation);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Tally> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tally {
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

/// Prints the first of these violations, as progress.
pub fn print(violations: &[String]) {
    for violation in violations.iter().take(PRINTED_VIOLATIONS) {
        eprintln!("    ! {violation}");
    }
}

/// The defect of a response that has to be a problem; `None` if it is correct.
pub fn defect_of_problem(response: &Response) -> Option<&'static str> {
    if response.header("content-type") != MEDIA_TYPE {
        return Some("not a problem");
    }
    let Ok(problem) = serde_json::from_slice::<ProblemDetails>(&response.body) else {
        return Some("not the members of a problem");
    };
    let texts = [
        problem.r#type,
        problem.title,
        problem.detail,
        problem.instance,
        problem.request_id,
    ];
    if texts.iter().any(String::is_empty) || problem.status != response.status.as_u16() {
        return Some("an incomplete problem");
    }
    let has_retry_after = response
        .header("retry-after")
        .parse::<u32>()
        .is_ok_and(|s| s > 0);
    (response.status.as_u16() == 503 && !has_retry_after).then_some("no Retry-After")
}
// endregion
