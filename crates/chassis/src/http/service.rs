//! A service: turns every HTTP request into an HTTP response.

use std::{borrow::Cow, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use axum::{
    body::{Body, HttpBody},
    extract::Request,
    response::{IntoResponse, Response},
};
use dto::problem::ProblemType;
use futures_util::FutureExt;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, StatusCode,
    header::{
        ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_LOCATION, LOCATION, X_CONTENT_TYPE_OPTIONS,
    },
};
use tokio::time::{Instant, timeout_at};
use tower::ServiceExt;
use tracing::Instrument;

use super::{
    body::{ACCEPT_PATCH, MERGE_PATCH},
    idempotency::IDEMPOTENCY_REPLAYED,
    openapi::Document,
};
use crate::{
    Problem, RequestContext,
    context::Invocation,
    telemetry::{Completed, Telemetry},
};

/// The id of the request, in the log and in problems.
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The trace that the response is part of (W3C Trace Context, level 2, §4.2).
const TRACERESPONSE: HeaderName = HeaderName::from_static("traceresponse");

/// A request with less time left is refused at once, so that the time goes to
/// requests that can be served.
const MIN_TIME_LEFT: Duration = Duration::from_millis(5);

/// A service that can be called.
#[derive(Clone)]
pub struct Service {
    pub(super) name: &'static str,
    pub(super) routes: axum::Router,
    pub(super) paths: Arc<[String]>,
    pub(super) calls: Arc<[String]>,
    pub(super) cache_control: Option<HeaderValue>,
    pub(super) telemetry: Arc<Telemetry>,
    pub(super) document: Arc<Document>,
}

impl Service {
    /// The service's name, which is the name of its binary.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The paths that it declares, in axum's syntax, which is API Gateway's:
    /// `/things/{id}`.
    #[must_use]
    pub fn paths(&self) -> &[String] {
        &self.paths
    }

    /// The paths of other services that it calls.
    #[must_use]
    pub fn calls(&self) -> &[String] {
        &self.calls
    }

    /// The service's part of the OpenAPI document; empty without the feature `openapi`.
    #[must_use]
    pub fn document(&self) -> &Document {
        &self.document
    }

    /// Sets where its metrics and traces go.
    #[must_use]
    pub fn with_telemetry(self, telemetry: Telemetry) -> Self {
        Self {
            telemetry: Arc::new(telemetry),
            ..self
        }
    }

    /// Serves one request outside of Lambda.
    pub async fn call(&self, request: Request) -> Response {
        self.serve(request, Invocation::default()).await
    }

    /// Serves one request, or responds with the invocation's refusal. A panic of the
    /// handler is a 500, and running out of time a 503.
    pub(crate) async fn serve(&self, mut request: Request, mut invocation: Invocation) -> Response {
        let started = Instant::now();
        let refusal = invocation.refusal.take();
        let exports_spans = self.telemetry.exporter.is_some();
        let ctx = RequestContext::of(invocation, request.headers(), exports_spans);
        request.extensions_mut().insert(ctx.clone());
        let method = request.method().clone();
        let path = request.uri().path().to_owned();
        let span = ctx.span(self.name);

        let routed = async {
            if let Some(refusal) = refusal {
                return refusal.into_response();
            }
            if ctx.deadline.remaining() < MIN_TIME_LEFT {
                ctx.record.time_out();
                let detail = "The request had no time left when it arrived.";
                return Problem::unavailable(detail, Duration::ZERO).into_response();
            }
            let handled = AssertUnwindSafe(self.routes.clone().oneshot(request)).catch_unwind();
            match timeout_at(ctx.deadline.instant(), handled).await {
                Ok(Ok(Ok(response))) => response,
                Ok(Err(_panic)) => Problem::internal("the handler panicked").into_response(),
                Err(_elapsed) => {
                    ctx.record.time_out();
                    let detail = "The time for the request ran out.";
                    Problem::unavailable(detail, Duration::ZERO).into_response()
                }
            }
        };
        let response = routed.instrument(span.clone()).await;
        let _entered = span.enter();
        let (response, problem) = self.finish(response, &method, &path, &ctx);
        self.complete(&ctx, &method, started, &response, problem);
        response
    }

    /// Writes the completion line of a request, with its metrics, and sends its trace.
    fn complete(
        &self,
        ctx: &RequestContext,
        method: &Method,
        started: Instant,
        response: &Response,
        problem: Option<ProblemType>,
    ) {
        let record = &ctx.record;
        let (duration, status) = (started.elapsed(), response.status().as_u16());
        let (route, method) = (record.route(), method.as_str());
        let completed = Completed {
            service: self.name,
            request_id: &ctx.request_id,
            trace: ctx.trace,
            method,
            route: &route,
            status,
            started: record.started,
            duration,
            problem: problem.map(ProblemType::slug),
            is_replay: response.headers().contains_key(IDEMPOTENCY_REPLAYED),
        };
        completed.log(record, &self.telemetry.metrics);
        if record.traced
            && let Some(exporter) = &self.telemetry.exporter
        {
            exporter.send(&completed, &record.take_spans());
        }
    }

    /// Renders the problem, if the response is one, and sets the headers of every
    /// response. Returns the response and the type of the problem.
    fn finish(
        &self,
        response: Response,
        method: &Method,
        path: &str,
        ctx: &RequestContext,
    ) -> (Response, Option<ProblemType>) {
        let mut response = replace_method_not_allowed(response, method);
        let mut kind = None;
        if let Some(problem) = response.extensions_mut().remove::<Problem>() {
            if let Some(cause) = problem.cause() {
                tracing::error!(status = problem.status().as_u16(), cause, "problem");
            }
            if problem.is_out_of_time() {
                ctx.record.time_out();
            }
            kind = Some(problem.kind());
            problem.render(&mut response, &ctx.base_path, path, &ctx.request_id);
        }
        let headers = response.headers_mut();
        add_base_path(headers, &ctx.base_path);
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        for (name, value) in [
            (X_REQUEST_ID, Cow::from(&ctx.request_id)),
            (TRACERESPONSE, ctx.trace.to_string().into()),
        ] {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
        // A report of health must not be cached, nor a problem in place of one.
        let no_store = (path.starts_with("/health/") || path == "/health")
            .then_some(HeaderValue::from_static("no-store"));
        if let Some(value) = no_store.or_else(|| self.cache_control.clone()) {
            headers.entry(CACHE_CONTROL).or_insert(value);
        }
        (set_length(response, method, kind.is_some()), kind)
    }
}

/// Adds the base path, which is not part of the routes, to the paths in headers.
fn add_base_path(headers: &mut HeaderMap, base_path: &str) {
    if base_path.is_empty() {
        return;
    }
    for name in [LOCATION, CONTENT_LOCATION] {
        let value = headers.get(&name).and_then(|value| value.to_str().ok());
        let value = value.map(|path| HeaderValue::from_str(&format!("{base_path}{path}")));
        if let Some(Ok(value)) = value {
            headers.insert(name, value);
        }
    }
}

/// Sets Content-Length of a response to `HEAD` and removes its body. The gateway sets it
/// of other responses; 204 and 304 have none.
fn set_length(mut response: Response, method: &Method, is_problem: bool) -> Response {
    let has_none = matches!(
        response.status(),
        StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED
    );
    if method != Method::HEAD || has_none {
        response.headers_mut().remove(CONTENT_LENGTH);
    } else if is_problem && let Some(length) = response.body().size_hint().exact() {
        // axum has measured the response before the problem was its body.
        response.headers_mut().insert(CONTENT_LENGTH, length.into());
    }
    if method == Method::HEAD {
        *response.body_mut() = Body::empty();
    }
    response
}

/// Replaces axum's 405 by the response to `OPTIONS`, which no route declares, or by a
/// problem. `Accept-Patch` is sent if the path supports `PATCH` (RFC 5789 §3.1).
fn replace_method_not_allowed(mut response: Response, method: &Method) -> Response {
    if response.status() != StatusCode::METHOD_NOT_ALLOWED {
        return response;
    }
    let Some(allowed) = response.headers().get(ALLOW) else {
        return response;
    };
    let allowed = allowed.to_str().unwrap_or_default().replace(',', ", ");
    let allowed = format!("{allowed}, OPTIONS");
    response = if method == Method::OPTIONS {
        StatusCode::NO_CONTENT.into_response()
    } else {
        let detail = format!("This path supports {allowed}.");
        Problem::new(ProblemType::MethodNotAllowed, detail).into_response()
    };
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&allowed) {
        headers.insert(ALLOW, value);
    }
    if method == Method::OPTIONS
        && allowed.split(", ").any(|method| method == "PATCH")
        && let Ok(patches) = HeaderValue::from_str(&MERGE_PATCH.join(", "))
    {
        headers.insert(ACCEPT_PATCH, patches);
    }
    response
}
