//! JSON as the attribute values of an item, exact in both directions.

use aws_sdk_dynamodb::types::AttributeValue;
use json::{Number, Object, Value};

/// The string attribute `text`.
pub(crate) fn string(text: impl Into<String>) -> AttributeValue {
    AttributeValue::S(text.into())
}

/// The number attribute `number`.
pub(crate) fn integer(number: i64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

/// The attribute value of a JSON value: numbers keep every digit.
pub(crate) fn to_attribute(value: Value) -> AttributeValue {
    match value {
        Value::Null => AttributeValue::Null(true),
        Value::Bool(value) => AttributeValue::Bool(value),
        Value::Number(number) => AttributeValue::N(number.to_string()),
        Value::String(text) => AttributeValue::S(text),
        Value::Array(items) => AttributeValue::L(items.into_iter().map(to_attribute).collect()),
        Value::Object(members) => AttributeValue::M(
            members
                .into_iter()
                .map(|(name, value)| (escape(name), to_attribute(value)))
                .collect(),
        ),
    }
}

/// The JSON value of an attribute value; `None` for a type that JSON does not
/// have, such as a set.
pub(crate) fn to_json(value: AttributeValue) -> Option<Value> {
    Some(match value {
        AttributeValue::Null(_) => Value::Null,
        AttributeValue::Bool(value) => Value::Bool(value),
        AttributeValue::N(number) => Value::Number(Number::parse(&number)?),
        AttributeValue::S(text) => Value::String(text),
        AttributeValue::L(items) => {
            Value::Array(items.into_iter().map(to_json).collect::<Option<_>>()?)
        }
        AttributeValue::M(members) => Value::Object(
            members
                .into_iter()
                .map(|(name, value)| Some((unescape(name), to_json(value)?)))
                .collect::<Option<Object>>()?,
        ),
        _ => return None,
    })
}

/// The member names that cannot be stored as they are: `DynamoDB` does not allow an
/// empty one, and the local `DynamoDB` takes the other one for a mark of its JSON parser.
const RESERVED: [&str; 2] = ["", "$serde_json::private::RawValue"];

/// Escapes a member name: a reserved one after any number of tildes gets one more.
fn escape(name: String) -> String {
    if is_escapable(&name) {
        format!("~{name}")
    } else {
        name
    }
}

fn unescape(name: String) -> String {
    match name.strip_prefix('~') {
        Some(escaped) if is_escapable(escaped) => escaped.to_owned(),
        _ => name,
    }
}

fn is_escapable(name: &str) -> bool {
    RESERVED.contains(&name.trim_start_matches('~'))
}

#[cfg(test)]
mod tests {
    use json::FieldErrors;
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Value {
        Value::parse(text.as_bytes(), &mut FieldErrors::new()).unwrap()
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let number = r"-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,15})?([eE][+-]?[0-9]{1,2})?";
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            number.prop_map(|text| parse(&text)),
            any::<String>().prop_map(Value::String),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            let name = prop_oneof![
                "~{0,3}",
                r"~{0,2}\$serde_json::private::RawValue",
                any::<String>()
            ];
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
                prop::collection::btree_map(name, inner, 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    /// Whether there is an empty name, which `DynamoDB` rejects at any depth.
    fn has_empty_name(value: &AttributeValue) -> bool {
        match value {
            AttributeValue::M(members) => members
                .iter()
                .any(|(name, value)| name.is_empty() || has_empty_name(value)),
            AttributeValue::L(items) => items.iter().any(has_empty_name),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn writing_and_reading_again_is_the_identity(value in any_json()) {
            let attribute = to_attribute(value.clone());
            prop_assert!(!has_empty_name(&attribute));
            prop_assert_eq!(to_json(attribute), Some(value));
        }
    }

    #[test]
    fn a_number_is_read_however_the_store_writes_it() {
        let plain = format!("1{}", "0".repeat(125));
        for (sent, stored) in [("1e125", &*plain), ("1e125", "1E+125"), ("0.10", "0.1")] {
            let read = to_json(AttributeValue::N(stored.to_owned()));
            assert_eq!(read, Some(parse(sent)), "{stored}");
        }
    }

    #[test]
    fn escaped_names_stay_distinct() {
        let object = parse(r#"{"":0,"~":1,"~~":2,"a~":3}"#);
        let AttributeValue::M(stored) = to_attribute(object.clone()) else {
            panic!("an object is a map");
        };
        let mut names: Vec<_> = stored.keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["a~", "~", "~~", "~~~"]);
        assert_eq!(to_json(AttributeValue::M(stored)), Some(object));
    }

    #[test]
    fn a_type_that_json_does_not_have_is_refused() {
        assert_eq!(to_json(AttributeValue::Ss(Vec::new())), None);
        let nested = AttributeValue::L(vec![AttributeValue::Ns(Vec::new())]);
        assert_eq!(to_json(nested), None);
    }
}
