//! HTTP requests as API Gateway's events, and functions' responses as HTTP responses.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

/// The event of a request, in payload v2, as an HTTP API makes it whose `route`
/// (`/things/{id}`, with any method) matches the request's path.
///
/// An HTTP API decodes the path, where `cargo lambda watch` and a function's URL
/// do not, and takes the cookies out of the headers.
pub fn routed(request: &Request<Bytes>, route: &str) -> Value {
    let mut event = of(request);
    let raw_path = request.uri().path();
    let path = decoded(raw_path);
    let mut parameters = Map::new();
    for (name, value) in route.split('/').zip(raw_path.split('/')) {
        if let Some(name) = name.strip_prefix('{').and_then(|it| it.strip_suffix('}')) {
            parameters.insert(name.to_owned(), decoded(value).into());
        }
    }
    let mut query = Map::<String, Value>::new();
    for pair in request.uri().query().unwrap_or_default().split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let [name, value] = [name, value].map(|it| decoded(&it.replace('+', " ")));
        let all = match query.get(&name).and_then(Value::as_str) {
            Some(before) => format!("{before},{value}"),
            None => value,
        };
        if !name.is_empty() {
            query.insert(name, all.into());
        }
    }

    let headers = event["headers"].as_object_mut().expect("headers");
    headers.insert(
        "x-amzn-trace-id".to_owned(),
        "Root=1-6922f3c0-5759e988bd862e3fe1be46a9".into(),
    );
    headers.insert("x-forwarded-for".to_owned(), "127.0.0.1".into());
    headers.insert("x-forwarded-port".to_owned(), "443".into());
    headers.insert("x-forwarded-proto".to_owned(), "https".into());
    headers.remove("cookie");
    let cookies = request.headers().get_all("cookie").iter();
    let cookies: Vec<_> = cookies
        .flat_map(|value| value.as_bytes().split(|&b| b == b';'))
        .map(|cookie| String::from_utf8_lossy(cookie.trim_ascii()).into_owned())
        .collect();

    let key = format!("ANY {route}");
    event["rawPath"] = path.as_str().into();
    event["requestContext"]["http"]["path"] = path.into();
    event["requestContext"]["routeKey"] = key.as_str().into();
    event["routeKey"] = key.into();
    // An HTTP API leaves out what is empty.
    for (name, value, is_empty) in [
        ("cookies", json!(cookies), cookies.is_empty()),
        ("pathParameters", json!(parameters), parameters.is_empty()),
        ("queryStringParameters", json!(query), query.is_empty()),
    ] {
        if !is_empty {
            event[name] = value;
        }
    }
    event
}

/// The event of a request whose path has a `prefix` before its `route`: the name
/// of the `stage`, or the base path of a custom domain.
pub fn prefixed(request: &Request<Bytes>, prefix: &str, stage: &str, route: &str) -> Value {
    let target = request.uri().to_string();
    let rest = target.strip_prefix(prefix).expect("a path with the prefix");
    let rest = if rest.starts_with('/') {
        rest.to_owned()
    } else {
        format!("/{rest}")
    };
    let (mut parts, body) = request.clone().into_parts();
    parts.uri = rest.parse().expect("a path");
    let mut event = routed(&Request::from_parts(parts, body), route);
    let path = decoded(request.uri().path());
    event["rawPath"] = path.as_str().into();
    event["requestContext"]["http"]["path"] = path.into();
    event["requestContext"]["stage"] = stage.into();
    event
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// The event of a request, in payload v2, as `cargo lambda watch` makes it: the
/// path is not decoded, and a body that is neither JSON nor text is in base64.
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

/// The HTTP response that a gateway makes of what a function returned.
pub fn response(response: &Value) -> Response<Bytes> {
    let status = response["statusCode"]
        .as_u64()
        .expect("a response has a status");
    let text = response["body"].as_str().unwrap_or_default();
    let body = if response["isBase64Encoded"] == true {
        STANDARD.decode(text).expect("the body is in base64").into()
    } else {
        Bytes::copy_from_slice(text.as_bytes())
    };
    let mut http = Response::new(body);
    *http.status_mut() = StatusCode::from_u16(u16::try_from(status).unwrap()).unwrap();
    for (name, value) in response["headers"].as_object().into_iter().flatten() {
        let name: HeaderName = name.parse().expect("a header's name");
        let value = value.as_str().expect("a header's value is a string");
        http.headers_mut().insert(
            name,
            HeaderValue::from_str(value).expect("a header's value"),
        );
    }
    http
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn event_has_what_an_http_api_sends() {
        let request = Request::get("/things/a%2Db%20c?x=1&x=%C3%A9+f&%78=2&y")
            .header("cookie", "a=1; b=2")
            .header("cookie", "c=3")
            .header("accept", "text/plain")
            .header("accept", "text/html")
            .body(Bytes::new())
            .unwrap();
        let event = routed(&request, "/things/{id}");
        for (pointer, value) in [
            ("/routeKey", json!("ANY /things/{id}")),
            ("/rawPath", json!("/things/a-b c")),
            ("/rawQueryString", json!("x=1&x=%C3%A9+f&%78=2&y")),
            ("/pathParameters", json!({"id": "a-b c"})),
            ("/queryStringParameters", json!({"x": "1,é f,2", "y": ""})),
            ("/cookies", json!(["a=1", "b=2", "c=3"])),
            ("/headers/accept", json!("text/plain,text/html")),
            ("/requestContext/http/path", json!("/things/a-b c")),
        ] {
            assert_eq!(event.pointer(pointer), Some(&value), "{pointer}");
        }
        assert_eq!(event.pointer("/headers/cookie"), None);
    }
}
