//! A service's routes, and what every answer of it has in common.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::Request,
    response::{IntoResponse, Response},
    routing::MethodRouter,
};
use dto::problem::ProblemType;
use futures_util::FutureExt;
use http::{
    HeaderValue, Method, StatusCode,
    header::{ALLOW, CONTENT_LENGTH},
};
use tokio::time::{Instant, timeout_at};
use tower::ServiceExt;

use crate::{
    Call, Problem,
    config::Variable,
    health,
    health::Check,
    idempotency::IDEMPOTENCY_REPLAYED,
    span::{Span, hex},
};

/// A request with less time than this is turned away at once: shedding what
/// cannot be served leaves the time to what can.
const LEAST: Duration = Duration::from_millis(5);

/// The routes of a service, each declared once, beside its handlers.
///
/// Beyond what is declared, a service answers `GET /health/{name}`, `HEAD`
/// wherever it answers `GET`, `OPTIONS` with 204 and `Allow`, an unknown path
/// with 404 and a wrong method with 405.
pub struct Router<S = ()> {
    name: &'static str,
    state: S,
    routes: axum::Router<S>,
    paths: Vec<String>,
    checks: Vec<Check>,
    reads: &'static [Variable],
    calls: Vec<String>,
}

impl Router {
    /// The routes of the service called `name`, as its binary is.
    #[must_use]
    pub fn new(name: &'static str) -> Self {
        Self::with_state(name, ())
    }
}

impl<S: Clone + Send + Sync + 'static> Router<S> {
    /// The same, for handlers that share a state.
    #[must_use]
    pub fn with_state(name: &'static str, state: S) -> Self {
        Self {
            name,
            state,
            routes: axum::Router::new(),
            paths: Vec::new(),
            checks: Vec::new(),
            reads: &[],
            calls: Vec::new(),
        }
    }

    /// Adds a path and the methods that it has.
    #[must_use]
    pub fn route(mut self, path: &str, methods: MethodRouter<S>) -> Self {
        self.routes = self.routes.route(path, methods);
        self.paths.push(path.to_owned());
        self
    }

    /// Adds something that the service depends on, for its health.
    #[must_use]
    pub fn check(mut self, check: Check) -> Self {
        self.checks.push(check);
        self
    }

    /// Says which variables of its environment a deployment is to set.
    #[must_use]
    pub fn reads(mut self, variables: &'static [Variable]) -> Self {
        self.reads = variables;
        self
    }

    /// Says which path of another service it calls.
    #[must_use]
    pub fn calls(mut self, path: impl Into<String>) -> Self {
        self.calls.push(path.into());
        self
    }

    /// The service, ready to be called.
    #[must_use]
    pub fn into_service(self) -> Service {
        let Self {
            name,
            state,
            routes,
            mut paths,
            checks,
            reads,
            calls,
        } = self;
        let path = format!("/health/{name}");
        let routes = routes
            .route(&path, health::report(name, checks))
            .fallback(|| async {
                Problem::new(ProblemType::UnknownPath, "No route has this path.")
            });
        paths.push(path);
        Service {
            name,
            routes: routes.with_state(state),
            paths: paths.into(),
            reads,
            calls: calls.into(),
        }
    }
}

/// A service that answers HTTP requests, whatever happens inside.
#[derive(Clone)]
pub struct Service {
    name: &'static str,
    routes: axum::Router,
    paths: Arc<[String]>,
    reads: &'static [Variable],
    calls: Arc<[String]>,
}

impl Service {
    /// The service's name, as its binary's.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The paths that it declares, in axum's syntax, which is API Gateway's
    /// too: `/things/{id}`.
    #[must_use]
    pub fn paths(&self) -> &[String] {
        &self.paths
    }

    /// The variables that a deployment is to set.
    #[must_use]
    pub fn reads(&self) -> &'static [Variable] {
        self.reads
    }

    /// The paths of other services that it calls.
    #[must_use]
    pub fn calls(&self) -> &[String] {
        &self.calls
    }

    /// Responds to one request and logs its line. A panic is a 500, and running
    /// out of time a 503.
    pub async fn call(&self, request: Request) -> Response {
        self.respond(request, None).await
    }

    /// Responds with `problem` to a request that no handler is to see, and logs
    /// its line.
    pub(crate) async fn refuse(&self, request: Request, problem: Problem) -> Response {
        self.respond(request, Some(problem)).await
    }

    async fn respond(&self, request: Request, refusal: Option<Problem>) -> Response {
        let started = Instant::now();
        let call = Call::of(&request);
        let method = request.method().clone();
        let path = request.uri().path().to_owned();

        let response = match refusal {
            Some(problem) => problem.into_response(),
            None => self.route(request, &call).await,
        };
        let response = self.finish(response, &method, &path, &call.request_id);

        tracing::info!(
            service = self.name,
            request_id = call.request_id,
            trace_id = format_args!("{:032x}", call.trace.trace_id),
            span_id = hex(call.trace.span_id),
            parent_id = call.trace.parent_id.map(hex),
            method = %method,
            path,
            status = response.status().as_u16(),
            replayed = response.headers().contains_key(IDEMPOTENCY_REPLAYED).then_some(true),
            duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
            "request"
        );
        response
    }

    /// The response of the route of this request, within its deadline.
    async fn route(&self, mut request: Request, call: &Call) -> Response {
        if call.deadline.remaining() < LEAST {
            let detail = "The request had no time left when it came.";
            return Problem::unavailable(detail, 1).into_response();
        }
        request.extensions_mut().insert(call.clone());
        let routed = AssertUnwindSafe(self.routes.clone().oneshot(request)).catch_unwind();
        let routed = Span::within(self.name, call, routed);
        match timeout_at(call.deadline.instant(), routed).await {
            Ok(Ok(Ok(response))) => response,
            Ok(Err(_panic)) => Problem::internal("the handler panicked").into_response(),
            Err(_elapsed) => {
                let detail = "The request could not be answered in the time it had.";
                Problem::unavailable(detail, 1).into_response()
            }
        }
    }

    fn finish(
        &self,
        response: Response,
        method: &Method,
        path: &str,
        request_id: &str,
    ) -> Response {
        let mut response = allow(response, method);
        if let Some(problem) = response.extensions_mut().remove::<Problem>() {
            if let Some(cause) = problem.cause() {
                tracing::error!(
                    service = self.name,
                    request_id,
                    status = problem.status().as_u16(),
                    cause,
                    "problem"
                );
            }
            let mut rendered = problem.render(path, request_id);
            let headers = std::mem::take(response.headers_mut());
            let fixed = std::mem::take(rendered.headers_mut());
            *rendered.headers_mut() = headers;
            rendered.headers_mut().extend(fixed);
            response = rendered;
        }
        // The length is the gateway's to say, which sends the bytes, and none
        // may stand with a 204 or a 304. Only of an answer to `HEAD` it cannot
        // know how long it would have been.
        if method == Method::HEAD {
            *response.body_mut() = Body::empty();
        } else {
            response.headers_mut().remove(CONTENT_LENGTH);
        }
        response
    }
}

/// No route declares `OPTIONS`, so axum answers it, as any method that a path
/// does not have, with 405 and `Allow`. Here it gets its 204, and the rest
/// their problem.
fn allow(mut response: Response, method: &Method) -> Response {
    if response.status() != StatusCode::METHOD_NOT_ALLOWED {
        return response;
    }
    let Some(allowed) = response.headers().get(ALLOW) else {
        return response;
    };
    let listed = allowed.to_str().unwrap_or_default().replace(',', ", ");
    let allowed = format!("{listed}, OPTIONS");
    response = if method == Method::OPTIONS {
        StatusCode::NO_CONTENT.into_response()
    } else {
        let detail = format!("This path has {allowed}.");
        Problem::new(ProblemType::MethodNotAllowed, detail).into_response()
    };
    if let Ok(allowed) = HeaderValue::from_str(&allowed) {
        response.headers_mut().insert(ALLOW, allowed);
    }
    response
}
