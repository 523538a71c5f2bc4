//! The whole system in one process, for tests: every function behind a gateway
//! that speaks HTTP, on stores that are real and the test's own.
//!
//! Nothing in it stands in for a part of ours. Each request becomes an API
//! Gateway event that goes through the very handler that Lambda calls; the
//! functions reach each other over HTTP and their stores over their protocols.

pub mod diagrams;
pub mod event;
pub mod faults;
mod gateway;
pub mod http_client;
pub mod recording;
pub mod redact;
pub mod replay;
pub mod surfaces;
mod system;
mod template;
pub mod wire;

pub use gateway::Gateway;
pub use http_client::{Client, Response};
pub use system::{FUNCTIONS, Policies, System, routes, services};
pub use template::template;
