//! The request context: what a call on behalf of a request passes on.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::extract::FromRequestParts;
use http::{
    Extensions, HeaderMap, HeaderName, HeaderValue, Uri, header::AUTHORIZATION, request::Parts,
};

use crate::{
    Deadline, Problem,
    telemetry::{self, Record, Trace},
};

/// The remaining time of the caller, in milliseconds. It is relative, as gRPC's
/// `grpc-timeout` is, so that no clocks need to agree.
pub(crate) const REQUEST_DEADLINE: HeaderName = HeaderName::from_static("x-request-deadline");

/// The header of W3C Trace Context.
pub(crate) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The request that is served. Operations take it first, so that everything they
/// do has the request's deadline, its trace and its id in the log.
#[derive(Debug, Clone)]
pub struct RequestContext {
    /// When the response must be ready.
    pub deadline: Deadline,
    /// The request's id, in the log and in problems.
    pub request_id: String,
    /// The domain of the API that the request came through.
    domain: Option<String>,
    /// The prefix in front of the routes' paths, such as a named stage: `/prod`,
    /// or nothing.
    pub base_path: String,
    /// The trace that the request is part of, with this service's span.
    pub(crate) trace: Trace,
    /// What the invocation does, for its completion line.
    pub(crate) record: Arc<Record>,
    /// The header `Authorization`, for a call on behalf of the caller. It is not
    /// verified here.
    #[cfg_attr(
        not(feature = "client"),
        expect(dead_code, reason = "only outbound calls read it")
    )]
    pub(crate) authorization: Option<HeaderValue>,
}

/// What Lambda's context and its event contain beside the request itself.
#[derive(Debug, Default)]
pub(crate) struct Invocation {
    pub(super) request_id: String,
    /// Lambda's deadline, in milliseconds since the epoch.
    pub(super) deadline: u64,
    /// X-Ray's header.
    pub(super) xray_trace: Option<String>,
    /// The domain that the request was sent to.
    pub(super) domain: Option<String>,
    /// The base path, which was removed from the path.
    pub(super) base_path: String,
    /// Whether it is the first of its process.
    pub(super) cold_start: bool,
    /// The problem of a request whose event is malformed.
    pub(super) refusal: Option<Problem>,
}

impl RequestContext {
    /// The same request with another deadline.
    #[must_use]
    pub fn with_deadline(&self, deadline: Deadline) -> Self {
        Self {
            deadline,
            ..self.clone()
        }
    }

    /// The context of the request of an invocation. `exports_spans` is whether the service
    /// sends the spans of sampled traces.
    pub(crate) fn of(invocation: Invocation, headers: &HeaderMap, exports_spans: bool) -> Self {
        let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let trace = Trace::continued(header(TRACEPARENT), invocation.xray_trace.as_deref());
        let limit = Deadline::from_lambda(invocation.deadline);
        // A malformed one is ignored.
        let time = header(REQUEST_DEADLINE).and_then(|ms| ms.trim().parse().ok());
        let time = time.map(Duration::from_millis);
        let deadline = time.map_or(limit, |time| limit.for_caller(time));
        let mut record = Record::new(exports_spans && trace.is_sampled());
        record.cold_start = invocation.cold_start;
        record.is_shortened = deadline.instant() < limit.instant();
        Self {
            deadline,
            trace,
            record: Arc::new(record),
            request_id: invocation.request_id,
            domain: invocation.domain,
            base_path: invocation.base_path,
            authorization: headers.get(AUTHORIZATION).map(|value| {
                let mut secret = value.clone();
                secret.set_sensitive(true);
                secret
            }),
        }
    }

    /// The context of a request that a service serves.
    pub(crate) fn of_extensions(extensions: &Extensions) -> Self {
        let ctx = extensions.get::<Self>().cloned();
        ctx.unwrap_or_else(|| Self::at_start(Deadline::default_for_request()))
    }

    /// A context without a request, for what a service does when it starts.
    #[must_use]
    pub fn at_start(deadline: Deadline) -> Self {
        Self {
            deadline,
            request_id: String::new(),
            domain: None,
            base_path: String::new(),
            trace: Trace::new(),
            record: Arc::new(Record::new(false)),
            authorization: None,
        }
    }

    /// Whether the caller's `X-Request-Deadline` shortened the time of the request.
    #[must_use]
    pub fn is_shortened(&self) -> bool {
        self.record.is_shortened
    }

    /// The address of the API that the request came through, base path included,
    /// where the gateway names it.
    ///
    /// The gateway names the domain that the request was sent to; unlike the `Host`
    /// header, no client can choose it.
    #[must_use]
    pub fn api(&self) -> Option<Uri> {
        Uri::builder()
            .scheme("https")
            .authority(self.domain.as_deref()?)
            .path_and_query(format!("{}/", self.base_path))
            .build()
            .ok()
    }

    /// The span that puts the request's ids on every line of the log.
    pub(crate) fn span(&self, function: &'static str) -> tracing::Span {
        tracing::error_span!(
            "request",
            members = telemetry::ids(function, &self.request_id, self.trace)
        )
    }

    /// Adds one to a metric: a counter, with the dimension `function`. `name` is in
    /// snake case and a constant, so that the metrics stay bounded.
    pub fn count(&self, name: &'static str) {
        self.record.count(name);
    }
}

impl<S: Sync> FromRequestParts<S> for RequestContext {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of_extensions(&parts.extensions))
    }
}
