//! Idempotency keys (draft-ietf-httpapi-idempotency-key-header).
//!
//! The response of a request that succeeded is stored under its key, in the
//! transaction of the write that it reports. Each service stores the keys in its
//! own store.

use std::{fmt, time::Duration};

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use dto::problem::ProblemType;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header::RETRY_AFTER};
use json::{FieldErrors, FromJson, Schema, Value};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Json, openapi::Operation};
use super::{
    body,
    request::{Incoming, Part, RequestErrors},
};
use crate::{Problem, auth::Caller};

/// The header in which a client sends its key.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The header of a replayed response.
pub(super) const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The time that a response is stored.
pub const KEY_LIFETIME: Duration = Duration::from_hours(24);

/// The most characters of a key.
const MAX_KEY_LENGTH: usize = 255;

/// The body of a `POST`, with the idempotency key if the client sent one.
#[derive(Debug)]
pub struct Idempotent<T> {
    /// The body.
    pub body: T,
    /// The key, with the fingerprint of the body.
    pub key: Option<IdempotentRequest>,
}

impl<T: FromJson + Schema> Part for Idempotent<T> {
    fn read(request: &mut Incoming, errors: &mut RequestErrors) -> Option<Self> {
        let key = parse_header(&request.headers, &mut errors.malformed);
        let value = body::parse(request, body::JSON, errors)?;
        let fingerprint = Fingerprint::of(&value);
        let body = json::read(value, &mut errors.invalid);
        let caller = request.caller.as_ref().map(Caller::subject);
        let caller = caller.unwrap_or_default().to_owned();
        Some(Self {
            key: key?.map(|key| IdempotentRequest {
                caller,
                key,
                fingerprint,
            }),
            body: body?,
        })
    }

    fn describe(operation: &mut Operation) {
        Json::<T>::describe(operation);
        operation.header_parameter(
            "Idempotency-Key",
            "A key for this request: 1 to 255 printable ASCII characters, best a UUID, in double \
             quotes, or without quotes, commas and spaces. The response of a request that \
             succeeds is stored under it for 24 hours and replayed when the same request is \
             sent again.",
            r#"^([!#-+\--~]{1,255}|"([ !#-\[\]-~]|\\["\\]){1,255}")$"#,
        );
        operation.problem(ProblemType::Conflict);
    }
}

/// A request that is executed once: its key and its fingerprint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotentRequest {
    /// The subject of the caller, whose key it is; empty where nobody is known.
    pub caller: String,
    /// The key without its quotes: 1 to 255 ASCII characters, compared as bytes.
    pub key: String,
    /// The fingerprint of the body.
    pub fingerprint: Fingerprint,
}

impl IdempotentRequest {
    /// The outcome of this request where the key is stored already, with the
    /// response to a request of this fingerprint.
    ///
    /// `own` is what this request would store: every response is unique, so an equal one
    /// is this request's own, stored by an earlier attempt.
    ///
    /// # Errors
    ///
    /// [`KeyConflict::Reused`] if the other request had another body.
    pub fn outcome(
        &self,
        fingerprint: Fingerprint,
        stored: StoredResponse,
        own: &StoredResponse,
    ) -> Result<Outcome, KeyConflict> {
        if fingerprint != self.fingerprint {
            Err(KeyConflict::Reused)
        } else if stored == *own {
            Ok(Outcome::Executed)
        } else {
            Ok(Outcome::Replayed(stored))
        }
    }
}

/// The outcome of a request with an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// This request was executed.
    Executed,
    /// An earlier request was executed; this is its response.
    Replayed(StoredResponse),
}

/// Why a request with an idempotency key was neither executed nor replayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyConflict {
    /// 422: the key was used with another body.
    #[error("the idempotency key was used with another body")]
    Reused,
    /// 409: the first request with the key is still running.
    #[error("the first request with the idempotency key is still running")]
    Running,
}

impl From<KeyConflict> for Problem {
    fn from(conflict: KeyConflict) -> Self {
        match conflict {
            KeyConflict::Reused => {
                let mut errors = FieldErrors::new();
                let rule = "was used with another body: a new request needs a new key";
                errors.add_header("Idempotency-Key", rule);
                Self::invalid(errors)
            }
            KeyConflict::Running => {
                let detail = "The first request with this Idempotency-Key is still running.";
                Self::new(ProblemType::Conflict, detail)
                    .with_header(RETRY_AFTER, HeaderValue::from_static("1"))
            }
        }
    }
}

/// A response as it is stored and replayed, byte for byte.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredResponse {
    /// Its status.
    pub status: u16,
    /// Its headers.
    pub headers: Vec<(String, String)>,
    /// Its body: JSON.
    pub body: String,
}

impl IntoResponse for StoredResponse {
    fn into_response(self) -> Response {
        let mut response = Bytes::from(self.body).into_response();
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        response.headers_mut().clear();
        for (name, value) in self.headers {
            if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), value.parse()) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}

/// The SHA-256 of a body as canonical JSON: two spellings of one value have the
/// same fingerprint.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint(pub [u8; 32]);

impl Fingerprint {
    /// The fingerprint of a body.
    #[must_use]
    pub fn of(body: &Value) -> Self {
        // Members are sorted and numbers have one spelling. Writing to memory
        // cannot fail.
        let canonical = serde_json::to_vec(body).unwrap_or_default();
        Self(Sha256::digest(canonical).into())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Parses the header: `Some(None)` if it is absent, `None` if it is malformed,
/// which is an error.
#[expect(clippy::option_option, reason = "malformed, absent or a key")]
fn parse_header(headers: &HeaderMap, errors: &mut FieldErrors) -> Option<Option<String>> {
    let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(value) = values.next() else {
        return Some(None);
    };
    let single = values.next().is_none();
    let key = value.to_str().ok().filter(|_| single).and_then(parse_key);
    if key.is_none() {
        errors.add_header(
            "Idempotency-Key",
            "must be one key of 1 to 255 printable ASCII characters: in double quotes, or without \
             quotes, commas and spaces",
        );
    }
    key.map(Some)
}

/// Parses a key and removes the quotes around it.
fn parse_key(text: &str) -> Option<String> {
    let text = text.trim_matches([' ', '\t']);
    let key = if let Some(rest) = text.strip_prefix('"') {
        unquote(rest.strip_suffix('"')?)?
    } else {
        // A gateway joins repeated headers by commas.
        let allowed = |b: u8| b.is_ascii_graphic() && !matches!(b, b'"' | b',');
        text.bytes().all(allowed).then(|| text.to_owned())?
    };
    (1..=MAX_KEY_LENGTH).contains(&key.len()).then_some(key)
}

/// The value of a quoted string (RFC 9651 §3.3.3): it may have blanks, and a
/// backslash escapes a quote or a backslash.
fn unquote(quoted: &str) -> Option<String> {
    let mut value = String::new();
    let mut characters = quoted.chars();
    while let Some(c) = characters.next() {
        value.push(match c {
            '\\' => characters.next().filter(|c| matches!(c, '"' | '\\'))?,
            '"' => return None,
            ' '..='~' => c,
            _ => return None,
        });
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_parsed_quoted_or_bare() {
        let long = "k".repeat(255);
        for (header, key) in [
            ("abc", "abc"),
            ("\"abc\"", "abc"),
            (" \"a b\" ", "a b"),
            ("\"\\\"\\\\\"", "\"\\"),
            ("\"a, b\"", "a, b"),
            (long.as_str(), long.as_str()),
        ] {
            assert_eq!(parse_key(header).as_deref(), Some(key), "{header}");
        }
    }

    #[test]
    fn malformed_keys_are_refused() {
        let long = "k".repeat(256);
        for header in [
            "",
            "\"\"",
            "\"abc",
            "abc\"",
            "\"",
            "a b",
            "\"a\"b\"",
            "\"a\\b\"",
            "\"\\\"",
            "\"a\";p=1",
            "a\"b",
            "k1,k2",
            "k1,",
            "\"k1\",\"k2\"",
            "\"k1\", k2",
            "é",
            &long,
        ] {
            assert_eq!(parse_key(header), None, "{header}");
        }
        let mut errors = FieldErrors::new();
        let mut headers = HeaderMap::new();
        for value in ["a", "b"] {
            headers.append(IDEMPOTENCY_KEY, HeaderValue::from_static(value));
        }
        assert_eq!(parse_header(&headers, &mut errors), None);
        assert!(!errors.is_empty());
    }

    #[test]
    fn equal_values_have_equal_fingerprints() {
        let of = |text: &str| {
            Fingerprint::of(&Value::parse(text.as_bytes(), &mut FieldErrors::new()).unwrap())
        };
        assert_eq!(
            of(r#"{"a":1.0,"b":"é"}"#),
            of(" {\"b\":\"\\u00e9\", \"a\":1 } ")
        );
        assert_ne!(of(r#"{"a":1}"#), of(r#"{"a":"1"}"#));
        assert_ne!(of("[1,2]"), of("[2,1]"));
    }

    #[test]
    fn a_stored_key_decides_the_outcome() {
        let response = |body: &str| StoredResponse {
            status: 201,
            headers: Vec::new(),
            body: body.to_owned(),
        };
        let request = IdempotentRequest {
            caller: String::new(),
            key: "k".to_owned(),
            fingerprint: Fingerprint([1; 32]),
        };
        let outcome = |fingerprint, stored| {
            request.outcome(
                Fingerprint([fingerprint; 32]),
                response(stored),
                &response("mine"),
            )
        };
        assert_eq!(outcome(1, "mine"), Ok(Outcome::Executed));
        assert_eq!(
            outcome(1, "first"),
            Ok(Outcome::Replayed(response("first")))
        );
        assert_eq!(outcome(2, "first"), Err(KeyConflict::Reused));
    }
}
