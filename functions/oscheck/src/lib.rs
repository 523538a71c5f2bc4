//! `GET /oscheck`: the operating system that the function runs on.

use axum::{response::Response, routing::get};
use chassis::{Problem, Router, negotiate, reply};
use http::{HeaderMap, StatusCode};
use serde::Serialize;

#[cfg(feature = "openapi")]
pub mod openapi;

/// The routes of `oscheck`.
#[must_use]
pub fn router() -> Router {
    Router::new("oscheck").route("/oscheck", get(check))
}

/// The operating system, as `uname` tells of it.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
struct OperatingSystem {
    /// The system, in a sentence.
    message: String,
    /// Its name, `Linux`.
    system: String,
    /// Its kernel's release, `6.1.0`.
    release: String,
    /// The machine's hardware, `aarch64`.
    architecture: String,
}

/// What it runs on: JSON or plain text.
#[cfg_attr(feature = "openapi", utoipa::path(
    get,
    path = "/oscheck",
    operation_id = "getOperatingSystem",
    summary = "Tell the operating system",
    description = "True of the machine that the function runs on, as JSON or as plain text.",
    responses(
        (
            status = 200,
            description = "The operating system.",
            content((OperatingSystem = "application/json"), (String = "text/plain")),
            headers(("Vary")),
        ),
        chassis::openapi::Failures,
    ),
))]
async fn check(headers: HeaderMap) -> Result<Response, Problem> {
    let uname = rustix::system::uname();
    let system = uname.sysname().to_string_lossy();
    let message = format!("Your operation system is: {system}");
    let response = match negotiate::best(&headers, &["application/json", "text/plain"]) {
        Some("text/plain") => reply::text(message),
        _ => reply::json(
            StatusCode::OK,
            &OperatingSystem {
                message,
                system: system.into_owned(),
                release: uname.release().to_string_lossy().into_owned(),
                architecture: uname.machine().to_string_lossy().into_owned(),
            },
        )?,
    };
    Ok(reply::vary_accept(response))
}
