//! One line in the log for each call to a dependency.

use std::fmt::Display;

use tokio::time::Instant;

use super::Trace;
use crate::RequestContext;

/// A call that is running. When it is dropped, it leaves a line at `DEBUG`: which
/// dependency, which operation, how long it took and how it ended.
#[derive(Debug)]
pub struct CallLog {
    trace: Trace,
    peer: &'static str,
    operation: String,
    started: Instant,
    status: Option<u16>,
    error: Option<String>,
}

impl CallLog {
    /// The call of `operation` at `peer` on behalf of a request.
    pub fn start(ctx: &RequestContext, peer: &'static str, operation: impl Into<String>) -> Self {
        let call = Self {
            trace: ctx.trace.child(),
            peer,
            operation: operation.into(),
            started: Instant::now(),
            status: None,
            // Replaced when the call ends.
            error: Some("abandoned".to_owned()),
        };
        tracing::trace!(
            span_id = call.trace.span_id(),
            peer,
            operation = call.operation,
            "call started"
        );
        call
    }

    /// The call's own span, for the peer to continue.
    #[must_use]
    pub fn trace(&self) -> Trace {
        self.trace
    }

    /// Ends the call.
    pub fn end<T, E: Display>(mut self, result: &Result<T, E>) {
        self.error = result.as_ref().err().map(ToString::to_string);
    }

    /// Ends a call over HTTP, with the status of the response.
    pub fn end_with_status<T, E: Display>(
        mut self,
        result: &Result<T, E>,
        status: impl FnOnce(&T) -> u16,
    ) {
        self.status = result.as_ref().ok().map(status);
        self.end(result);
    }
}

impl Drop for CallLog {
    fn drop(&mut self) {
        tracing::debug!(
            span_id = self.trace.span_id(),
            parent_id = self.trace.parent_id(),
            peer = self.peer,
            operation = self.operation,
            status = self.status,
            error = self.error,
            duration_us = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX),
            "call"
        );
    }
}
