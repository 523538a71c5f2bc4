//! The spans of a trace.

use std::time::{Duration, SystemTime};

use super::Trace;

/// A request that was served, for its completion line and as the root of its spans.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Completed<'r> {
    pub(crate) service: &'static str,
    pub(crate) request_id: &'r str,
    pub(crate) trace: Trace,
    pub(crate) method: &'r str,
    pub(crate) route: &'r str,
    pub(crate) status: u16,
    pub(crate) started: SystemTime,
    pub(crate) duration: Duration,
    pub(crate) problem: Option<&'static str>,
    pub(crate) is_replay: bool,
}

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
