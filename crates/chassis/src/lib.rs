//! The chassis: what every service needs and no service should write again.
//!
//! | module | what it has |
//! |---|---|
//! | [`runtime`] | the Lambda process: its start and its events |
//! | [`http`] | requests and responses: typed parts, preconditions, idempotency keys, cursors, health, routes |
//! | [`auth`] | bearer tokens, and who may call a route |
//! | [`outbound`] | calls to other services and to stores: retries, circuit breakers |
//! | [`telemetry`] | the log, metrics and traces |
//!
//! Each of these uses only those below it. What all of them share is in the root.
//!
//! A function's `main.rs` calls [`runtime::start`] with how to read its
//! configuration and how to build its [`http::Router`].

// The derives name this crate.
#[cfg(test)]
extern crate self as chassis;

pub mod auth;
mod context;
mod deadline;
pub mod environment;
pub mod http;
pub mod outbound;
mod problem;
pub mod runtime;
pub mod telemetry;

pub use context::RequestContext;
pub use deadline::Deadline;
pub use environment::Environment;
pub use problem::Problem;

/// An error with its causes, for the log, without a cause that an earlier one contains.
#[must_use]
pub fn error_chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source());
    causes.fold(error.to_string(), |chain, cause| {
        let cause = cause.to_string();
        if chain.contains(&cause) {
            chain
        } else {
            format!("{chain}: {cause}")
        }
    })
}
