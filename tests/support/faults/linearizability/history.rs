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

use std::{collections::BTreeSet, fmt::Write as _, marker::PhantomData};

use todc_utils::{
    linearizability::{
        WGLChecker,
        history::{Action, History as Actions},
    },
    specifications::Specification,
};

use super::model::{Call, Model, Outcome};

/// What clients did to one object and observed, in the order in which it
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
    pub fn len(&self) -> usize {
        self.operations.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }

    /// The number of writes that have no outcome (yet).
    pub fn unknown(&self) -> usize {
        let unknown = |it: &&Operation<M>| it.outcome.is_none() && it.call.write.is_some();
        self.operations.iter().filter(unknown).count()
    }

    /// The history up to the first response that nothing explains, an operation
    /// a line; nothing where the history is linearizable.
    pub fn violation(&self) -> Option<String> {
        if is_linearizable(&self.operations, &self.events) {
            return None;
        }
        // Each prefix of a linearizable history is linearizable.
        let lengths: Vec<_> = (1..=self.events.len()).collect();
        let good =
            lengths.partition_point(|&n| is_linearizable(&self.operations, &self.events[..n]));
        Some(self.lines(&self.events[..=good]))
    }

    /// One line for each operation that the events are of: the numbers of its
    /// events, its client, the call and the outcome.
    fn lines(&self, events: &[Event]) -> String {
        let position = |event| events.iter().position(|it| *it == event);
        let mut lines = String::new();
        for (index, operation) in self.operations.iter().enumerate() {
            let Operation {
                client,
                call,
                outcome,
            } = operation;
            let Some(invoked) = position(Event::Invoked(index)) else {
                continue;
            };
            let request = match call.write {
                Some(write) => format!("{write:?}"),
                None => "Get".to_owned(),
            };
            let condition = call.condition;
            // Writing to a string cannot fail.
            let _ = write!(lines, "  client {client}: {request} if {condition:?}, ");
            let _ = match (position(Event::Returned(index)), outcome) {
                (Some(returned), Some(outcome)) => {
                    writeln!(lines, "{invoked} to {returned}: {outcome:?}")
                }
                _ => writeln!(lines, "{invoked} to ?: unknown"),
            };
        }
        lines
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
    // A read that has shown nothing says nothing.
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
