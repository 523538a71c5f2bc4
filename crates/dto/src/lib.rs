//! What travels: requests, responses, problems.
//!
//! This crate is the only thing the services share about each other, so it has
//! no I/O, no AWS and no database types. Responses derive `Serialize` for the
//! service that gives them and `Deserialize` for the one that reads them; a
//! reader ignores the members it does not know. Requests are *read* from JSON
//! (see [`read`]) into types that cannot hold a bad value, with every fault
//! found in one go.

pub mod fault;
pub mod health;
pub mod json;
pub mod money;
pub mod number;
#[cfg(feature = "openapi")]
pub mod openapi;
pub mod order;
pub mod problem;
pub mod product;
pub mod read;
pub mod timestamp;

pub use fault::{Fault, Faults, Pointer};
pub use money::{Money, MoneySum};
pub use timestamp::Timestamp;
