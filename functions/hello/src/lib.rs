//! `GET /`: the first thing that a newcomer tries.

use axum::{response::Response, routing::get};
use chassis::{Problem, Router, negotiate, reply};
use http::{HeaderMap, StatusCode};
use serde::Serialize;

#[cfg(feature = "openapi")]
pub mod openapi;

/// Where the page may load from: nowhere, but for the icon. The hash is that of
/// its style sheet.
const POLICY: &str = "default-src 'none'; img-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'; \
                      style-src 'sha256-uezfWG0Z+WuVglF4sTWAtOxbsD2JMirWJ4FQ0zdg9lo='";

/// The routes of `hello`.
#[must_use]
pub fn router() -> Router {
    Router::new("hello").route("/", get(greet))
}

/// The greeting, as JSON.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
struct Greeting {
    /// `Hello Kea`.
    message: &'static str,
}

/// A greeting: JSON, plain text or, to a browser, a page.
#[cfg_attr(feature = "openapi", utoipa::path(
    get,
    path = "/",
    operation_id = "getGreeting",
    summary = "Say hello",
    description = "As JSON, as plain text or, to a browser, as a page with links to the rest.",
    responses(
        (
            status = 200,
            description = "The greeting.",
            content((Greeting = "application/json"), (String = "text/plain"), (String = "text/html")),
            headers(("Vary")),
        ),
        chassis::openapi::Failures,
    ),
))]
async fn greet(headers: HeaderMap) -> Result<Response, Problem> {
    let offers = ["application/json", "text/plain", "text/html"];
    let response = match negotiate::best(&headers, &offers) {
        Some("text/plain") => reply::text("Hello KEA!"),
        Some("text/html") => reply::html(include_str!("index.html"), POLICY),
        _ => reply::json(
            StatusCode::OK,
            &Greeting {
                message: "Hello Kea",
            },
        )?,
    };
    Ok(reply::vary_accept(response))
}
