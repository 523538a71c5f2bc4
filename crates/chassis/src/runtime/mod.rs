//! The function's process: its start, its environment, its events and the time
//! that each has.

mod context;
mod deadline;
pub mod environment;
mod event;
mod start;

pub(crate) use context::Invocation;
pub use context::RequestContext;
#[cfg(feature = "client")]
pub(crate) use context::{REQUEST_DEADLINE, TRACEPARENT};
pub use deadline::Deadline;
pub use environment::Environment;
pub use event::{Event, GatewayResponse, Handler};
pub use start::{start, start_handler};
