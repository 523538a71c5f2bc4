//! The chassis: what every service needs and no service should write again.
//!
//! | module | what it has |
//! |---|---|
//! | [`auth`] | bearer tokens, and who may call a route |
//! | [`http`] | requests and responses: typed parts, problems, preconditions, idempotency keys, cursors, health, routes |
//! | [`outbound`] | calls to other services and to stores: deadlines, retries, circuit breakers |
//! | [`runtime`] | the Lambda process: start, environment, events, deadlines |
//! | [`telemetry`] | the log, metrics and traces |
//!
//! A function's `main.rs` calls [`runtime::start`] with how to read its
//! configuration and how to build its [`http::Router`].

// The derives name this crate.
#[cfg(test)]
extern crate self as chassis;

pub mod auth;
pub mod http;
pub mod outbound;
pub mod runtime;
pub mod telemetry;

pub use runtime::{Deadline, RequestContext};

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
