// region: mysqldata nosqldata
//! The sequential specification of one object of the API.
//!
//! Products and orders obey the same HTTP semantics: conditional requests (RFC
//! 9110 §13) on a representation that has an entity tag. They differ in what a
//! write does, which is their [`Model`].

use std::{fmt::Debug, hash::Hash};

use http::Method;
use serde_json::Value;

use crate::Client;

/// A kind of object: what its writes do, and how they are requested.
pub trait Model: Copy + Debug + Eq + Hash + Send + Sync + 'static {
    /// A write.
    type Write: Copy + Debug + Send + Sync + 'static;

    /// The representation that an object has before the first operation.
    const INITIAL: Option<Self>;

    /// The number of operations on one object: the checker is fast on short
    /// histories.
    const OPERATIONS: usize;

    /// A new object: its path and its initial representation's entity tag;
    /// nothing where it cannot be created at the moment.
    fn create(client: &Client) -> impl Future<Output = Option<(String, Option<String>)>> + Send;

    /// A write at random; `number` is unique among the writes to an object.
    fn random_write(number: usize) -> Self::Write;

    /// The method and the body of a write.
    fn request(write: Self::Write) -> (Method, Option<Value>);

    /// The representation in the body of a response.
    fn read(body: &Value) -> Option<Self>;

    /// Whether the write needs a resource and is 404 without one.
    fn needs_resource(write: Self::Write) -> bool;

    /// The representation after a write.
    ///
    /// # Errors
    /// There is no such transition: 409.
    fn apply(write: Self::Write, before: Option<Self>) -> Result<Option<Self>, NoSuchTransition>;
}

/// The state of an object does not allow a write.
#[derive(Debug)]
pub struct NoSuchTransition;

/// An operation as a client invokes it.
#[derive(Debug, Clone, Copy)]
pub struct Call<M: Model> {
    /// The write; a `GET` where there is none.
    pub write: Option<M::Write>,
    /// Its precondition.
    pub condition: Condition<M>,
}

/// A precondition. A tag is stated as the representation that it came with:
/// two of one object never share a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition<M> {
    /// Nothing is required.
    None,
    /// `If-Match: *`.
    Exists,
    /// `If-None-Match: *`.
    Absent,
    /// `If-Match` with a tag.
    Is(M),
    /// `If-None-Match` with a tag.
    IsNot(M),
}

/// The state of the object as a response shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome<M> {
    /// 200 with this representation.
    Shown(M),
    /// 201 with this representation.
    Created(M),
    /// 204.
    Deleted,
    /// 304.
    NotModified,
    /// 404.
    NotFound,
    /// 409.
    Conflict,
    /// 412.
    PreconditionFailed,
    /// Any other response: never right.
    Unexpected(u16),
}

impl<M: Model> Condition<M> {
    fn holds(self, state: Option<M>) -> bool {
        match self {
            Self::None => true,
            Self::Exists => state.is_some(),
            Self::Absent => state.is_none(),
            Self::Is(representation) => state == Some(representation),
            Self::IsNot(representation) => state != Some(representation),
        }
    }
}

impl<M: Model> Call<M> {
    /// The one outcome that the call has in a state, and the state after it.
    pub fn step(&self, state: Option<M>) -> (Outcome<M>, Option<M>) {
        let outcome = match (self.write, state) {
            (None, None) => Outcome::NotFound,
            (Some(write), None) if M::needs_resource(write) => Outcome::NotFound,
            (None, Some(shown)) if self.condition.holds(state) => Outcome::Shown(shown),
            (None, Some(_)) => match self.condition {
                Condition::Absent | Condition::IsNot(_) => Outcome::NotModified,
                _ => Outcome::PreconditionFailed,
            },
            (Some(_), _) if !self.condition.holds(state) => Outcome::PreconditionFailed,
            (Some(write), before) => match (M::apply(write, before), before) {
                (Ok(None), _) => return (Outcome::Deleted, None),
                (Ok(Some(after)), None) => return (Outcome::Created(after), Some(after)),
                (Ok(Some(after)), Some(_)) => return (Outcome::Shown(after), Some(after)),
                (Err(NoSuchTransition), _) => Outcome::Conflict,
            },
        };
        (outcome, state)
    }
}
// endregion
