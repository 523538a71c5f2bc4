//! The function's process: its start and its events.

mod event;
mod handler;
mod response;
mod start;
mod translation;

pub use event::Event;
pub use handler::Handler;
pub use response::GatewayResponse;
pub use start::{start, start_handler};
