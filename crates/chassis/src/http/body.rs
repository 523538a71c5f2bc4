//! JSON bodies.

use dto::problem::ProblemType;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method,
    header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_RANGE, CONTENT_TYPE},
};
use json::{FieldErrors, FromJson, ParseError, Pointer, Schema, ToJson, Value};
use mediatype::{MediaType, ReadParams, names};

use super::{
    openapi::Operation,
    request::{Incoming, Part, RequestErrors},
};
use crate::Problem;

/// The media types of patches that a path supports (RFC 5789 §3.1).
pub(super) const ACCEPT_PATCH: HeaderName = HeaderName::from_static("accept-patch");

/// The media type of a body that is sent with `POST` or `PUT`.
pub(super) const JSON: &[&str] = &["application/json"];

/// The media types of a body that is sent with `PATCH` (RFC 7396).
pub(super) const MERGE_PATCH: &[&str] = &["application/merge-patch+json", "application/json"];

/// The body of a `POST` or `PUT`, read from JSON.
#[derive(Debug)]
pub struct Json<T>(pub T);

impl<T: FromJson + Schema> Part for Json<T> {
    fn read(request: &mut Incoming, errors: &mut RequestErrors) -> Option<Self> {
        let value = parse(request, JSON, errors)?;
        json::read(value, &mut errors.invalid).map(Self)
    }

    fn describe(operation: &mut Operation) {
        let schema = operation.request_schema::<T>();
        operation.body(JSON, &schema);
    }
}

/// The body of a `PATCH` that is read as a `T` and not merged into the resource.
#[derive(Debug)]
pub struct Patch<T>(pub T);

impl<T: FromJson + Schema> Part for Patch<T> {
    fn read(request: &mut Incoming, errors: &mut RequestErrors) -> Option<Self> {
        let value = parse(request, MERGE_PATCH, errors)?;
        json::read(value, &mut errors.invalid).map(Self)
    }

    fn describe(operation: &mut Operation) {
        let schema = operation.request_schema::<T>();
        operation.patch_body(MERGE_PATCH, &schema);
    }
}

/// A merge patch of a `T` (RFC 7396).
///
/// It is an object without unknown or read-only members; the result of merging
/// is validated by [`MergePatch::apply`].
#[derive(Debug, Clone)]
pub struct MergePatch<T> {
    patch: Value,
    value_errors: FieldErrors,
    target: std::marker::PhantomData<fn() -> T>,
}

impl<T: FromJson + ToJson> MergePatch<T> {
    /// Merges the patch into `target`.
    ///
    /// # Errors
    ///
    /// The errors of the result.
    pub fn apply(&self, target: &T) -> Result<T, FieldErrors> {
        let mut errors = FieldErrors::new();
        let mut merged = target.to_json().unwrap_or(Value::Null);
        merged.merge(self.patch.clone());
        json::read(merged, &mut errors).ok_or(errors)
    }

    /// The errors of its values, which are errors of every result of merging.
    #[must_use]
    pub fn value_errors(&self) -> &FieldErrors {
        &self.value_errors
    }
}

impl<T: FromJson + Schema> Part for MergePatch<T> {
    fn read(request: &mut Incoming, errors: &mut RequestErrors) -> Option<Self> {
        let patch = parse(request, MERGE_PATCH, errors)?;
        let root = Pointer::root();
        if !matches!(patch, Value::Object(_)) {
            let detail = format!("must be an object, not {}", patch.kind());
            errors.invalid.add(&root, detail);
            return None;
        }
        let (mut values, mut value_errors) = (Value::Null, FieldErrors::new());
        values.merge(patch.clone());
        let _ = json::read::<T>(values, &mut value_errors);
        let value_errors = value_errors.without_missing();
        // Reported only if another part is invalid: see `RequestErrors::patch`.
        errors.patch = value_errors.clone();
        let mut wrong = FieldErrors::new();
        T::check_patch(&patch, &root, &mut wrong);
        if wrong.is_empty() {
            return Some(Self {
                patch,
                value_errors,
                target: std::marker::PhantomData,
            });
        }
        errors.invalid.append(wrong);
        None
    }

    fn describe(operation: &mut Operation) {
        let schema = operation.patch_schema::<T>();
        operation.patch_body(MERGE_PATCH, &schema);
    }
}

/// Parses the body as JSON of one of `media_types`.
pub(super) fn parse(
    request: &mut Incoming,
    media_types: &[&str],
    errors: &mut RequestErrors,
) -> Option<Value> {
    // RFC 9110 §14.5: a part must not replace the whole.
    let partial = request.method == Method::PUT && request.headers.contains_key(CONTENT_RANGE);
    if partial {
        let detail = "must not be sent with PUT, which replaces the whole resource";
        errors.malformed.add_header("Content-Range", detail);
    }
    errors.unsupported = unsupported(request, media_types);
    if errors.unsupported.is_some() {
        return None;
    }
    match Value::parse(&request.body, &mut errors.invalid) {
        Ok(value) => (!partial).then_some(value),
        Err(error) => {
            let errors = match error {
                ParseError::TooManyValues => &mut errors.invalid,
                ParseError::Malformed(_) | ParseError::TooDeep => &mut errors.malformed,
            };
            errors.add(&Pointer::root(), error.to_string());
            None
        }
    }
}

/// The problem of a body that is not of one of `media_types`, in UTF-8 and
/// without a content coding. Its headers name what is wrong (RFC 9110
/// §15.5.16).
fn unsupported(request: &Incoming, media_types: &[&str]) -> Option<Problem> {
    let known = has_media_type(&request.headers, media_types);
    let plain = has_no_coding(&request.headers);
    if known && plain {
        return None;
    }
    let detail = format!(
        "The body must be {}, in UTF-8 and without a content coding.",
        media_types.join(" or "),
    );
    let mut problem = Problem::new(ProblemType::UnsupportedMediaType, detail);
    if !known && let Ok(accepted) = HeaderValue::from_str(&media_types.join(", ")) {
        if request.method == Method::PATCH {
            problem = problem.with_header(ACCEPT_PATCH, accepted.clone());
        }
        problem = problem.with_header(ACCEPT, accepted);
    }
    if !plain {
        problem = problem.with_header(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    }
    Some(problem)
}

/// Whether the body has no content coding. `identity` means none; it is reserved for
/// `Accept-Encoding` (RFC 9110 §12.5.3).
fn has_no_coding(headers: &HeaderMap) -> bool {
    let codings = headers.get_all(CONTENT_ENCODING).iter();
    codings.map(HeaderValue::to_str).all(|codings| {
        codings.is_ok_and(|codings| {
            codings.split(',').all(|coding| {
                let coding = coding.trim_matches([' ', '\t']);
                coding.is_empty() || coding.eq_ignore_ascii_case("identity")
            })
        })
    })
}

/// Whether the body is of one of `media_types`, and in UTF-8 where it names its
/// character encoding. No other parameter has a meaning for JSON.
fn has_media_type(headers: &HeaderMap, media_types: &[&str]) -> bool {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
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
    let mut charsets = sent.params().filter(|(name, _)| *name == names::CHARSET);
    known && charsets.all(|(_, charset)| utf8(&charset.unquoted_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent_as(content_type: &str) -> bool {
        let value = HeaderValue::from_str(content_type).unwrap();
        has_media_type(&HeaderMap::from_iter([(CONTENT_TYPE, value)]), JSON)
    }

    #[test]
    fn media_types_are_parsed_with_their_quoting() {
        for good in [
            "application/json",
            "Application/JSON; charset=utf-8",
            "application/json;charset=UTF8",
            "application/json; charset=\"utf-8\"",
            r#"application/json;profile="a;charset=utf-16""#,
        ] {
            assert!(sent_as(good), "{good}");
        }
        for bad in [
            "",
            "text/plain",
            "application/json; charset=latin1",
            "application/json;;=",
            "json",
        ] {
            assert!(!sent_as(bad), "{bad}");
        }
    }

    #[test]
    fn identity_is_no_coding() {
        let coded = |coding: &'static str| {
            let value = HeaderValue::from_static(coding);
            !has_no_coding(&HeaderMap::from_iter([(CONTENT_ENCODING, value)]))
        };
        assert!(!coded("identity") && !coded("Identity, identity") && !coded(""));
        assert!(coded("gzip") && coded("identity, br"));
    }
}
