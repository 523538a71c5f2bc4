//! What a service asks of others while it answers a request: a span each, and a
//! line in the log for each span.
//!
//! The lines are written at `DEBUG`, when the span ends: who asked whom for
//! what, within which request of which trace, how long it took and what came of
//! it. That one begins is said at `TRACE`. A request's own line, at `INFO`, is
//! [`Service::call`](crate::Service::call)'s.

use std::fmt::Display;

#[cfg(feature = "client")]
use http::StatusCode;
use tokio::time::Instant;
use tracing::field::{DisplayValue, display};

use crate::{Call, trace::Trace};

tokio::task_local! {
    /// The request that is being answered.
    static WITHIN: Within;
}

/// What a line says of the request that its span is part of.
#[derive(Debug, Clone, Default)]
struct Within {
    service: &'static str,
    request_id: String,
    trace: Trace,
}

/// Something that is asked of a peer: it ends when this is dropped.
#[derive(Debug)]
pub struct Span {
    within: Within,
    trace: Trace,
    peer: &'static str,
    operation: String,
    started: Instant,
    status: Option<u16>,
    error: Option<String>,
}

impl Span {
    /// Has all that is asked within this future be part of `call`, which
    /// `service` answers.
    pub(crate) fn within<F: Future>(
        service: &'static str,
        call: &Call,
        future: F,
    ) -> impl Future<Output = F::Output> + use<F> {
        let within = Within {
            service,
            request_id: call.request_id.clone(),
            trace: call.trace,
        };
        WITHIN.scope(within, future)
    }

    /// Has all that is asked within this future, which is to run on its own, be
    /// part of what is being answered here.
    pub(crate) fn carried<F: Future>(future: F) -> impl Future<Output = F::Output> + use<F> {
        let within = WITHIN.try_with(Clone::clone).unwrap_or_default();
        WITHIN.scope(within, future)
    }

    /// `operation` is asked of `peer`, a store for example, from here on.
    pub fn begin(peer: &'static str, operation: impl Into<String>) -> Self {
        let within = WITHIN.try_with(Clone::clone).unwrap_or_default();
        let span = Self {
            trace: within.trace.child(),
            within,
            peer,
            operation: operation.into(),
            started: Instant::now(),
            status: None,
            // Unless it ends, nobody waited for that.
            error: Some("given up".to_owned()),
        };
        tracing::trace!(
            service = span.within.service,
            span_id = hex(span.trace.span_id),
            peer,
            operation = span.operation,
            "asking"
        );
        span
    }

    /// Which span of which trace it is: for the peer to go on with.
    #[cfg(feature = "client")]
    pub(crate) fn trace(&self) -> Trace {
        self.trace
    }

    /// This is what came of it.
    pub fn end<T, E: Display>(mut self, answer: &Result<T, E>) {
        self.error = answer.as_ref().err().map(ToString::to_string);
    }

    /// This is what came of it, with the status of the answer.
    #[cfg(feature = "client")]
    pub(crate) fn end_with<T, E: Display>(
        mut self,
        answer: &Result<T, E>,
        status: impl FnOnce(&T) -> StatusCode,
    ) {
        self.status = answer.as_ref().ok().map(|answer| status(answer).as_u16());
        self.end(answer);
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        tracing::debug!(
            service = self.within.service,
            request_id = self.within.request_id,
            trace_id = format_args!("{:032x}", self.trace.trace_id),
            span_id = hex(self.trace.span_id),
            parent_id = self.trace.parent_id.map(hex),
            peer = self.peer,
            operation = self.operation,
            status = self.status,
            error = self.error,
            duration_us = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX),
            "asked"
        );
    }
}

/// As W3C Trace Context writes a span's id.
pub(crate) fn hex(id: u64) -> DisplayValue<String> {
    display(format!("{id:016x}"))
}
