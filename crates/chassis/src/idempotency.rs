//! Once, even when asked twice: `Idempotency-Key`
//! (draft-ietf-httpapi-idempotency-key-header).
//!
//! The answer of a request that did something is stored under its key, in the
//! same transaction as what it did. A service keeps the keys in its own store;
//! here is what all of them share: the key, the fingerprint of the request that
//! it was first sent with, and the answer that is replayed.

use std::{fmt, time::Duration};

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use dto::{Fault, Faults, json::Value, problem::ProblemType};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header::RETRY_AFTER};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::Problem;

/// The header that a client names its request by.
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The header of an answer that was given before.
pub const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// How long an answer is kept for.
pub const KEPT_FOR: Duration = Duration::from_hours(24);

/// The most characters of a key.
const LONGEST: usize = 255;

/// A request's key: 1 to 255 ASCII characters, compared as bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key(String);

impl Key {
    /// Reads the header, if it is there: a quoted string, as the draft has it,
    /// or bare, as most clients send it. A fault in `faults` if it is neither.
    pub fn of(headers: &HeaderMap, faults: &mut Faults) -> Option<Self> {
        let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
        let value = values.next()?;
        let once = values.next().is_none();
        let key = value.to_str().ok().filter(|_| once).and_then(parse);
        if key.is_none() {
            faults.add(Fault::header(
                "Idempotency-Key",
                "must be one key of 1 to 255 visible ASCII characters: in double quotes, or without \
                 quotes and commas",
            ));
        }
        key.map(Self)
    }

    /// The key without its quotes.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Reads a key, with the quotes around it removed.
fn parse(text: &str) -> Option<String> {
    let text = text.trim_matches([' ', '\t']);
    let key = if let Some(rest) = text.strip_prefix('"') {
        unquoted(rest.strip_suffix('"')?)?
    } else {
        // A quote would be unbalanced, and a gateway joins repeated headers by
        // commas.
        let inside = |b: u8| b.is_ascii_graphic() && !matches!(b, b'"' | b',');
        text.bytes().all(inside).then(|| text.to_owned())?
    };
    (1..=LONGEST).contains(&key.len()).then_some(key)
}

/// The value of a quoted string (RFC 9651 §3.3.3): blanks may stand in it, and a
/// backslash escapes a quote or a backslash.
fn unquoted(inside: &str) -> Option<String> {
    let mut value = String::new();
    let mut characters = inside.chars();
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

/// What a request says, in 32 bytes: SHA-256 of its body as canonical JSON, so
/// that two spellings of one value are the same.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint(pub [u8; 32]);

impl Fingerprint {
    /// The fingerprint of a body.
    #[must_use]
    pub fn of(body: &Value) -> Self {
        // Members are sorted and numbers have one spelling; writing to memory
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

/// A request that is to be done once: its key, and what it says.
#[derive(Debug, Clone)]
pub struct Once {
    /// Its key.
    pub key: Key,
    /// What it says.
    pub fingerprint: Fingerprint,
}

/// An answer as it is stored and replayed, byte for byte.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its headers.
    pub headers: Vec<(String, String)>,
    /// Its body: JSON.
    pub body: String,
}

impl Answer {
    /// The answer, given for the first time.
    #[must_use]
    pub fn first(self) -> Response {
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

    /// The answer, given again: `Idempotency-Replayed: true`.
    #[must_use]
    pub fn again(self) -> Response {
        let mut response = self.first();
        let replayed = HeaderValue::from_static("true");
        response
            .headers_mut()
            .insert(IDEMPOTENCY_REPLAYED, replayed);
        response
    }
}

/// Why a request with a key is neither done nor replayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// 422: the key was sent with another request before.
    #[error("the key was sent with another body")]
    Reused,
    /// 409: the first request with the key is still running.
    #[error("the first request with the key is still running")]
    Running,
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Reused => {
                let mut faults = Faults::new();
                let detail = "was sent with another body before: a new request needs a new key";
                faults.add(Fault::header("Idempotency-Key", detail));
                Self::invalid(faults)
            }
            Refused::Running => {
                let detail = "The first request with this Idempotency-Key is still running.";
                Self::new(ProblemType::Conflict, detail)
                    .with_header(RETRY_AFTER, HeaderValue::from_static("1"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_quoted_or_bare() {
        let long = "k".repeat(255);
        for (header, key) in [
            ("abc", "abc"),
            ("\"abc\"", "abc"),
            (" \"a b\" ", "a b"),
            ("\"\\\"\\\\\"", "\"\\"),
            (
                "8e03978e-40d5-43e8-bc93-6894a57f9324",
                "8e03978e-40d5-43e8-bc93-6894a57f9324",
            ),
            ("\"a, b\"", "a, b"),
            (long.as_str(), long.as_str()),
        ] {
            assert_eq!(parse(header).as_deref(), Some(key), "{header}");
        }
    }

    #[test]
    fn what_is_no_key_is_a_fault() {
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
            assert_eq!(parse(header), None, "{header}");
        }
        let mut faults = Faults::new();
        let twice = [(IDEMPOTENCY_KEY, "a"), (IDEMPOTENCY_KEY, "b")];
        let mut headers = HeaderMap::new();
        for (name, value) in twice {
            headers.append(name, HeaderValue::from_static(value));
        }
        assert_eq!(Key::of(&headers, &mut faults), None);
        assert!(!faults.is_empty());
    }

    #[test]
    fn one_value_has_one_fingerprint() {
        let of = |text: &str| {
            Fingerprint::of(&Value::parse(text.as_bytes(), &mut Faults::new()).unwrap())
        };
        assert_eq!(
            of(r#"{"a":1.0,"b":"é"}"#),
            of(" {\"b\":\"\\u00e9\", \"a\":1 } ")
        );
        assert_ne!(of(r#"{"a":1}"#), of(r#"{"a":"1"}"#));
        assert_ne!(of("[1,2]"), of("[2,1]"));
    }
}
