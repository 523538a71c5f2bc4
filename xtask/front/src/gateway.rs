//! What an HTTP API does to a request before a function gets it, and
//! `cargo lambda watch` does not.

use axum::{
    body::Body,
    extract::Request,
    http::{
        HeaderMap, HeaderValue,
        header::{CONTENT_TYPE, COOKIE},
    },
};
use dto::problem::ProblemType;
use http_body_util::BodyExt;

/// The most bytes of a body that an HTTP API accepts.
/// Source: Amazon API Gateway Developer Guide, "Quotas for configuring and running an HTTP
/// API".
const MAX_BODY_BYTES: usize = 10 * 1024 * 1024;

/// The request as an HTTP API passes it on, or the type and the detail of a problem. A
/// body that is too large is read to its end too: a client that is still sending does not
/// get a response.
pub async fn accept(request: Request) -> Result<Request, (ProblemType, String)> {
    let (mut parts, mut body) = request.into_parts();
    let (mut received, mut length) = (Vec::new(), 0);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| {
            let detail = "The body cannot be read to its end.".to_owned();
            (ProblemType::MalformedRequest, detail)
        })?;
        if let Ok(data) = frame.into_data() {
            length += data.len();
            if length <= MAX_BODY_BYTES {
                received.extend_from_slice(&data);
            }
        }
    }
    if length > MAX_BODY_BYTES {
        let detail = format!("The body is larger than {MAX_BODY_BYTES} bytes.");
        return Err((ProblemType::ContentTooLarge, detail));
    }
    parts.headers = joined(&parts.headers);
    if std::str::from_utf8(&received).is_err() {
        declare_binary(&mut parts.headers);
    }
    Ok(Request::from_parts(parts, Body::from(received)))
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

/// Changes the case of the media type, which means the same, so that `cargo lambda watch`
/// regards the body as binary. It fails at a body that is declared as text and is not.
fn declare_binary(headers: &mut HeaderMap) {
    let media_type = headers.get(CONTENT_TYPE).and_then(|it| it.to_str().ok());
    let mut media_type = media_type.unwrap_or("application/octet-stream").to_owned();
    if let Some(first) = media_type.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    if let Ok(value) = HeaderValue::from_str(&media_type) {
        headers.insert(CONTENT_TYPE, value);
    }
}
