//! Conditional requests: `If-Match` and `If-None-Match` (RFC 9110 §13).

use dto::{Fault, Faults};
use http::{
    HeaderMap, HeaderName,
    header::{IF_MATCH, IF_NONE_MATCH},
};

/// What a request demands of the resource's present state.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Preconditions {
    /// It must be one of these, by strong comparison.
    pub if_match: Option<Tags>,
    /// It must be none of these, by weak comparison.
    pub if_none_match: Option<Tags>,
}

/// The tags of a condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tags {
    /// `*`: any state at all.
    Any,
    /// One of these.
    List(Vec<Tag>),
}

/// An entity tag, without its quotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    /// Whether it began with `W/`.
    pub weak: bool,
    /// What stood between the quotes.
    pub opaque: String,
}

impl Preconditions {
    /// The request's conditions; a header that cannot be parsed is a fault.
    #[must_use]
    pub fn of(headers: &HeaderMap, faults: &mut Faults) -> Self {
        Self {
            if_match: tags(headers, &IF_MATCH, "If-Match", faults),
            if_none_match: tags(headers, &IF_NONE_MATCH, "If-None-Match", faults),
        }
    }

    /// Whether the request may go on: `current` is the resource's tag, or
    /// nothing where there is no resource.
    #[must_use]
    pub fn hold(&self, current: Option<&str>) -> bool {
        self.matches(current) && !self.none_match_fails(current)
    }

    /// Whether `If-Match` holds, which it does where it is absent.
    #[must_use]
    pub fn matches(&self, current: Option<&str>) -> bool {
        match (&self.if_match, current) {
            (None, _) | (Some(Tags::Any), Some(_)) => true,
            (Some(_), None) => false,
            (Some(Tags::List(tags)), Some(current)) => {
                tags.iter().any(|tag| !tag.weak && tag.opaque == current)
            }
        }
    }

    /// Whether `If-None-Match` is there and fails. To a `GET` that is a 304,
    /// to anything else a 412.
    #[must_use]
    pub fn none_match_fails(&self, current: Option<&str>) -> bool {
        match (&self.if_none_match, current) {
            (None, _) | (_, None) => false,
            (Some(Tags::Any), Some(_)) => true,
            (Some(Tags::List(tags)), Some(current)) => tags.iter().any(|tag| tag.opaque == current),
        }
    }
}

fn tags(headers: &HeaderMap, header: &HeaderName, name: &str, faults: &mut Faults) -> Option<Tags> {
    let mut lines = headers.get_all(header).iter().peekable();
    lines.peek()?;
    let lines: Vec<_> = lines
        .map(|line| String::from_utf8_lossy(line.as_bytes()))
        .collect();
    let read = parse(&lines.join(","));
    if read.is_none() {
        faults.add(Fault::header(
            name,
            "must be * or a list of entity tags in double quotes, such as \"abc\"",
        ));
    }
    read
}

/// Reads `"*"` or a list of entity tags; empty elements may stand in a list
/// (RFC 9110 §5.6.1.2).
fn parse(text: &str) -> Option<Tags> {
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
        let mut faults = Faults::new();
        let headers = HeaderMap::from_iter([(IF_MATCH, HeaderValue::from_str(if_match).unwrap())]);
        let conditions = Preconditions::of(&headers, &mut faults);
        faults.is_empty().then_some(conditions)
    }

    #[test]
    fn lists_are_read() {
        let two = of(r#" "a" ,, W/"b,c", "#).unwrap();
        assert!(two.hold(Some("a")) && !two.hold(Some("b,c")) && !two.hold(None));
        assert!(of("*").unwrap().hold(Some("x")) && !of("*").unwrap().hold(None));
        assert!(of(r#""""#).unwrap().hold(Some("")));
        let many = r#""a", "#.repeat(5_000) + r#""b""#;
        assert!(of(&many).unwrap().hold(Some("b")));
    }

    #[test]
    fn what_is_no_list_is_a_fault() {
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
    fn none_match_compares_weakly() {
        let headers = HeaderMap::from_iter([(IF_NONE_MATCH, HeaderValue::from_static("W/\"a\""))]);
        let conditions = Preconditions::of(&headers, &mut Faults::new());
        assert!(!conditions.hold(Some("a")) && conditions.hold(Some("b")) && conditions.hold(None));
    }
}
