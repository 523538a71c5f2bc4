//! The function's process: its start and its events.

mod event;
mod handler;
mod start;

pub use event::Event;
pub use handler::{GatewayResponse, Handler};
pub use start::{start, start_handler};
