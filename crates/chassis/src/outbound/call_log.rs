//! One line in the log, and one span, for each call to a dependency.

use std::{error::Error, sync::Arc, time::SystemTime};

use tokio::time::Instant;

use super::{Allowance, Classify, Evidence, Outcome};
use crate::{
    RequestContext, error_chain,
    telemetry::{Record, Span, Trace, micros, milliseconds},
};

/// A call that is running. When it is dropped, it leaves a line at `DEBUG`: which
/// dependency, which operation, how long it took and how it ended.
#[derive(Debug)]
pub struct CallLog {
    trace: Trace,
    record: Arc<Record>,
    dependency: &'static str,
    operation: String,
    started_at: SystemTime,
    started: Instant,
    status: Option<u16>,
    error: Option<String>,
    failed: bool,
}

impl CallLog {
    /// The call of `operation` at `dependency` on behalf of a request.
    pub fn start(
        ctx: &RequestContext,
        dependency: &'static str,
        operation: impl Into<String>,
    ) -> Self {
        let trace = ctx.trace.child();
        tracing::trace!(span_id = trace.span_id(), dependency, "call started");
        Self {
            trace,
            record: Arc::clone(&ctx.record),
            dependency,
            operation: operation.into(),
            started_at: SystemTime::now(),
            started: Instant::now(),
            status: None,
            // Replaced when the call ends.
            error: Some("abandoned".to_owned()),
            failed: true,
        }
    }

    /// The call's own span, for the peer to continue.
    #[must_use]
    #[cfg(feature = "client")]
    pub(crate) fn trace(&self) -> Trace {
        self.trace
    }

    /// Ends the call. A failure is counted as if the attempt had had the policy's full
    /// timeout, even if the caller's deadline was earlier.
    pub fn end<T, E: Error + Classify + 'static>(mut self, result: &Result<T, E>) {
        self.error = result.as_ref().err().map(|error| error_chain(error));
        let outcome = match result {
            Ok(_) => Outcome::Succeeded,
            Err(error) => Outcome::Failed(error.failure()),
        };
        let server_error = self.status.is_some_and(|status| status >= 500);
        self.failed = server_error || outcome.evidence(Allowance::Full) == Evidence::Unhealthy;
    }

    /// Ends a call over HTTP, with the status of the response. A 5xx is an error.
    #[cfg(feature = "client")]
    pub(crate) fn end_with_status<T, E: Error + Classify + 'static>(
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
        let duration = self.started.elapsed();
        let span = || Span {
            trace: self.trace,
            dependency: self.dependency,
            operation: self.operation.clone(),
            started: self.started_at,
            duration,
            status: self.status,
            failed: self.failed,
        };
        self.record
            .add_call(span, self.dependency, duration, self.failed);
        tracing::debug!(
            span_id = self.trace.span_id(),
            parent_id = self.trace.parent_id(),
            dependency = self.dependency,
            operation = self.operation,
            start = micros(self.started_at),
            duration_ms = milliseconds(duration),
            status = self.status,
            error = self.error,
            "call"
        );
    }
}
