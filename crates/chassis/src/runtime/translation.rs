//! The request that an HTTP API event describes.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{Uri, uri::PathAndQuery};
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};

use super::event::GatewayRequest;

/// The longest path with its query. API Gateway itself accepts 10,240 bytes of
/// request line and headers.
const MAX_TARGET_BYTES: usize = 32 * 1024;

/// The most bytes of the names and values of all headers.
const MAX_HEADER_BYTES: usize = 32 * 1024;

/// The route key of a gateway that passes on every request, as `cargo lambda
/// watch` and a function URL do.
const ANY_ROUTE: &str = "$default";

/// The stage that is not part of the path.
const DEFAULT_STAGE: &str = "$default";

/// The characters that are escaped in a query.
const QUERY: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// The characters that are escaped in a path. An HTTP API decodes the path in its
/// event, so it may have any character.
const PATH: &AsciiSet = &QUERY.add(b'?');

/// The result of translating an event.
pub(super) struct Translated {
    pub(super) request: http::Request<Bytes>,
    /// What was removed from its path.
    pub(super) base_path: String,
    /// Why the event is malformed. The malformed part is not in `request`.
    pub(super) error: Option<&'static str>,
}

impl GatewayRequest {
    /// The request that the event describes.
    pub(super) fn into_request(self, custom_base_path: &str) -> Translated {
        let path = self.raw_path.or(self.path).unwrap_or_default();
        let stage = self.request_context.stage.as_deref();
        let (base_path, path) = split_base_path(&path, stage, custom_base_path);
        // For a route with a path, API Gateway has decoded `rawPath`: a `%` in it is a
        // literal character. For `$default` the path is still encoded.
        let path = match self.route_key.as_deref() {
            None | Some("" | ANY_ROUTE) => escape_percent(path),
            Some(_) => path.replace('%', "%25"),
        };
        let slash = if path.starts_with('/') { "" } else { "/" };
        let mut target = format!("{slash}{}", utf8_percent_encode(&path, PATH));
        let path_bytes = target.len();
        // An event that was written by hand may have only the parameters.
        let query = match self.raw_query_string {
            Some(query) if !query.is_empty() => query,
            _ => joined(&self.query_string_parameters.unwrap_or_default()),
        };

        if !query.is_empty() {
            target.push('?');
            target.extend(utf8_percent_encode(&query, QUERY));
        }
        let mut error = None;
        if target.len() > MAX_TARGET_BYTES {
            error = Some("has a path and query of more than 32 KiB");
            // The problem names the path, unless that is too long itself.
            let is_short = path_bytes <= MAX_TARGET_BYTES;
            target.truncate(if is_short { path_bytes } else { "/".len() });
        }
        let mut request = http::Request::default();
        *request.method_mut() = self.request_context.http.method;
        match PathAndQuery::try_from(target) {
            Ok(target) => *request.uri_mut() = Uri::from(target),
            Err(_) => error = error.or(Some("has a path or query that is not valid in a URI")),
        }
        let headers = self.headers.iter();
        let header_bytes: usize = headers
            .map(|(name, value)| name.as_str().len() + value.len())
            .sum();
        if header_bytes > MAX_HEADER_BYTES {
            error = error.or(Some("has headers of more than 32 KiB"));
        } else {
            *request.headers_mut() = self.headers;
        }
        if let Some(body) = self.body {
            let is_base64 = self.is_base64_encoded.unwrap_or_default();
            if let Some(body) = decode(body, is_base64) {
                *request.body_mut() = body;
            } else {
                error = error.or(Some("has isBase64Encoded, but its body is not base64"));
            }
        }
        Translated {
            request,
            base_path: base_path.to_owned(),
            error,
        }
    }
}

/// Decodes the body; `None` if `is_base64` is set and the body is not base64.
fn decode(body: String, is_base64: bool) -> Option<Bytes> {
    if is_base64 {
        STANDARD.decode(body).ok().map(Bytes::from)
    } else {
        Some(body.into())
    }
}

/// Parameters as a query.
fn joined(parameters: &BTreeMap<String, String>) -> String {
    let escape = |text| utf8_percent_encode(text, NON_ALPHANUMERIC);
    let pairs: Vec<_> = parameters
        .iter()
        .map(|(name, value)| format!("{}={}", escape(name), escape(value)))
        .collect();
    pairs.join("&")
}

/// Splits a path into its base path, which is not part of the routes, and the
/// rest. The base path is a named stage, or that of a custom domain.
fn split_base_path<'p>(path: &'p str, stage: Option<&str>, custom: &str) -> (&'p str, &'p str) {
    let stage = stage.filter(|stage| !stage.is_empty() && *stage != DEFAULT_STAGE);
    let stage = stage.map(|stage| format!("/{stage}")).unwrap_or_default();
    for base_path in [custom, &stage] {
        if !base_path.is_empty()
            && let Some(rest) = path.strip_prefix(base_path)
            && (rest.is_empty() || rest.starts_with('/'))
        {
            return path.split_at(path.len() - rest.len());
        }
    }
    ("", path)
}

/// Escapes each `%` that starts no escape.
fn escape_percent(path: &str) -> String {
    let mut escaped = String::with_capacity(path.len());
    for (at, c) in path.char_indices() {
        escaped.push(c);
        let hex = |n| {
            path.as_bytes()
                .get(at + n)
                .is_some_and(u8::is_ascii_hexdigit)
        };
        if c == '%' && !(hex(1) && hex(2)) {
            escaped.push_str("25");
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::event::{Event, Kind};

    #[test]
    fn a_base_path_ends_at_a_slash_or_with_the_path() {
        for (path, stage, custom, expected) in [
            ("/prod/things", Some("prod"), "", ("/prod", "/things")),
            ("/prod", Some("prod"), "", ("/prod", "")),
            ("/production", Some("prod"), "", ("", "/production")),
            ("/things", Some("prod"), "", ("", "/things")),
            ("/things", Some("$default"), "", ("", "/things")),
            ("/v1/things", Some("$default"), "/v1", ("/v1", "/things")),
            ("/v1/things", Some("prod"), "/v1", ("/v1", "/things")),
            ("/v1/v1", None, "/v1", ("/v1", "/v1")),
        ] {
            assert_eq!(split_base_path(path, stage, custom), expected, "{path}");
        }
    }

    /// The target that a service gets for a path, a query and a parameter.
    fn target_of(path: &str, query: Option<&str>) -> Result<String, &'static str> {
        let event = GatewayRequest {
            raw_path: Some(path.to_owned()),
            raw_query_string: query.map(str::to_owned),
            query_string_parameters: Some([("a".to_owned(), "1".to_owned())].into()),
            ..GatewayRequest::default()
        };
        let translated = event.into_request("");
        let error = translated.error;
        error.map_or_else(|| Ok(translated.request.uri().to_string()), Err)
    }

    #[test]
    fn the_query_is_that_of_the_url_or_of_the_parameters() {
        assert_eq!(
            target_of("/x", Some("b=2&b=3")),
            Ok("/x?b=2&b=3".to_owned())
        );
        assert_eq!(target_of("/x", Some("")), Ok("/x?a=1".to_owned()));
        assert_eq!(target_of("/x", None), Ok("/x?a=1".to_owned()));
    }

    #[test]
    fn members_may_be_null_or_of_another_version() {
        let event = r#"{"version":"2.0","rawPath":"/x","path":"/y","isBase64Encoded":null,
            "headers":null,"body":null,"requestContext":{"http":{"method":"GET"}}}"#;
        let Event(Kind::Request(event)) = serde_json::from_str(event).unwrap() else {
            panic!("it is a request");
        };
        let translated = event.into_request("");
        assert_eq!(translated.error, None);
        assert_eq!(translated.request.uri(), "/x");
    }

    #[test]
    fn a_target_has_at_most_32_kib() {
        let path = |bytes: usize| format!("/{}", "p".repeat(bytes - "/?b".len()));
        assert!(target_of(&path(MAX_TARGET_BYTES), Some("b")).is_ok());
        let refused = target_of(&path(MAX_TARGET_BYTES + 1), Some("b"));
        assert_eq!(refused, Err("has a path and query of more than 32 KiB"));
        assert_eq!(MAX_TARGET_BYTES, 32_768);
    }
}
