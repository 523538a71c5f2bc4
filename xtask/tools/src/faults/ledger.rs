//! What was asked and what came of it: every answer judged, and every
//! acknowledged write held against what the stores have in the end.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use serde_json::Value;

use testbed::Response;

/// A function's time-out less what it keeps back: no answer takes longer.
pub const LATEST: Duration = Duration::from_millis(9_900);

/// The most complaints that are kept: the first say it all.
const COMPLAINTS: usize = 20;

/// What is counted while the clients are at it.
#[derive(Debug, Default)]
pub struct Ledger(Mutex<Tally>);

/// What was counted.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// The answers by status; those that never came by 0.
    pub answers: BTreeMap<u16, usize>,
    /// The slowest answer.
    pub slowest: Duration,
    /// Orders that were placed.
    pub placed: usize,
    /// Those of them at the prices of snapshots.
    pub snapshots: usize,
    /// Requests for an order that were answered with 503.
    pub refused_orders: usize,
    /// When an answer last showed that something is wrong.
    pub last_trouble: Option<Instant>,
    /// How many answers were neither right nor a problem.
    pub wrong: usize,
    /// The first of them, in words.
    pub complaints: Vec<String>,
}

/// What became of a request.
#[derive(Debug)]
pub enum Outcome {
    /// It was answered well; whether the answer is right is still to be seen.
    Answered(Response),
    /// A problem that says: not this time.
    Problem(u16),
    /// Nobody knows.
    Silence,
}

impl Ledger {
    /// What was counted since it was last asked.
    pub fn take(&self) -> Tally {
        std::mem::take(&mut self.lock())
    }

    /// The orders that were placed, and those of them at snapshots' prices.
    pub fn placed(&self) -> (usize, usize) {
        let tally = self.lock();
        (tally.placed, tally.snapshots)
    }

    /// When an answer last showed that something is wrong.
    pub fn last_trouble(&self) -> Option<Instant> {
        self.lock().last_trouble
    }

    /// Judges what a request brought after this time. A problem may have one
    /// of the statuses `may_be`, or 503.
    pub fn judge(
        &self,
        what: &str,
        answer: Option<Response>,
        took: Duration,
        may_be: &[u16],
        may_be_silent: bool,
    ) -> Outcome {
        let mut tally = self.lock();
        let status = answer.as_ref().map_or(0, |answer| answer.status.as_u16());
        *tally.answers.entry(status).or_default() += 1;
        if status == 503 || status == 0 {
            tally.last_trouble = Some(Instant::now());
        }
        let Some(answer) = answer else {
            if !may_be_silent {
                tally.complain(format!("{what}: no answer after {took:?}"));
            }
            return Outcome::Silence;
        };
        tally.slowest = tally.slowest.max(took);
        if took > LATEST {
            tally.complain(format!("{what}: {status} only after {took:?}"));
        }
        if answer.status.is_success() {
            return Outcome::Answered(answer);
        }
        let expected = status == 503 || may_be.contains(&status);
        if let Some(fault) = fault_of_problem(&answer) {
            tally.complain(format!("{what}: {status}, {fault}: {:?}", answer.body));
        } else if !expected {
            tally.complain(format!("{what}: {status} {:?}", answer.body));
        }
        Outcome::Problem(status)
    }

    /// An order that was placed; at the prices of snapshots, or live.
    pub fn order(&self, snapshot: bool) {
        let mut tally = self.lock();
        tally.placed += 1;
        if snapshot {
            tally.snapshots += 1;
            tally.last_trouble = Some(Instant::now());
        }
    }

    /// An order that was refused with 503.
    pub fn refused_order(&self) {
        self.lock().refused_orders += 1;
    }

    /// An answer that is not right.
    pub fn complain(&self, complaint: String) {
        self.lock().complain(complaint);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Tally> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tally {
    fn complain(&mut self, complaint: String) {
        self.wrong += 1;
        if self.complaints.len() < COMPLAINTS {
            self.complaints.push(complaint);
        }
    }

    /// The answers by status, as a table has them.
    pub fn by_status(&self) -> String {
        let answers = self.answers.iter().map(|(status, count)| match status {
            0 => format!("none × {count}"),
            status => format!("{status} × {count}"),
        });
        answers.collect::<Vec<_>>().join(", ")
    }

    /// All requests.
    pub fn requests(&self) -> usize {
        self.answers.values().sum()
    }
}

/// What is wrong with an answer that should be a problem, if anything is.
pub fn fault_of_problem(answer: &Response) -> Option<&'static str> {
    if answer.header("content-type") != "application/problem+json" {
        return Some("not a problem");
    }
    let Ok(problem) = serde_json::from_slice::<Value>(&answer.body) else {
        return Some("no JSON");
    };
    let has = |member: &str| problem[member].as_str().is_some_and(|it| !it.is_empty());
    if !["type", "title", "detail", "instance", "requestId"]
        .into_iter()
        .all(has)
        || problem["status"] != answer.status.as_u16()
    {
        return Some("half a problem");
    }
    let says_when = answer
        .header("retry-after")
        .parse::<u32>()
        .is_ok_and(|s| s > 0);
    (answer.status.as_u16() == 503 && !says_when).then_some("without Retry-After")
}
