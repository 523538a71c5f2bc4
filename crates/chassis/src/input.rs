//! What a request says, read with every fault found.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    str::FromStr,
};

use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use bytes::Bytes;
use dto::{Fault, Faults, Pointer, json::Value, problem::ProblemType};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method,
    header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_RANGE, CONTENT_TYPE},
};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use mediatype::{MediaType, ReadParams, names};
use percent_encoding::percent_decode;

use crate::{
    Call, Preconditions, Problem,
    cursor::List,
    idempotency::{Fingerprint, Key, Once},
};

/// The most bytes of a request's body: 256 KiB.
pub const MOST_BYTES: usize = 256 * 1024;

/// The media types of patches that a path has (RFC 5789 §3.1).
pub(crate) const ACCEPT_PATCH: HeaderName = HeaderName::from_static("accept-patch");

/// What a `POST` or `PUT` is read from.
pub const JSON: &[&str] = &["application/json"];

/// What a `PATCH` is read from (RFC 7396).
pub const MERGE_PATCH: &[&str] = &["application/merge-patch+json", "application/json"];

/// A request as its handler reads it, in the order in which faults answer:
/// 413 before the handler runs, then 415 from [`Input::json`], then 400 or 422
/// from [`Input::finish`], with every fault found on the way.
#[derive(Debug)]
pub struct Input {
    /// The invocation: its deadline and its id.
    pub call: Call,
    /// The request's headers.
    pub headers: HeaderMap,
    method: Method,
    id: Option<String>,
    query: String,
    body: Bytes,
    fingerprint: Option<Fingerprint>,
    malformed: Faults,
    /// Where the handler adds what it finds not valid.
    pub invalid: Faults,
}

impl<S: Send + Sync> FromRequest<S> for Input {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let Ok(call) = Call::from_request_parts(&mut parts, state).await;
        // What is no UTF-8 once decoded is the id of nothing.
        let id = match RawPathParams::from_request_parts(&mut parts, state).await {
            Ok(params) => params.iter().next().map(|(_, value)| value.to_owned()),
            Err(_) => None,
        };
        let body = Limited::new(body, MOST_BYTES).collect().await;
        let body = body.map_err(|error| {
            if error.is::<LengthLimitError>() {
                let detail = format!("The body is larger than {MOST_BYTES} bytes.");
                Problem::new(ProblemType::ContentTooLarge, detail)
            } else {
                Problem::internal(error)
            }
        })?;
        let mut malformed = Faults::new();
        // RFC 9110 §14.5: a part must not replace the whole.
        if parts.method == Method::PUT && parts.headers.contains_key(CONTENT_RANGE) {
            let detail = "must not be sent with PUT, which replaces the whole resource";
            malformed.add(Fault::header("Content-Range", detail));
        }
        Ok(Self {
            call,
            headers: parts.headers,
            method: parts.method,
            id,
            query: parts.uri.query().unwrap_or_default().to_owned(),
            body: body.to_bytes(),
            fingerprint: None,
            malformed,
            invalid: Faults::new(),
        })
    }
}

impl Input {
    /// The id in the path, as `parse` reads it. An id that nothing can have is
    /// an id that nothing has: 404, once all else is in order.
    ///
    /// # Errors
    ///
    /// That 404 problem, to be answered after [`Input::finish`] found no fault.
    pub fn id<T>(&self, parse: impl FnOnce(&str) -> Option<T>) -> Result<T, Problem> {
        let id = self.id.as_deref().and_then(parse);
        id.ok_or_else(|| Problem::new(ProblemType::NotFound, "There is nothing by this id."))
    }

    /// The query parameters, of which only `known` may be there, and each once.
    pub fn params(&mut self, known: &[&str]) -> Params {
        let mut values = BTreeMap::new();
        for pair in self.query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (Some(name), value) = (decoded(name), decoded(value)) else {
                self.invalid.add(Fault::parameter(name, "must be UTF-8"));
                continue;
            };
            if !known.contains(&name.as_str()) {
                self.invalid
                    .add(Fault::parameter(name, "is not a known parameter"));
                continue;
            }
            if value.is_none() {
                self.invalid
                    .add(Fault::parameter(name.as_str(), "must be UTF-8"));
            }
            match values.entry(name) {
                Entry::Vacant(entry) => {
                    entry.insert(value);
                }
                Entry::Occupied(entry) => {
                    self.invalid
                        .add(Fault::parameter(entry.key(), "must be given once"));
                }
            }
        }
        Params(values)
    }

    /// The query parameter called `name` as `parse` reads it, if it is there.
    /// A fault, with `rule`, if it is not as it should be.
    pub fn param<T>(
        &mut self,
        params: &Params,
        name: &str,
        rule: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let value = params.get(name)?;
        let parsed = parse(value);
        if parsed.is_none() {
            self.invalid.add(Fault::parameter(name, rule));
        }
        parsed
    }

    /// The query parameter `limit`: how many items a page may have, 1 to 100,
    /// 20 unless told.
    pub fn limit(&mut self, params: &Params) -> u32 {
        let rule = "must be an integer between 1 and 100";
        let limit = self.param(params, "limit", rule, |text| {
            let digits = text.bytes().all(|b| b.is_ascii_digit());
            let limit = u32::from_str(text).ok().filter(|_| digits)?;
            (1..=100).contains(&limit).then_some(limit)
        });
        limit.unwrap_or(20)
    }

    /// The query parameter `cursor`: where the page begins in `list`. One that
    /// is no cursor of this list is malformed.
    pub fn cursor<T: serde::de::DeserializeOwned>(
        &mut self,
        params: &Params,
        list: &List<'_>,
    ) -> Option<T> {
        let cursor = params.get("cursor")?;
        let position = list.open(cursor);
        if position.is_none() {
            let detail = "is not a cursor of this list with these filters";
            self.malformed.add(Fault::parameter("cursor", detail));
        }
        position
    }

    /// The request's `If-Match` and `If-None-Match`.
    pub fn preconditions(&mut self) -> Preconditions {
        Preconditions::of(&self.headers, &mut self.malformed)
    }

    /// The request's `Idempotency-Key` with the fingerprint of its body, where
    /// it has both: [`Input::json`] comes first.
    pub fn once(&mut self) -> Option<Once> {
        let key = Key::of(&self.headers, &mut self.malformed)?;
        let fingerprint = self.fingerprint?;
        Some(Once { key, fingerprint })
    }

    /// The body, as `read` reads it from JSON.
    ///
    /// # Errors
    ///
    /// A 415 problem if it is of none of `media_types`, or encoded.
    pub fn json<T>(
        &mut self,
        media_types: &[&str],
        read: impl FnOnce(&Value, &mut Faults) -> Option<T>,
    ) -> Result<Option<T>, Problem> {
        self.check_representation(media_types)?;
        Ok(match Value::parse(&self.body, &mut self.invalid) {
            Ok(value) => {
                self.fingerprint = Some(Fingerprint::of(&value));
                read(&value, &mut self.invalid)
            }
            Err(error) => {
                self.malformed.body(&Pointer::root(), error.to_string());
                None
            }
        })
    }

    /// Checks that the body is of one of `media_types`, in UTF-8 and without a
    /// content coding. The headers of the 415 problem say which of them is wrong
    /// (RFC 9110 §15.5.16).
    fn check_representation(&self, media_types: &[&str]) -> Result<(), Problem> {
        let known = self.has_media_type(media_types);
        let plain = self.has_no_coding();
        if known && plain {
            return Ok(());
        }
        let detail = format!(
            "The body must be sent as {}, in UTF-8 and without a content coding.",
            media_types.join(" or "),
        );
        let mut problem = Problem::new(ProblemType::UnsupportedMediaType, detail);
        if !known && let Ok(accepted) = HeaderValue::from_str(&media_types.join(", ")) {
            if self.method == Method::PATCH {
                problem = problem.with_header(ACCEPT_PATCH, accepted.clone());
            }
            problem = problem.with_header(ACCEPT, accepted);
        }
        if !plain {
            let identity = HeaderValue::from_static("identity");
            problem = problem.with_header(ACCEPT_ENCODING, identity);
        }
        Err(problem)
    }

    /// Whether the body is not coded: `identity`, which no sender should name,
    /// is no coding.
    fn has_no_coding(&self) -> bool {
        let codings = self.headers.get_all(CONTENT_ENCODING).iter();
        codings.map(HeaderValue::to_str).all(|codings| {
            codings.is_ok_and(|codings| {
                codings.split(',').all(|coding| {
                    let coding = coding.trim_matches([' ', '\t']);
                    coding.is_empty() || coding.eq_ignore_ascii_case("identity")
                })
            })
        })
    }

    /// Whether the body is of one of `media_types`, and in UTF-8 where it names
    /// its character encoding. No other parameter says anything about JSON.
    fn has_media_type(&self, media_types: &[&str]) -> bool {
        let mut values = self.headers.get_all(CONTENT_TYPE).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            return false;
        };
        let text = str::from_utf8(value.as_bytes()).unwrap_or_default();
        let Ok(sent) = MediaType::parse(text.trim_matches([' ', '\t'])) else {
            return false;
        };
        let known = media_types
            .iter()
            .any(|known| MediaType::parse(known).is_ok_and(|known| known == sent.essence()));
        let utf8 = |charset: &str| {
            charset.eq_ignore_ascii_case("utf-8") || charset.eq_ignore_ascii_case("utf8")
        };
        let charsets = sent.params().filter(|(name, _)| *name == names::CHARSET);
        known
            && charsets
                .into_iter()
                .all(|(_, charset)| utf8(&charset.unquoted_str()))
    }

    /// What was read, if there was no fault at all.
    ///
    /// # Errors
    ///
    /// A 400 problem with all that keeps the request from being parsed, else a
    /// 422 problem with all that is not valid in it.
    pub fn finish<T>(self, read: Option<T>) -> Result<T, Problem> {
        if !self.malformed.is_empty() {
            return Err(Problem::malformed(self.malformed));
        }
        match read {
            Some(read) if self.invalid.is_empty() => Ok(read),
            None if self.invalid.is_empty() => {
                Err(Problem::internal("a reader gave nothing and left no fault"))
            }
            _ => Err(Problem::invalid(self.invalid)),
        }
    }
}

/// The query parameters of a request, by name.
#[derive(Debug, Clone, Default)]
pub struct Params(BTreeMap<String, Option<String>>);

impl Params {
    /// The value of the parameter called `name`, if it was given and is UTF-8.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_deref()
    }

    /// Whether the parameter called `name` was given.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }
}

/// Decodes `application/x-www-form-urlencoded` text, if that gives UTF-8.
fn decoded(text: &str) -> Option<String> {
    let spaced = text.replace('+', " ");
    let decoded = percent_decode(spaced.as_bytes()).decode_utf8().ok()?;
    Some(decoded.into_owned())
}
