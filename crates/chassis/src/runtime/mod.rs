//! The function's process: its start, its environment, its events and the time
//! that each has.

mod context;
mod deadline;
pub mod environment;
mod event;
mod handler;
mod response;
mod start;
mod translation;

pub(crate) use context::Invocation;
pub use context::RequestContext;
#[cfg(feature = "client")]
pub(crate) use context::{REQUEST_DEADLINE, TRACEPARENT};
pub use deadline::Deadline;
pub use environment::Environment;
pub use event::Event;
pub use handler::Handler;
pub use response::GatewayResponse;
pub use start::{start, start_handler};
