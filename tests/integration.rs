//! The tests that need the inside of the system: stores, wires, files of the project.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test ends by panicking"
)]

mod alarms;
mod architecture;
mod contract;
mod costs;
mod diagrams;
mod docs;
mod dynamodb_failures;
mod extremes;
mod faults;
mod hostile;
mod idempotency;
mod injection;
mod lambda;
mod linearizability;
mod migrate;
mod oscheck;
mod outages;
mod outside;
mod plans;
mod races;
mod summary;
mod sums;
mod telemetry;
mod template;
mod tokens;
