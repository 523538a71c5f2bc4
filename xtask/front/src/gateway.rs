//! What an HTTP API does to a request before a function gets it, and
//! `cargo lambda watch` does not.

use axum::{
    body::{Body, Bytes, HttpBody, to_bytes},
    extract::Request,
    http::{
        HeaderMap, HeaderValue,
        header::{CONTENT_TYPE, COOKIE},
    },
};

/// The most bytes of a body that an HTTP API accepts.
/// Source: Amazon API Gateway Developer Guide, "Quotas for configuring and running an HTTP
/// API".
pub const MAX_BODY_BYTES: usize = 10 * 1024 * 1024;

/// The request as an HTTP API passes it on; `None` if its body is too large.
pub async fn accept(request: Request) -> Option<Request> {
    let (mut parts, body) = request.into_parts();
    // The client may wait for the response before it sends the body.
    let declared = usize::try_from(body.size_hint().lower()).ok()?;
    if declared > MAX_BODY_BYTES {
        return None;
    }
    let body = to_bytes(body, MAX_BODY_BYTES).await.ok()?;
    parts.headers = joined(&parts.headers);
    encode(&mut parts.headers, &body);
    Some(Request::from_parts(parts, Body::from(body)))
}

/// The headers with the values of each name joined by commas: `cargo lambda watch` passes
/// on only the first. What is not UTF-8 is replaced, because it fails at that. Cookies are
/// a list of their own in the event.
fn joined(headers: &HeaderMap) -> HeaderMap {
    let mut joined = HeaderMap::with_capacity(headers.len());
    for name in headers.keys() {
        let values = headers.get_all(name).iter();
        let values: Vec<_> = values
            .map(|value| String::from_utf8_lossy(value.as_bytes()))
            .collect();
        let separator = if name == COOKIE { "; " } else { ", " };
        if let Ok(value) = HeaderValue::from_bytes(values.join(separator).as_bytes()) {
            joined.insert(name, value);
        }
    }
    joined
}

/// Makes `cargo lambda watch` encode a body that is not text as Base64. It decides by the
/// media type, fails where a body is not of the type that is declared, and regards a type
/// in another case, which means the same, as binary.
fn encode(headers: &mut HeaderMap, body: &Bytes) {
    if std::str::from_utf8(body).is_ok() {
        return;
    }
    let media_type = headers.get(CONTENT_TYPE).and_then(|it| it.to_str().ok());
    let media_type = media_type.unwrap_or("application/octet-stream").to_owned();
    let (first, rest) = media_type.split_at(usize::from(media_type.is_char_boundary(1)));
    if let Ok(value) = HeaderValue::from_str(&(first.to_ascii_uppercase() + rest)) {
        headers.insert(CONTENT_TYPE, value);
    }
}
