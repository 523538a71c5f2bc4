//! The types that cross a service boundary.
//!
//! This is all that services share about each other, so it has no I/O, no AWS
//! types and no database types. What concerns one service alone is in that
//! service. Readers of a response ignore members that they do not know.

pub mod catalogue;
pub mod health;
pub mod money;
pub mod problem;
pub mod timestamp;

pub use catalogue::ProductId;
pub use money::{Currency, MAX_PRICE, Price};
pub use timestamp::Timestamp;
