//! HTTP requests as API Gateway's events, and its answers as HTTP responses.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use serde_json::{Map, Value, json};

/// The event of a request, in payload v2, as `cargo lambda watch` makes it: the
/// path is not decoded, and a body that is no JSON or text is in base64.
pub fn of(request: &Request<Bytes>) -> Value {
    let uri = request.uri();
    let mut headers = Map::new();
    for name in request.headers().keys() {
        let values = request.headers().get_all(name).iter();
        let values: Vec<_> = values
            .map(|v| String::from_utf8_lossy(v.as_bytes()))
            .collect();
        headers.insert(name.to_string(), values.join(",").into());
    }
    let media_type = request
        .headers()
        .get("content-type")
        .and_then(|v| v.to_str().ok());
    let plain =
        media_type.is_none_or(|t| t.starts_with("text/") || t.starts_with("application/json"));
    let (body, is_base64_encoded) = match std::str::from_utf8(request.body()) {
        Ok("") => (Value::Null, false),
        Ok(text) if plain => (text.into(), false),
        _ => (STANDARD.encode(request.body()).into(), true),
    };
    json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": uri.path(),
        "rawQueryString": uri.query().unwrap_or_default(),
        "headers": headers,
        "requestContext": {
            "accountId": "anonymous",
            "apiId": "local",
            "domainName": "localhost",
            "http": {
                "method": request.method().as_str(),
                "path": uri.path(),
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": "tests",
            },
            "requestId": "local",
            "routeKey": "$default",
            "stage": "$default",
            "time": "22/Nov/2026:12:00:00 +0000",
            "timeEpoch": 1_795_348_800_000_u64,
        },
        "body": body,
        "isBase64Encoded": is_base64_encoded,
    })
}

/// The HTTP response that a gateway makes of a function's answer.
pub fn response(answer: &Value) -> Response<Bytes> {
    let status = answer["statusCode"]
        .as_u64()
        .expect("an answer has a status");
    let text = answer["body"].as_str().unwrap_or_default();
    let body = if answer["isBase64Encoded"] == true {
        STANDARD
            .decode(text)
            .expect("a body is the base64 it is said to be")
            .into()
    } else {
        Bytes::copy_from_slice(text.as_bytes())
    };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(u16::try_from(status).unwrap()).unwrap();
    for (name, value) in answer["headers"].as_object().into_iter().flatten() {
        let name: HeaderName = name.parse().expect("a header's name");
        let value = value.as_str().expect("a header's value is a string");
        response.headers_mut().insert(
            name,
            HeaderValue::from_str(value).expect("a header's value"),
        );
    }
    response
}
