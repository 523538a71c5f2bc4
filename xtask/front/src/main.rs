//! The server in front of `cargo lambda watch` in `cargo xtask up`.
//!
//! It has the time limit of API Gateway: a request to a function that is being
//! compiled, or that was stopped while it had the request, is a problem instead of
//! a wait without an end. The Invoke API passes through.

use std::{net::SocketAddr, process::ExitCode, time::Duration};

use anyhow::{Context, Result};
use axum::{
    Router,
    body::Body,
    extract::Request,
    http::{
        HeaderMap, HeaderValue, StatusCode, Uri,
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
use tokio::{net::TcpListener, time::timeout};
use uuid::Uuid;

/// The value of `Retry-After`, in seconds.
const RETRY_AFTER_S: u64 = 5;

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
    };
    let handler = |name: String| {
        let front = front.clone();
        move |request| async move { front.pass_on(&name, request).await }
    };
    let mut routes = Router::new();
    for (path, function) in arguments.route {
        routes = routes.route(&path, any(handler(format!("function {function}"))));
    }
    let routes = routes.fallback(handler("API".to_owned()));
    Ok(axum::serve(listener, routes).await?)
}

#[derive(Clone)]
struct Front {
    client: Client<HttpConnector, Body>,
    upstream: Authority,
    limit: Duration,
}

impl Front {
    /// Passes a request on. `name` is what it is for, in a problem.
    async fn pass_on(self, name: &str, mut request: Request) -> Response {
        let instance = request.uri().path().to_owned();
        let mut uri = request.uri().clone().into_parts();
        uri.scheme = Some(Scheme::HTTP);
        uri.authority = Some(self.upstream.clone());
        let problem = |detail: String| unavailable(detail, instance.clone());
        match Uri::from_parts(uri) {
            Ok(uri) => *request.uri_mut() = uri,
            Err(error) => return problem(format!("The request has no valid target: {error}.")),
        }
        match timeout(self.limit, self.client.request(request)).await {
            Ok(Ok(response)) => response.map(Body::new),
            Ok(Err(error)) => problem(format!("The {name} closed the connection: {error}.")),
            Err(_elapsed) => problem(format!(
                "The {name} did not respond within {} s. It may be compiling, or was stopped. \
                 The terminal of `cargo xtask up` has its log.",
                self.limit.as_secs_f64()
            )),
        }
    }
}

/// The problem of an unavailable service, as the chassis renders it.
fn unavailable(detail: String, instance: String) -> Response {
    let kind = ProblemType::ServiceUnavailable;
    let problem = ProblemDetails {
        r#type: format!("/problems/{}", kind.slug()),
        title: kind.title().to_owned(),
        status: kind.status(),
        detail,
        instance,
        request_id: Uuid::now_v7().to_string(),
        errors: Vec::new(),
    };
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    headers.insert(RETRY_AFTER, HeaderValue::from(RETRY_AFTER_S));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let body = serde_json::to_vec(&problem).unwrap_or_default();
    (StatusCode::SERVICE_UNAVAILABLE, headers, body).into_response()
}
