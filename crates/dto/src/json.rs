//! JSON kept exactly: numbers as decimals, duplicate members noticed.
//!
//! `serde_json::Value` rounds numbers to 64 bits and keeps the last of two
//! members with one name. Neither may happen to what a client entrusts to us,
//! so a body is read into this type instead; `serde_json` still does the
//! parsing, by way of its raw values.

use std::{borrow::Cow, collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

use crate::{Faults, Pointer, number::Number};

/// The nesting that the parser follows, in levels of objects and arrays.
///
/// As `serde_json`'s own limit: a document deeper than this is malformed to us,
/// before it can exhaust the stack.
pub const DEEPEST: usize = 127;

/// The members of a JSON object, by name. Sorted, so that equal objects are
/// written alike.
pub type Object = BTreeMap<String, Value>;

/// A JSON value (RFC 8259).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number, exactly.
    Number(Number),
    /// A string.
    String(String),
    /// An array.
    Array(Vec<Value>),
    /// An object.
    Object(Object),
}

/// Why a text is not a JSON document that we read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ParseError {
    /// The text breaks the grammar.
    #[error("is not JSON: {0}")]
    Malformed(String),
    /// It nests deeper than [`DEEPEST`].
    #[error("nests deeper than {DEEPEST} levels")]
    TooDeep,
}

impl Value {
    /// Reads a whole document.
    ///
    /// A member that stands twice in its object is grammatical, so it is a
    /// fault in `faults`, at its pointer, and the first one counts.
    ///
    /// # Errors
    ///
    /// [`ParseError`] if the bytes are not UTF-8, not JSON, or too deep.
    pub fn parse(bytes: &[u8], faults: &mut Faults) -> Result<Self, ParseError> {
        let raw: &RawValue = serde_json::from_slice(bytes).map_err(|e| malformed(&e))?;
        Self::from_raw(raw, &Pointer::root(), 0, faults)
    }

    /// What kind of value it is, in words: "a string", "null" …
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::String(_) => "a string",
            Self::Array(_) => "an array",
            Self::Object(_) => "an object",
        }
    }

    /// Applies a merge patch to it (RFC 7396 §2): members of `patch` replace
    /// its own, `null` removes, and anything but an object replaces it whole.
    pub fn merge(&mut self, patch: Value) {
        let Self::Object(changes) = patch else {
            *self = patch;
            return;
        };
        if !matches!(self, Self::Object(_)) {
            *self = Self::Object(Object::new());
        }
        if let Self::Object(object) = self {
            for (name, change) in changes {
                if change == Self::Null {
                    object.remove(&name);
                } else {
                    object.entry(name).or_insert(Self::Null).merge(change);
                }
            }
        }
    }

    fn from_raw(
        raw: &RawValue,
        at: &Pointer<'_>,
        level: usize,
        faults: &mut Faults,
    ) -> Result<Self, ParseError> {
        let text = raw.get();
        let nested = matches!(text.as_bytes().first(), Some(b'{' | b'['));
        if nested && level == DEEPEST {
            return Err(ParseError::TooDeep);
        }
        Ok(match text.as_bytes().first() {
            Some(b'{') => {
                let Members(members) = serde_json::from_str(text).map_err(|e| malformed(&e))?;
                let mut object = Object::new();
                for (name, raw) in members {
                    let at = at.member(&name);
                    let value = Self::from_raw(raw, &at, level + 1, faults)?;
                    if object.contains_key(name.as_ref()) {
                        faults.body(&at, "stands more than once in its object");
                    } else {
                        object.insert(name.into_owned(), value);
                    }
                }
                Self::Object(object)
            }
            Some(b'[') => {
                let Items(items) = serde_json::from_str(text).map_err(|e| malformed(&e))?;
                let items = items.into_iter().enumerate();
                let items =
                    items.map(|(i, raw)| Self::from_raw(raw, &at.item(i), level + 1, faults));
                Self::Array(items.collect::<Result<_, _>>()?)
            }
            Some(b'"') => Self::String(serde_json::from_str(text).map_err(|e| malformed(&e))?),
            Some(b't') => Self::Bool(true),
            Some(b'f') => Self::Bool(false),
            Some(b'n') => Self::Null,
            _ => Self::Number(
                Number::parse(text).ok_or_else(|| ParseError::Malformed("no number".to_owned()))?,
            ),
        })
    }
}

/// `serde_json` says where and why in terms of the text alone, so its words may
/// be shown to the client.
fn malformed(error: &serde_json::Error) -> ParseError {
    ParseError::Malformed(error.to_string())
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(number.into())
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Number(value) => value.serialize(serializer),
            Self::String(value) => serializer.serialize_str(value),
            Self::Array(items) => items.serialize(serializer),
            Self::Object(members) => members.serialize(serializer),
        }
    }
}

/// For the reader of a response. A response comes from a service of ours, so a
/// duplicate member is no reason to turn it away.
impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        Self::from_raw(&raw, &Pointer::root(), 0, &mut Faults::new()).map_err(de::Error::custom)
    }
}

/// An object's members as they stand in the text, duplicates included.
struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visit;
        impl<'de> Visitor<'de> for Visit {
            type Value = Members<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((Name(name), value)) = map.next_entry()? {
                    members.push((name, value));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Visit)
    }
}

/// A member's name, borrowed from the text where it has no escapes.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// An array's items as they stand in the text.
struct Items<'a>(Vec<&'a RawValue>);

impl<'de> Deserialize<'de> for Items<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visit;
        impl<'de> Visitor<'de> for Visit {
            type Value = Items<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(Items(items))
            }
        }
        deserializer.deserialize_seq(Visit)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Value {
        let mut faults = Faults::new();
        let value = Value::parse(text.as_bytes(), &mut faults).unwrap();
        assert!(faults.is_empty(), "{faults:?}");
        value
    }

    #[test]
    fn numbers_survive_exactly() {
        let text = r#"{"a":12345678901234567890123456789012345678,"b":[0.1,-3]}"#;
        let written = serde_json::to_string(&parse(text)).unwrap();
        assert_eq!(
            written,
            r#"{"a":1.2345678901234567890123456789012345678e37,"b":[0.1,-3]}"#
        );
        assert_eq!(parse(&written), parse(text));
    }

    #[test]
    fn a_duplicate_member_is_a_fault_where_it_stands() {
        let mut faults = Faults::new();
        let text = r#"{"price":{"amount":1,"am\u006funt":2},"x":[{"y":1,"y":2}]}"#;
        let value = Value::parse(text.as_bytes(), &mut faults).unwrap();
        let listed = serde_json::to_value(faults.into_vec()).unwrap();
        assert_eq!(listed[0]["pointer"], "/price/amount");
        assert_eq!(listed[1]["pointer"], "/x/0/y");
        assert_eq!(
            serde_json::to_string(&value).unwrap(),
            r#"{"price":{"amount":1},"x":[{"y":1}]}"#
        );
    }

    #[test]
    fn what_is_no_json_is_malformed() {
        for text in [
            "",
            "{",
            "{\"a\":}",
            "[1,]",
            "01",
            "nul",
            "\"\\ud800\"",
            "\u{feff}{}",
            "{} {}",
            "1e",
            "{1:2}",
            "+1",
            "\"\n\"",
        ] {
            let parsed = Value::parse(text.as_bytes(), &mut Faults::new());
            assert!(
                matches!(parsed, Err(ParseError::Malformed(_))),
                "{text}: {parsed:?}"
            );
        }
        assert!(Value::parse(b"\"\xff\"", &mut Faults::new()).is_err());
    }

    #[test]
    fn too_deep_is_said_and_not_followed() {
        let deep = |levels: usize| [vec![b'['; levels], vec![b']'; levels]].concat();
        assert!(Value::parse(&deep(DEEPEST), &mut Faults::new()).is_ok());
        let parsed = Value::parse(&deep(DEEPEST + 1), &mut Faults::new());
        assert_eq!(parsed, Err(ParseError::TooDeep));
        assert!(Value::parse(&deep(120_000), &mut Faults::new()).is_err());
    }

    /// The examples of RFC 7396, appendix A.
    #[test]
    fn a_merge_patch_does_what_its_rfc_shows() {
        for (original, patch, result) in [
            (r#"{"a":"b"}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
            (r#"{"a":"b"}"#, r#"{"b":"c"}"#, r#"{"a":"b","b":"c"}"#),
            (r#"{"a":"b"}"#, r#"{"a":null}"#, "{}"),
            (r#"{"a":"b","b":"c"}"#, r#"{"a":null}"#, r#"{"b":"c"}"#),
            (r#"{"a":["b"]}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
            (r#"{"a":"c"}"#, r#"{"a":["b"]}"#, r#"{"a":["b"]}"#),
            (
                r#"{"a":{"b":"c"}}"#,
                r#"{"a":{"b":"d","c":null}}"#,
                r#"{"a":{"b":"d"}}"#,
            ),
            (r#"{"a":[{"b":"c"}]}"#, r#"{"a":[1]}"#, r#"{"a":[1]}"#),
            (r#"["a","b"]"#, r#"["c","d"]"#, r#"["c","d"]"#),
            (r#"{"a":"b"}"#, r#"["c"]"#, r#"["c"]"#),
            (r#"{"a":"foo"}"#, "null", "null"),
            (r#"{"a":"foo"}"#, r#""bar""#, r#""bar""#),
            (r#"{"e":null}"#, r#"{"a":1}"#, r#"{"a":1,"e":null}"#),
            ("[1,2]", r#"{"a":"b","c":null}"#, r#"{"a":"b"}"#),
            ("{}", r#"{"a":{"bb":{"ccc":null}}}"#, r#"{"a":{"bb":{}}}"#),
        ] {
            let mut value = parse(original);
            value.merge(parse(patch));
            assert_eq!(
                serde_json::to_string(&value).unwrap(),
                result,
                "{original} + {patch}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Value::parse(&bytes, &mut Faults::new());
        }

        #[test]
        fn no_punctuation_makes_it_panic(text in r#"[\[\]{}:,"\\ue0-9.+a-f -]{0,80}"#) {
            let _ = Value::parse(text.as_bytes(), &mut Faults::new());
        }
    }
}
