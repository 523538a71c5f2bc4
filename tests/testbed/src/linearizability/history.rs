// region: mysqldata nosqldata
//! The history of the operations on one object, and whether it is
//! linearizable.
//!
//! A history is linearizable if every operation can be given a point in time
//! between its invocation and its response at which it takes effect, so that
//! each response is right where it is. An operation without a response may
//! take effect at any time after its invocation, also never: its point is then
//! after all that was observed.
//!
//! The checker is that of Wing and Gong with Lowe's memoization, from
//! `todc-utils`. `stateright` has one too, but without memoization: each write
//! of an unknown outcome multiplies its search.

use std::{collections::BTreeSet, marker::PhantomData};

use todc_utils::{
    linearizability::{
        WGLChecker,
        history::{Action, History as Actions},
    },
    specifications::Specification,
};

use super::model::{Call, Model, Outcome};

/// The operations of clients on one object and their results, in the order in which it
/// happened.
#[derive(Debug)]
pub struct History<M: Model> {
    operations: Vec<Operation<M>>,
    events: Vec<Event>,
}

/// An operation of a client.
#[derive(Debug)]
struct Operation<M: Model> {
    client: usize,
    call: Call<M>,
    /// None while it is running, and where its outcome is unknown.
    outcome: Option<Outcome<M>>,
}

/// The invocation or the response of the operation with this index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Event {
    Invoked(usize),
    Returned(usize),
}

/// A [`Model`] as the checker reads it.
struct Sequential<M>(PhantomData<M>);

impl<M: Model> Specification for Sequential<M> {
    type State = Option<M>;
    type Operation = (Call<M>, Option<Outcome<M>>);

    fn init() -> Option<M> {
        M::INITIAL
    }

    fn apply((call, outcome): &Self::Operation, state: &Option<M>) -> (bool, Option<M>) {
        let (right, after) = call.step(*state);
        let is_right = outcome.is_none_or(|outcome| outcome == right);
        (is_right, if is_right { after } else { *state })
    }
}

impl<M: Model> Default for History<M> {
    fn default() -> Self {
        Self {
            operations: Vec::new(),
            events: Vec::new(),
        }
    }
}

impl<M: Model> History<M> {
    /// Records that a client invokes an operation, and returns its index.
    pub fn invoke(&mut self, client: usize, call: Call<M>) -> usize {
        let index = self.operations.len();
        self.operations.push(Operation {
            client,
            call,
            outcome: None,
        });
        self.events.push(Event::Invoked(index));
        index
    }

    /// Records the response to the operation with this index.
    pub fn respond(&mut self, index: usize, outcome: Outcome<M>) {
        self.operations[index].outcome = Some(outcome);
        self.events.push(Event::Returned(index));
    }

    /// The number of operations.
    pub fn operations(&self) -> usize {
        self.operations.len()
    }

    /// The number of writes that have no outcome (yet).
    pub fn unknown(&self) -> usize {
        let unknown = |it: &&Operation<M>| it.outcome.is_none() && it.call.write.is_some();
        self.operations.iter().filter(unknown).count()
    }

    /// The history up to the first response that nothing explains, an operation
    /// a line and that one last; nothing where the history is linearizable.
    pub fn violation(&self) -> Option<String> {
        if is_linearizable(&self.operations, &self.events) {
            return None;
        }
        // Each prefix of a linearizable history is linearizable.
        let ends: Vec<_> = (1..=self.events.len()).collect();
        let good = ends.partition_point(|&n| is_linearizable(&self.operations, &self.events[..n]));
        let events = &self.events[..=good];
        let (Event::Invoked(last) | Event::Returned(last)) = events[good];
        let indices = (0..self.operations.len()).filter(|index| *index != last);
        let lines = indices.chain([last]);
        Some(lines.filter_map(|index| self.line(index, events)).collect())
    }

    /// The operation with this index, if these events include it: its client, the
    /// request, the numbers of its events, and the outcome.
    fn line(&self, index: usize, events: &[Event]) -> Option<String> {
        let position = |event| events.iter().position(|it| *it == event);
        let Operation {
            client,
            call: Call { write, condition },
            outcome,
        } = &self.operations[index];
        let invoked = position(Event::Invoked(index))?;
        let request = write.map_or_else(|| "Get".to_owned(), |write| format!("{write:?}"));
        let response = match (position(Event::Returned(index)), outcome) {
            (Some(returned), Some(outcome)) => format!("{returned}: {outcome:?}"),
            _ => "?: unknown".to_owned(),
        };
        Some(format!(
            "  client {client}: {request} if {condition:?}, {invoked} to {response}\n"
        ))
    }
}

/// Whether the operations are linearizable as far as these events go.
fn is_linearizable<M: Model>(operations: &[Operation<M>], events: &[Event]) -> bool {
    let mut running = BTreeSet::new();
    let mut actions = Vec::new();
    for event in events {
        match *event {
            Event::Invoked(index) => {
                running.insert(index);
                actions.push((index, Action::Call((operations[index].call, None))));
            }
            Event::Returned(index) => {
                running.remove(&index);
                let Operation { call, outcome, .. } = operations[index];
                actions.push((index, Action::Response((call, outcome))));
            }
        }
    }
    // A read without a response constrains nothing.
    let (writes, reads): (BTreeSet<_>, _) =
        (running.into_iter()).partition(|&index| operations[index].call.write.is_some());
    actions.retain(|(index, _)| !reads.contains(index));
    for index in writes {
        let response = (operations[index].call, None);
        actions.push((index, Action::Response(response)));
    }
    actions.is_empty()
        || WGLChecker::<Sequential<M>>::is_linearizable(Actions::from_actions(actions))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linearizability::{
        model::{
            Condition,
            Outcome::{Conflict, PreconditionFailed, Shown},
        },
        order::Order,
    };

    /// A write, or a read where there is none, and its outcome.
    type Step<M> = (Option<<M as Model>::Write>, Option<Outcome<M>>);

    /// Operations one after the other. Those without an outcome go on.
    fn history<M: Model>(operations: &[Step<M>]) -> History<M> {
        let mut history = History::default();
        for &(write, outcome) in operations {
            let condition = Condition::None;
            let index = history.invoke(0, Call { write, condition });
            if let Some(outcome) = outcome {
                history.respond(index, outcome);
            }
        }
        history
    }

    fn order(version: u64, status: &'static str) -> Order {
        Order { version, status }
    }

    /// Whether they are linearizable.
    fn holds<M: Model>(operations: &[Step<M>]) -> bool {
        history(operations).violation().is_none()
    }

    #[test]
    fn a_refusal_of_a_write_that_was_done_is_found() {
        for refusal in [Conflict, PreconditionFailed] {
            let refused = [
                (Some("paid"), Some(refusal)),
                (Some("shipped"), Some(Shown(order(3, "shipped")))),
            ];
            assert!(!holds(&refused));
        }
    }

    #[test]
    fn an_order_ends_once() {
        let operations = [
            (Some("cancelled"), None),
            (Some("paid"), Some(Shown(order(2, "paid")))),
            (Some("shipped"), Some(Shown(order(3, "shipped")))),
            (None, Some(Shown(order(3, "cancelled")))),
        ];
        assert!(!holds(&operations));
        assert!(holds(&operations[..3]), "without the last one");
    }
}
// endregion
