// region: mysqldata nosqldata
//! One object of the API under observation.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use http::Method;
use serde_json::Value;
use tokio::time::sleep;

use super::{
    history::History,
    model::{Call, Condition, Model, Outcome},
};
use crate::{Client, Response};

/// The timeout of a request. A response that does not arrive in time is
/// an unknown outcome, whether the request runs on or was killed.
const TIMEOUT: Duration = Duration::from_secs(3);

/// The number of writes of unknown outcome after which an object is no longer used:
/// each may double the checker's work.
const UNKNOWN: usize = 6;

/// The attempts to read an object in the end until there is a response.
const READS: usize = 100;

/// An object: where it is, and what clients did and observed.
#[derive(Debug)]
pub struct Subject<M: Model> {
    path: String,
    record: Mutex<Record<M>>,
}

#[derive(Debug)]
struct Record<M: Model> {
    history: History<M>,
    /// Each representation that was shown, with its entity tag.
    tags: Vec<(String, M)>,
    violations: Vec<String>,
}

impl<M: Model> Subject<M> {
    /// The object at this path, with the entity tag of its initial
    /// representation.
    pub fn new(path: String, tag: Option<String>) -> Self {
        let tags = tag.into_iter().zip(M::INITIAL).collect();
        Self {
            path,
            record: Mutex::new(Record {
                history: History::default(),
                tags,
                violations: Vec::new(),
            }),
        }
    }

    /// Its path.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The numbers of operations and of writes with an unknown outcome.
    pub fn counts(&self) -> (usize, usize) {
        let record = self.record();
        (record.history.operations(), record.history.unknown())
    }

    /// Whether its history is as long as one may be.
    pub fn is_worn_out(&self) -> bool {
        let (operations, unknown) = self.counts();
        operations >= M::OPERATIONS || unknown >= UNKNOWN
    }

    /// A random operation by this client; whether its outcome is known.
    pub async fn operate(&self, client: &Client, number: usize) -> bool {
        let (index, call) = {
            // With one lock: the number of a write is that of the operations so far.
            let mut record = self.record();
            let call = record.random_call();
            (record.history.invoke(number, call), call)
        };
        self.send(client, index, call).await
    }

    /// Reads it until there is a response; whether there is.
    pub async fn read_until_known(&self, client: &Client) -> bool {
        for _ in 0..READS {
            let call = Call {
                write: None,
                condition: Condition::None,
            };
            let index = self.record().history.invoke(0, call);
            if self.send(client, index, call).await {
                return true;
            }
            sleep(Duration::from_millis(100)).await;
        }
        false
    }

    /// The violations of the history.
    pub fn violations(&self) -> Vec<String> {
        let Self { path, .. } = self;
        let record = self.record();
        let violation = record.history.violation().map(|violation| {
            format!(
                "{path} is not linearizable; the last response has no explanation:\n{violation}"
            )
        });
        let tags = record.violations.iter();
        let tags = tags.map(|violation| format!("{path}: {violation}"));
        tags.chain(violation).collect()
    }

    /// Sends an operation that is invoked; whether its outcome is known.
    async fn send(&self, client: &Client, index: usize, call: Call<M>) -> bool {
        let (method, body) = call.write.map_or((Method::GET, None), M::request);
        let mut headers = Vec::new();
        if body.is_some() {
            headers.push(("content-type", "application/json"));
        }
        let body = body.as_ref().map(Value::to_string).unwrap_or_default();
        let condition = self.record().header(call.condition);
        headers.extend(condition.as_ref().map(|(name, tag)| (*name, tag.as_str())));

        let response = client
            .try_send(method, &self.path, &headers, body, TIMEOUT)
            .await;
        let response = response.filter(|response| response.status != 503);
        let Some(response) = response else {
            return false;
        };
        self.record().respond(index, &response);
        true
    }

    fn record(&self) -> MutexGuard<'_, Record<M>> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<M: Model> Record<M> {
    fn random_call(&self) -> Call<M> {
        let write = (fastrand::u8(..3) > 0).then(|| M::random_write(self.history.operations()));
        let shown = self.random_representation();
        let condition = match (fastrand::u8(..8), shown) {
            (0, _) => Condition::Absent,
            (1, _) => Condition::Exists,
            (2..4, Some(shown)) => Condition::Is(shown),
            (4, Some(shown)) => Condition::IsNot(shown),
            _ => Condition::None,
        };
        Call { write, condition }
    }

    /// The latest representation that was shown, or any: a stale tag.
    fn random_representation(&self) -> Option<M> {
        let back = fastrand::usize(..3) * fastrand::usize(..3);
        let index = self.tags.len().checked_sub(1)?.saturating_sub(back);
        self.tags.get(index).map(|(_, shown)| *shown)
    }

    /// The header that states a condition.
    fn header(&self, condition: Condition<M>) -> Option<(&'static str, String)> {
        let tag = |shown| {
            let tagged = self.tags.iter().find(|(_, it)| *it == shown);
            tagged.map(|(tag, _)| tag.clone()).unwrap_or_default()
        };
        match condition {
            Condition::None => None,
            Condition::Exists => Some(("if-match", "*".to_owned())),
            Condition::Absent => Some(("if-none-match", "*".to_owned())),
            Condition::Is(shown) => Some(("if-match", tag(shown))),
            Condition::IsNot(shown) => Some(("if-none-match", tag(shown))),
        }
    }

    fn respond(&mut self, index: usize, response: &Response) {
        let outcome = outcome(response);
        self.history.respond(index, outcome);
        if let Outcome::Shown(shown) | Outcome::Created(shown) = outcome {
            self.show(response.header("etag"), shown);
        }
    }

    /// Two representations of an object have the same tag if they are the same,
    /// and only then.
    fn show(&mut self, tag: &str, shown: M) {
        let same = |(seen, it): &&(String, M)| seen == tag || *it == shown;
        match self.tags.iter().find(same) {
            None => self.tags.push((tag.to_owned(), shown)),
            Some((seen, it)) if seen == tag && *it == shown => {}
            Some((seen, it)) => {
                let violation = format!("{it:?} has the tag {seen} and {shown:?} the tag {tag}");
                self.violations.push(violation);
            }
        }
    }
}

/// The observation of a response other than 503.
fn outcome<M: Model>(response: &Response) -> Outcome<M> {
    let status = response.status.as_u16();
    let shown = || M::read(&serde_json::from_slice(&response.body).ok()?);
    let outcome = match status {
        200 => shown().map(Outcome::Shown),
        201 => shown().map(Outcome::Created),
        204 => Some(Outcome::Deleted),
        304 => Some(Outcome::NotModified),
        404 => Some(Outcome::NotFound),
        409 => Some(Outcome::Conflict),
        412 => Some(Outcome::PreconditionFailed),
        _ => None,
    };
    outcome.unwrap_or(Outcome::Unexpected(status))
}
// endregion
