//! Answers that are no problems.

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{
    HeaderValue, StatusCode,
    header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, VARY},
};
use serde::Serialize;

use crate::Problem;

/// A JSON answer.
///
/// # Errors
///
/// A 500 problem if the value cannot be written as JSON, which is a bug.
pub fn json(status: StatusCode, value: &impl Serialize) -> Result<Response, Problem> {
    with_media_type("application/json", status, value)
}

/// A JSON answer of a media type of its own, such as `application/health+json`.
///
/// # Errors
///
/// A 500 problem if the value cannot be written as JSON, which is a bug.
pub fn with_media_type(
    media_type: &'static str,
    status: StatusCode,
    value: &impl Serialize,
) -> Result<Response, Problem> {
    let body = serde_json::to_vec(value).map_err(Problem::internal)?;
    let content_type = [(CONTENT_TYPE, HeaderValue::from_static(media_type))];
    Ok((status, content_type, body).into_response())
}

/// A plain text, exactly.
#[must_use]
pub fn text(text: impl Into<Body>) -> Response {
    typed("text/plain; charset=utf-8", text)
}

/// A page, with the Content-Security-Policy that says what it may load.
#[must_use]
pub fn html(page: impl Into<Body>, policy: &'static str) -> Response {
    let mut response = typed("text/html; charset=utf-8", page);
    let policy = HeaderValue::from_static(policy);
    response
        .headers_mut()
        .insert(CONTENT_SECURITY_POLICY, policy);
    response
}

fn typed(media_type: &'static str, body: impl Into<Body>) -> Response {
    let content_type = [(CONTENT_TYPE, HeaderValue::from_static(media_type))];
    (content_type, body.into()).into_response()
}

/// 204 without a body.
#[must_use]
pub fn no_content() -> Response {
    StatusCode::NO_CONTENT.into_response()
}

/// 304 with the entity tag that the client has already (RFC 9110 §15.4.5).
#[must_use]
pub fn not_modified(tag: &str) -> Response {
    with_etag(StatusCode::NOT_MODIFIED.into_response(), tag)
}

/// The same answer with an `ETag` of this opaque tag; the quotes are added.
#[must_use]
pub fn with_etag(response: Response, tag: &str) -> Response {
    with_header(response, ETAG, &format!("\"{tag}\""))
}

/// The same answer with a header. What no header can hold is left out.
#[must_use]
pub fn with_header(mut response: Response<Body>, name: http::HeaderName, value: &str) -> Response {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
    response
}

/// The same answer, said to depend on the request's `Accept`.
#[must_use]
pub fn vary_accept(response: Response) -> Response {
    with_header(response, VARY, "Accept")
}
