//! `GET /oscheck`: the operating system that the function runs on.

use axum::response::{IntoResponse, Response};
use chassis::{
    auth::Access,
    http::{Accept, Representation, Router, doc, get, text, vary},
};
use json::Schema;
use serde::Serialize;

/// The routes of `oscheck`.
#[must_use]
pub fn router() -> Router {
    let check_os = doc(
        "getOperatingSystem",
        "Get the operating system",
        Access::Public,
    )
    .describe("That of the machine on which the function runs, as JSON or as plain text.");
    Router::new("oscheck", ()).route("/oscheck", get(check_os, check))
}

async fn check(accept: Accept) -> Checked {
    let uname = rustix::system::uname();
    let system = uname.sysname().to_string_lossy();
    let checked = OperatingSystem {
        message: format!("Your operation system is: {system}"),
        system: system.into_owned(),
        release: uname.release().to_string_lossy().into_owned(),
        architecture: uname.machine().to_string_lossy().into_owned(),
    };
    if accept.prefers_text() {
        Checked::Text(checked.message)
    } else {
        Checked::Json(checked)
    }
}

/// The operating system in the form that the client prefers.
enum Checked {
    Json(OperatingSystem),
    Text(String),
}

/// The operating system, from `uname`.
#[derive(Serialize, Schema)]
struct OperatingSystem {
    /// The system in a sentence.
    message: String,
    /// Its name: `Linux`.
    system: String,
    /// The release of its kernel, such as `6.1.0`.
    release: String,
    /// The architecture of the machine, such as `aarch64`.
    architecture: String,
}

impl IntoResponse for Checked {
    fn into_response(self) -> Response {
        let response = match self {
            Self::Json(checked) => Representation(checked).into_response(),
            Self::Text(message) => text(message),
        };
        vary(response, "Accept")
    }
}

impl chassis::http::openapi::DescribeOutput for Checked {
    fn describe(operation: &mut chassis::http::openapi::Operation) {
        let content = [
            (
                "application/json",
                operation.response_schema::<OperatingSystem>(),
            ),
            ("text/plain", operation.response_schema::<String>()),
        ];
        operation.response(200, "The operating system.", &["Vary"], &content);
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use axum::{
        body::{Body, to_bytes},
        http::Request,
    };

    use super::*;

    #[tokio::test]
    async fn the_response_is_true_of_this_machine() {
        let request = Request::get("/oscheck").body(Body::empty()).unwrap();
        let response = router().into_service().call(request).await;
        let body = to_bytes(response.into_body(), 10_000).await.unwrap();
        let body = String::from_utf8(body.to_vec()).unwrap();
        let [system, release, architecture] = ["-s", "-r", "-m"].map(|flag| {
            let output = Command::new("uname").arg(flag).output().unwrap();
            String::from_utf8(output.stdout).unwrap().trim().to_owned()
        });
        let message = format!("Your operation system is: {system}");
        assert_eq!(
            body,
            format!(
                r#"{{"message":"{message}","system":"{system}","release":"{release}","architecture":"{architecture}"}}"#
            )
        );
    }
}
