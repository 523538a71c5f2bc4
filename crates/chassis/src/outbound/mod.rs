//! Calls to other services and to stores, which may fail.
//!
//! Each of them is a [`Dependency`]. A call goes through it and is bounded by
//! the request's deadline, the circuit breaker, a timeout for each attempt, and
//! a budget for retries with full jitter. What moves the breaker and the budget
//! is stated once, in `Outcome::evidence`.

#[cfg(feature = "aws")]
pub mod aws;
mod breaker;
mod budget;
mod call_log;
#[cfg(feature = "client")]
mod client;
#[cfg(feature = "client")]
mod connections;
mod dependency;
mod outcome;
mod policy;
#[cfg(test)]
mod tests;

pub use call_log::CallLog;
#[cfg(feature = "client")]
pub use client::{Client, GetError, Reply};
#[cfg(feature = "client")]
pub use connections::{Connections, SendError};
#[cfg(feature = "auth")]
pub(crate) use dependency::SUSPENDED;
pub use dependency::{CallError, Dependency};
pub(crate) use outcome::{Allowance, Evidence, Outcome};
pub use outcome::{Classify, Failure};
pub use policy::Policy;

/// The certificate authorities of AWS's own endpoints, as PEM. They are compiled
/// in: loading those of the machine costs a cold start milliseconds.
pub const AMAZON_ROOTS: &[u8] = include_bytes!("../../roots/amazon.pem");
