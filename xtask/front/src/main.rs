//! The server in front of `cargo lambda watch` in `cargo xtask up`.
//!
//! It has the time limit of API Gateway: a request to a function that is being
//! compiled, or that was stopped while it had the request, is a problem instead of
//! a wait without an end. It has API Gateway's response to a path without a route, and
//! passes headers and bodies on as API Gateway does; the Invoke API passes through. It
//! begins the trace of a request, or continues the caller's, and writes its own part to
//! the log.

mod gateway;
mod span;

use std::{net::SocketAddr, path::PathBuf, process::ExitCode, sync::Arc, time::Duration};

use anyhow::{Context, Result};
use axum::{
    Router,
    body::Body,
    extract::Request,
    http::{
        HeaderValue, StatusCode, Uri,
        header::{CONTENT_TYPE, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS},
        uri::{Authority, Scheme},
    },
    response::{IntoResponse, Response},
    routing::any,
};
use clap::Parser;
use dto::problem::{MEDIA_TYPE, ProblemDetails, ProblemType};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use logs::Log;
use tokio::{
    net::TcpListener,
    time::{Instant, timeout_at},
};

use crate::span::Span;

/// The value of `Retry-After`, in seconds.
const RETRY_AFTER_S: u64 = 5;

/// What `cargo lambda watch` serves beside the routes: the Invoke API and function URLs.
const INVOKE_PATHS: [&str; 2] = ["/2015-03-31/", "/lambda-url/"];

/// Serves the API on one address and passes requests on to another.
#[derive(Parser)]
struct Arguments {
    /// The address to listen on
    #[arg(long)]
    listen: SocketAddr,

    /// The address of `cargo lambda watch`
    #[arg(long)]
    upstream: SocketAddr,

    /// The longest wait for a response, in seconds
    #[arg(long, default_value_t = 29.0)]
    limit: f64,

    /// The folder of the log
    #[arg(long)]
    log: PathBuf,

    /// A path and the function that it is routed to
    #[arg(long, value_name = "PATH=FUNCTION", value_parser = route)]
    route: Vec<(String, String)>,
}

fn route(text: &str) -> Result<(String, String), String> {
    let (path, function) = text.split_once('=').ok_or("its form is PATH=FUNCTION")?;
    Ok((path.to_owned(), function.to_owned()))
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        // One line in the terminal of `cargo xtask up`.
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<()> {
    let listener = TcpListener::bind(arguments.listen).await;
    let address = arguments.listen;
    let listener = listener.with_context(|| format!("{address} cannot be listened on"))?;
    let front = Front {
        client: Client::builder(TokioExecutor::new()).build_http(),
        upstream: arguments.upstream.to_string().parse()?,
        limit: Duration::try_from_secs_f64(arguments.limit)?,
        log: Arc::new(Log::at(&arguments.log)),
    };
    let handler = |target: Option<(String, String)>| {
        let front = front.clone();
        move |request| async move { front.pass_on(target, request).await }
    };
    let mut routes = Router::new();
    for (path, function) in arguments.route {
        routes = routes.route(&path.clone(), any(handler(Some((path, function)))));
    }
    let routes = routes.fallback(handler(None));
    Ok(axum::serve(listener, routes).await?)
}

#[derive(Clone)]
struct Front {
    client: Client<HttpConnector, Body>,
    upstream: Authority,
    limit: Duration,
    log: Arc<Log>,
}

impl Front {
    /// Passes a request on. `target` is its route and the function of that.
    async fn pass_on(self, target: Option<(String, String)>, mut request: Request) -> Response {
        let path = request.uri().path().to_owned();
        let method = request.method().clone();
        let deadline = Instant::now() + self.limit;
        let span = Span::start(&method, &path, request.headers_mut());
        let name = match &target {
            Some((_, function)) => format!("function {function}"),
            None => "API".to_owned(),
        };
        let route = target.as_ref().map(|(route, _)| route.as_str());
        let result = if route.is_some() {
            match timeout_at(deadline, gateway::accept(request)).await {
                Ok(Ok(request)) => self.send(&name, request, deadline).await,
                Ok(Err((kind, detail))) => {
                    Ok(problem(kind, detail, path.clone(), span.request_id.clone()))
                }
                Err(_elapsed) => Err("The body of the request did not arrive in time.".to_owned()),
            }
        } else if INVOKE_PATHS.iter().any(|it| path.starts_with(it)) {
            self.send(&name, request, deadline).await
        } else {
            Ok(no_route())
        };
        let request_id = span.request_id.clone();
        span.end(&self.log, route, &result);
        result.unwrap_or_else(|reason| {
            let mut response = problem(ProblemType::ServiceUnavailable, reason, path, request_id);
            let headers = response.headers_mut();
            headers.insert(RETRY_AFTER, HeaderValue::from(RETRY_AFTER_S));
            response
        })
    }

    /// The response of the server behind, or why there is none. `name` is what the
    /// request is for.
    async fn send(
        &self,
        name: &str,
        mut request: Request,
        deadline: Instant,
    ) -> Result<Response, String> {
        let mut uri = request.uri().clone().into_parts();
        uri.scheme = Some(Scheme::HTTP);
        uri.authority = Some(self.upstream.clone());
        let uri = Uri::from_parts(uri);
        let uri = uri.map_err(|error| format!("The request has no valid target: {error}."))?;
        *request.uri_mut() = uri;
        match timeout_at(deadline, self.client.request(request)).await {
            Ok(Ok(response)) => Ok(response.map(Body::new)),
            Ok(Err(error)) => Err(format!("The {name} closed the connection: {error}.")),
            Err(_elapsed) => Err(format!(
                "The {name} did not respond within {} s. It may be compiling, or was stopped. \
                 The terminal of `cargo xtask up` has its log.",
                self.limit.as_secs_f64()
            )),
        }
    }
}

/// The response of an HTTP API to a path without a route.
fn no_route() -> Response {
    let headers = [(CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    (StatusCode::NOT_FOUND, headers, r#"{"message":"Not Found"}"#).into_response()
}

/// A problem, as the chassis renders it.
fn problem(kind: ProblemType, detail: String, instance: String, request_id: String) -> Response {
    let problem = ProblemDetails {
        r#type: format!("/problems/{}", kind.slug()),
        title: kind.title().to_owned(),
        status: kind.status(),
        detail,
        instance,
        request_id,
        errors: Vec::new(),
    };
    let status = StatusCode::from_u16(kind.status());
    let headers = [
        (CONTENT_TYPE, MEDIA_TYPE),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    let body = serde_json::to_vec(&problem).unwrap_or_default();
    let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, headers, body).into_response()
}
