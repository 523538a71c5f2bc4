//! The log, and the trace that a request is part of.

mod call_log;
mod log;
mod trace;

pub use call_log::CallLog;
pub(crate) use log::start;
pub use trace::Trace;
