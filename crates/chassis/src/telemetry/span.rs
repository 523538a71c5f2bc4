//! The spans of a trace.

use std::time::{Duration, SystemTime};

use super::Trace;

/// A call that has ended, as a span of the trace.
#[derive(Debug, Clone)]
pub(crate) struct Span {
    pub(crate) trace: Trace,
    pub(crate) dependency: &'static str,
    pub(crate) operation: String,
    pub(crate) started: SystemTime,
    pub(crate) duration: Duration,
    pub(crate) status: Option<u16>,
    pub(crate) failed: bool,
}
