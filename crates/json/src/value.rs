//! A JSON value: numbers as decimals, members sorted by name.

use serde::{Serialize, Serializer};

use crate::Number;

/// A JSON value (RFC 8259).
///
/// `serde_json::Value` rounds numbers to 64 bits and keeps the last of two
/// members with one name; this type does neither.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number.
    Number(Number),
    /// A string.
    String(String),
    /// An array.
    Array(Vec<Value>),
    /// An object.
    Object(Object),
}

impl Value {
    /// The kind of value, for messages: "a string", "null" …
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

    /// Applies a merge patch (RFC 7396 §2): members of `patch` replace its own,
    /// `null` removes, and anything but an object replaces the whole value.
    pub fn merge(&mut self, patch: Value) {
        let Self::Object(changes) = patch else {
            *self = patch;
            return;
        };
        if !matches!(self, Self::Object(_)) {
            *self = Self::Object(Object::new());
        }
        if let Self::Object(object) = self {
            object.merge(changes);
        }
    }
}

/// The members of a JSON object by name, sorted so that equal objects are
/// written alike.
///
/// They are a list: a map takes ten times the memory for an object with one member,
/// and a body can contain tens of thousands of these.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Object(Vec<(String, Value)>);

impl Object {
    /// No members.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The members in any order. Of those with one name the first counts; `repeated` is
    /// called with the name of each other.
    pub(crate) fn of(mut members: Vec<(String, Value)>, mut repeated: impl FnMut(&str)) -> Self {
        members.sort_by(|(a, _), (b, _)| a.cmp(b));
        members.dedup_by(|(name, _), (first, _)| {
            let is_repeated = name == first;
            if is_repeated {
                repeated(name);
            }
            is_repeated
        });
        members.shrink_to_fit();
        Self(members)
    }

    /// Whether there is a member called `name`.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.find(name).is_ok()
    }

    /// The member called `name`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        let (_, value) = self.0.get(self.find(name).ok()?)?;
        Some(value)
    }

    /// Sets the member called `name`.
    pub fn insert(&mut self, name: impl Into<String>, value: Value) {
        let name = name.into();
        match self.find(&name) {
            Ok(at) => {
                if let Some((_, member)) = self.0.get_mut(at) {
                    *member = value;
                }
            }
            Err(at) => self.0.insert(at, (name, value)),
        }
    }

    /// Removes the member called `name`.
    pub fn remove(&mut self, name: &str) -> Option<Value> {
        let at = self.find(name).ok()?;
        let (_, value) = self.0.remove(at);
        Some(value)
    }

    /// The members, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// The names of the members, sorted.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.iter().map(|(name, _)| name)
    }

    /// Applies the members of a merge patch (RFC 7396 §2).
    pub(crate) fn merge(&mut self, changes: Self) {
        let mut merged = Vec::with_capacity(self.0.len() + changes.0.len());
        // Both are sorted.
        let mut members = std::mem::take(&mut self.0).into_iter().peekable();
        for (name, change) in changes {
            while let Some(before) = members.next_if(|(it, _)| *it < name) {
                merged.push(before);
            }
            let member = members.next_if(|(it, _)| *it == name);
            if change == Value::Null {
                continue;
            }
            let mut value = member.map_or(Value::Null, |(_, value)| value);
            value.merge(change);
            merged.push((name, value));
        }
        merged.extend(members);
        self.0 = merged;
    }

    /// The place of the member called `name`, or where it would be.
    fn find(&self, name: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(it, _)| it.as_str().cmp(name))
    }
}

/// Of members with one name the first counts.
impl FromIterator<(String, Value)> for Object {
    fn from_iter<I: IntoIterator<Item = (String, Value)>>(members: I) -> Self {
        Self::of(members.into_iter().collect(), |_| ())
    }
}

impl IntoIterator for Object {
    type Item = (String, Value);
    type IntoIter = std::vec::IntoIter<(String, Value)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl Serialize for Object {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FieldErrors;

    fn parse(text: &str) -> Value {
        Value::parse(text.as_bytes(), &mut FieldErrors::new()).unwrap()
    }

    /// The examples of RFC 7396, appendix A.
    #[test]
    fn merge_patches_follow_rfc_7396() {
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
            let merged = serde_json::to_string(&value).unwrap();
            assert_eq!(merged, result, "{original} + {patch}");
        }
    }

    #[test]
    fn every_kind_has_its_name() {
        let kinds = [
            ("null", "null"),
            ("true", "a boolean"),
            ("1", "a number"),
            ("\"\"", "a string"),
            ("[]", "an array"),
            ("{}", "an object"),
        ];
        for (text, kind) in kinds {
            assert_eq!(parse(text).kind(), kind);
        }
    }

    fn names(object: &Object) -> Vec<&str> {
        object.names().collect()
    }

    #[test]
    fn members_are_sorted_and_the_first_of_a_name_counts() {
        let members = [("b", 1), ("a", 2), ("b", 3), ("c", 4), ("b", 5)];
        let members = members.map(|(name, value)| (name.to_owned(), Value::from(value)));
        let mut repeated = Vec::new();
        let mut object = Object::of(members.into(), |name| repeated.push(name.to_owned()));
        assert_eq!(repeated, ["b", "b"]);
        assert_eq!(names(&object), ["a", "b", "c"]);
        assert_eq!(object.get("b"), Some(&Value::from(1)));

        object.insert("b", Value::from(6));
        object.insert("bb", Value::from(7));
        assert_eq!(object.remove("a"), Some(Value::from(2)));
        assert_eq!(object.remove("a"), None);
        assert_eq!(names(&object), ["b", "bb", "c"]);
        assert_eq!(object.get("b"), Some(&Value::from(6)));
        assert!(object.contains("bb") && !object.contains("a"));
    }
}
