//! The white-box tests: they use the stores, the wires and the files of the project.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test ends by panicking"
)]

mod alarms;
mod architecture;
mod contract;
mod diagrams;
mod hostile;
mod injection;
mod lambda;
mod modules;
mod mysqldata;
mod nosqldata;
mod outside;
mod source;
mod telemetry;
mod template;
mod tokens;
