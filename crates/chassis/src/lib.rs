//! The chassis: what every service needs and no service should write again.
//!
//! A function's `main.rs` calls [`start`] with how to read its configuration
//! and how to build its [`Router`]; its handlers take an [`Input`] and give an
//! answer of [`reply`] or a [`Problem`]. Everything else is here, once: the
//! Lambda event on its way in and out, unknown paths, wrong methods, panics,
//! deadlines, health and the log.

pub mod call;
#[cfg(feature = "client")]
pub mod client;
pub mod config;
pub mod cursor;
mod deadline;
mod event;
pub mod health;
pub mod idempotency;
mod input;
mod lambda;
pub mod negotiate;
#[cfg(feature = "openapi")]
pub mod openapi;
pub mod preconditions;
mod problem;
pub mod reply;
pub mod resilience;
mod router;
pub mod span;
mod start;
mod telemetry;
pub mod trace;

/// The certificate authorities of AWS's own endpoints, as PEM. Compiled in: to
/// load those of the machine costs a cold start milliseconds.
pub const AMAZON_ROOTS: &[u8] = include_bytes!("../roots/amazon.pem");

pub use call::Call;
pub use deadline::Deadline;
pub use event::{Event, UnsupportedEvent};
pub use input::{Input, JSON, MERGE_PATCH, Params};
pub use lambda::Handler;
pub use preconditions::Preconditions;
pub use problem::Problem;
pub use router::{Router, Service};
pub use start::{start, start_handler};
