//! `GET /oscheck`: the operating system that the function runs on.

use axum::{response::Response, routing::get};
use chassis::{Problem, Router, negotiate, reply};
use http::{HeaderMap, StatusCode};
use serde::Serialize;

/// The routes of `oscheck`.
#[must_use]
pub fn router() -> Router {
    Router::new("oscheck").route("/oscheck", get(check))
}

/// The operating system, as `uname` tells of it.
#[derive(Serialize)]
struct OperatingSystem {
    message: String,
    /// Its name, `Linux`.
    system: String,
    /// Its kernel's release, `6.1.0`.
    release: String,
    /// The machine's hardware, `aarch64`.
    architecture: String,
}

/// What it runs on: JSON or plain text.
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
