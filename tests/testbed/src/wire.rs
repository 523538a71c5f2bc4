//! The proxy in front of a store or a service, under its name in the tests.

pub use faultproxy::{Action, Fault, Protocol, Proxy, Step};
