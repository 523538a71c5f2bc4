//! Conditional requests: `If-Match` and `If-None-Match` (RFC 9110 §13).

use http::{
    HeaderMap, HeaderName,
    header::{IF_MATCH, IF_NONE_MATCH},
};
use json::FieldErrors;

use super::{
    Fetched, Resource,
    openapi::Operation,
    request::{Incoming, Part, RequestErrors},
};
use crate::Problem;

/// The preconditions of a request on the current state of the resource.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Preconditions {
    /// The state must be one of these, by strong comparison.
    pub if_match: Option<Tags>,
    /// The state must be none of these, by weak comparison.
    pub if_none_match: Option<Tags>,
}

/// The tags of a condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tags {
    /// `*`: any state.
    Any,
    /// One of these.
    List(Vec<Tag>),
}

/// An entity tag, without its quotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    /// Whether it starts with `W/`.
    pub weak: bool,
    /// The text between the quotes.
    pub opaque: String,
}

impl Preconditions {
    /// The condition that the resource is still in the state `etag`.
    #[must_use]
    pub fn unchanged(etag: String) -> Self {
        let tag = Tag {
            weak: false,
            opaque: etag,
        };
        Self {
            if_match: Some(Tags::List(vec![tag])),
            if_none_match: None,
        }
    }

    /// Whether both conditions hold: `current` is the resource's tag, or `None`
    /// where there is no resource.
    #[must_use]
    pub fn hold(&self, current: Option<&str>) -> bool {
        self.if_match_holds(current) && self.if_none_match_holds(current)
    }

    /// `true` if a `GET` returns the resource, whose tag is `etag`; `false` if it returns
    /// 304.
    ///
    /// # Errors
    ///
    /// A 412 problem if `If-Match` does not hold.
    pub fn is_modified(&self, etag: &str) -> Result<bool, Problem> {
        if !self.if_match_holds(Some(etag)) {
            return Err(Problem::precondition_failed());
        }
        Ok(self.if_none_match_holds(Some(etag)))
    }

    /// The response to a `GET` of `resource`.
    ///
    /// # Errors
    ///
    /// A 412 problem if `If-Match` does not hold.
    pub fn fetch<R: Resource>(&self, resource: R) -> Result<Fetched<R>, Problem> {
        Ok(if self.is_modified(&resource.etag())? {
            Fetched::Modified(resource)
        } else {
            Fetched::NotModified(resource)
        })
    }

    fn if_match_holds(&self, current: Option<&str>) -> bool {
        match (&self.if_match, current) {
            (None, _) | (Some(Tags::Any), Some(_)) => true,
            (Some(_), None) => false,
            (Some(Tags::List(tags)), Some(current)) => {
                tags.iter().any(|tag| !tag.weak && tag.opaque == current)
            }
        }
    }

    fn if_none_match_holds(&self, current: Option<&str>) -> bool {
        match (&self.if_none_match, current) {
            (None, _) | (_, None) => true,
            (Some(Tags::Any), Some(_)) => false,
            (Some(Tags::List(tags)), Some(current)) => tags.iter().all(|tag| tag.opaque != current),
        }
    }

    fn parse(headers: &HeaderMap, errors: &mut FieldErrors) -> Option<Self> {
        let if_match = parse_header(headers, &IF_MATCH, "If-Match", errors);
        let if_none_match = parse_header(headers, &IF_NONE_MATCH, "If-None-Match", errors);
        Some(Self {
            if_match: if_match?,
            if_none_match: if_none_match?,
        })
    }
}

/// The pattern of a condition: `*` or a list of entity tags (RFC 9110 §13.1).
const TAGS_PATTERN: &str = r#"^(\*|(W/)?"[!#-~]*"( *, *(W/)?"[!#-~]*")*)$"#;

impl Part for Preconditions {
    fn read(request: &mut Incoming, errors: &mut RequestErrors) -> Option<Self> {
        Self::parse(&request.headers, &mut errors.malformed)
    }

    fn describe(operation: &mut Operation) {
        operation.header_parameter(
            "If-Match",
            "One of these entity tags must be the present one; `*`: the resource must exist. \
             Compared strongly (RFC 9110 §13.1.1).",
            TAGS_PATTERN,
        );
        operation.header_parameter(
            "If-None-Match",
            "None of these entity tags may be the present one; `*`: the resource must not exist \
             (RFC 9110 §13.1.2).",
            TAGS_PATTERN,
        );
        operation.problem(dto::problem::ProblemType::PreconditionFailed);
    }
}

/// Parses a condition: `Some(None)` if the header is absent, `None` if it is
/// malformed, which is an error.
#[expect(clippy::option_option, reason = "malformed, absent or tags")]
fn parse_header(
    headers: &HeaderMap,
    header: &HeaderName,
    name: &str,
    errors: &mut FieldErrors,
) -> Option<Option<Tags>> {
    let lines: Vec<_> = headers
        .get_all(header)
        .iter()
        .map(|line| String::from_utf8_lossy(line.as_bytes()))
        .collect();
    if lines.is_empty() {
        return Some(None);
    }
    let tags = parse_tags(&lines.join(","));
    if tags.is_none() {
        let rule = "must be * or a list of entity tags in double quotes, such as \"abc\"";
        errors.add_header(name, rule);
    }
    tags.map(Some)
}

/// Parses `*` or a list of entity tags; a list may have empty elements (RFC 9110
/// §5.6.1.2).
fn parse_tags(text: &str) -> Option<Tags> {
    let mut rest = text.trim_matches([' ', '\t']);
    if rest == "*" {
        return Some(Tags::Any);
    }
    let mut tags = Vec::new();
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            return (!tags.is_empty()).then_some(Tags::List(tags));
        }
        let weak = rest.starts_with("W/");
        let quoted = rest.strip_prefix("W/").unwrap_or(rest).strip_prefix('"')?;
        let (opaque, after) = quoted.split_once('"')?;
        if opaque.chars().any(|c| c <= ' ' || c == '\u{7f}') {
            return None;
        }
        tags.push(Tag {
            weak,
            opaque: opaque.to_owned(),
        });
        rest = after.trim_start_matches([' ', '\t']);
        if !rest.is_empty() && !rest.starts_with(',') {
            return None;
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn of(if_match: &str) -> Option<Preconditions> {
        let mut errors = FieldErrors::new();
        let headers = HeaderMap::from_iter([(IF_MATCH, HeaderValue::from_str(if_match).unwrap())]);
        let conditions = Preconditions::parse(&headers, &mut errors);
        assert_eq!(conditions.is_none(), !errors.is_empty());
        conditions
    }

    #[test]
    fn lists_of_tags_are_parsed() {
        let two = of(r#" "a" ,, W/"b,c", "#).unwrap();
        assert!(two.hold(Some("a")) && !two.hold(Some("b,c")) && !two.hold(None));
        assert!(of("*").unwrap().hold(Some("x")) && !of("*").unwrap().hold(None));
        assert!(of(r#""""#).unwrap().hold(Some("")));
        let many = r#""a", "#.repeat(5_000) + r#""b""#;
        assert!(of(&many).unwrap().hold(Some("b")));
    }

    #[test]
    fn an_unchanged_resource_has_the_tag() {
        let unchanged = Preconditions::unchanged("a".to_owned());
        assert!(unchanged.hold(Some("a")) && !unchanged.hold(Some("b")) && !unchanged.hold(None));
    }

    #[test]
    fn malformed_lists_are_refused() {
        for header in [
            "",
            ",",
            "abc",
            "\"a",
            "a\"",
            "\"a\" \"b\"",
            "*, \"a\"",
            "w/\"a\"",
            "\"a b\"",
            "W/",
            "\"a\"b",
        ] {
            assert_eq!(of(header), None, "{header}");
        }
    }

    #[test]
    fn if_none_match_compares_weakly() {
        let headers = HeaderMap::from_iter([(IF_NONE_MATCH, HeaderValue::from_static("W/\"a\""))]);
        let conditions = Preconditions::parse(&headers, &mut FieldErrors::new()).unwrap();
        assert!(!conditions.hold(Some("a")) && conditions.hold(Some("b")) && conditions.hold(None));
    }
}
