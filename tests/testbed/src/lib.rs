//! The whole system in one process, for tests: every function behind a gateway
//! that speaks HTTP, on real stores that are the test's own.
//!
//! Nothing in it replaces a part of Kea. Each request becomes an API Gateway event
//! that goes through the handler that Lambda calls; the functions reach each other
//! over HTTP and their stores over their protocols.

pub mod callers;
mod client;
pub mod document;
mod environment;
pub mod event;
mod gateway;
pub mod hostile;
// region: mysqldata nosqldata
pub mod linearizability;
// endregion
pub mod log;
// region: nosqldata
mod nosqldata;
// endregion
pub mod redact;
pub mod replay;
mod system;
mod template;
pub mod wire;

pub use client::{Client, NoResponse, Response, eventually, expect_key_in_use};
pub use environment::store;
pub use faultproxy::address;
pub use gateway::{BASE_PATH, Function, Gateway, Instance, serve};
// region: nosqldata
// region: mysqldata
pub use nosqldata::order;
// endregion
pub use nosqldata::{LISTS, product};
// endregion
// region: mysql
pub use system::{Database, finally};
// endregion
pub use system::{FUNCTIONS, Setup, Started, System, functions, handler, invoke, patient, routes};
pub use template::template;
