//! The parser: bytes to a [`Value`] in one pass.

use json_event_parser::{JsonEvent, SliceJsonParser};

use crate::{FieldErrors, Number, Object, Pointer, Value};

/// The levels of objects and arrays that the parser follows.
///
/// A deeper document is malformed, before it can exhaust the stack.
pub const MAX_DEPTH: usize = 127;

/// The most items and members of a document. Further ones are parsed and not kept, so
/// that they take no memory.
pub const MAX_VALUES: usize = 20_000;

/// Why a text is not a JSON document that is read here.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ParseError {
    /// The text breaks the grammar of RFC 8259, or is not UTF-8.
    #[error("is not JSON: {0}")]
    Malformed(String),
    /// It nests deeper than [`MAX_DEPTH`].
    #[error("nests deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// It has more than [`MAX_VALUES`] items and members.
    #[error("must not have more than {MAX_VALUES} values")]
    TooManyValues,
}

impl Value {
    /// Parses a whole document.
    ///
    /// A repeated member is grammatical: it is reported in `errors` at its
    /// pointer, and the first one counts.
    ///
    /// # Errors
    ///
    /// [`ParseError`] if the bytes are not UTF-8, not JSON, too deep, or have too many
    /// values.
    pub fn parse(bytes: &[u8], errors: &mut FieldErrors) -> Result<Self, ParseError> {
        // A byte order mark is not part of the grammar (RFC 8259 §8.1).
        if bytes.starts_with(b"\xef\xbb\xbf") {
            return Err(ParseError::Malformed(
                "it starts with a byte order mark".to_owned(),
            ));
        }
        let mut parser = Parser {
            events: SliceJsonParser::new(bytes),
            values: 0,
        };
        let event = parser.next()?;
        let value = parser.value(event, &Pointer::root(), 0, errors)?;
        match parser.next()? {
            JsonEvent::Eof if parser.values > MAX_VALUES => Err(ParseError::TooManyValues),
            JsonEvent::Eof => Ok(value),
            _ => Err(unexpected()),
        }
    }
}

struct Parser<'a> {
    events: SliceJsonParser<'a>,
    /// The items and members that were parsed.
    values: usize,
}

impl<'a> Parser<'a> {
    fn next(&mut self) -> Result<JsonEvent<'a>, ParseError> {
        self.events.parse_next().map_err(|error| {
            let at = error.location().start;
            let (line, column) = (at.line + 1, at.column + 1);
            ParseError::Malformed(format!(
                "{} at line {line} column {column}",
                error.message()
            ))
        })
    }

    /// Counts an item or member; `false` if it is one too many.
    fn keeps_another(&mut self) -> bool {
        self.values += 1;
        self.values <= MAX_VALUES
    }

    fn value(
        &mut self,
        event: JsonEvent<'a>,
        at: &Pointer<'_>,
        depth: usize,
        errors: &mut FieldErrors,
    ) -> Result<Value, ParseError> {
        if depth == MAX_DEPTH && matches!(event, JsonEvent::StartObject | JsonEvent::StartArray) {
            return Err(ParseError::TooDeep);
        }
        Ok(match event {
            JsonEvent::Null => Value::Null,
            JsonEvent::Boolean(value) => Value::Bool(value),
            JsonEvent::Number(text) => Value::Number(Number::parse(&text).ok_or_else(unexpected)?),
            JsonEvent::String(text) => Value::String(text.into_owned()),
            JsonEvent::StartArray => Value::Array(self.items(at, depth + 1, errors)?),
            JsonEvent::StartObject => Value::Object(self.members(at, depth + 1, errors)?),
            _ => return Err(unexpected()),
        })
    }

    fn items(
        &mut self,
        at: &Pointer<'_>,
        depth: usize,
        errors: &mut FieldErrors,
    ) -> Result<Vec<Value>, ParseError> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                JsonEvent::EndArray => {
                    // A list of one has room for four.
                    items.shrink_to_fit();
                    return Ok(items);
                }
                event => {
                    let item = self.value(event, &at.item(items.len()), depth, errors)?;
                    if self.keeps_another() {
                        items.push(item);
                    }
                }
            }
        }
    }

    fn members(
        &mut self,
        at: &Pointer<'_>,
        depth: usize,
        errors: &mut FieldErrors,
    ) -> Result<Object, ParseError> {
        let mut members = Vec::new();
        loop {
            let name = match self.next()? {
                JsonEvent::EndObject => {
                    let repeated = "is repeated in its object";
                    return Ok(Object::of(members, |name| {
                        errors.add(&at.member(name), repeated);
                    }));
                }
                JsonEvent::ObjectKey(name) => name.into_owned(),
                _ => return Err(unexpected()),
            };
            let event = self.next()?;
            let value = self.value(event, &at.member(&name), depth, errors)?;
            if self.keeps_another() {
                members.push((name, value));
            }
        }
    }
}

fn unexpected() -> ParseError {
    ParseError::Malformed("the document ends early or goes on after its value".to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Value {
        let mut errors = FieldErrors::new();
        let value = Value::parse(text.as_bytes(), &mut errors).unwrap();
        assert!(errors.is_empty(), "{errors:?}");
        value
    }

    #[test]
    fn numbers_are_exact() {
        let text = r#"{"a":12345678901234567890123456789012345678,"b":[0.1,-3]}"#;
        let written = serde_json::to_string(&parse(text)).unwrap();
        assert_eq!(written, text);
        assert_eq!(parse(&written), parse(text));
    }

    #[test]
    fn repeated_members_are_reported_at_their_pointers() {
        let mut errors = FieldErrors::new();
        let text = r#"{"price":{"amount":1,"am\u006funt":2},"x":[{"y":1,"y":2}]}"#;
        let value = Value::parse(text.as_bytes(), &mut errors).unwrap();
        let listed = serde_json::to_value(errors.into_vec()).unwrap();
        assert_eq!(listed[0]["pointer"], "/price/amount");
        assert_eq!(listed[1]["pointer"], "/x/0/y");
        assert_eq!(
            serde_json::to_string(&value).unwrap(),
            r#"{"price":{"amount":1},"x":[{"y":1}]}"#
        );
    }

    #[test]
    fn number_of_values_is_limited() {
        for (end, expected) in [
            ("]", Ok(MAX_VALUES)),
            (",1]", Err(ParseError::TooManyValues)),
        ] {
            let text = format!("[1{}{end}", ",1".repeat(MAX_VALUES - 1));
            let parsed = Value::parse(text.as_bytes(), &mut FieldErrors::new());
            let count = parsed.map(|value| match value {
                Value::Array(items) => items.len(),
                _ => 0,
            });
            assert_eq!(count, expected);
        }
        let malformed = format!("[1{},", ",1".repeat(MAX_VALUES));
        let parsed = Value::parse(malformed.as_bytes(), &mut FieldErrors::new());
        assert!(matches!(parsed, Err(ParseError::Malformed(_))));
    }

    #[test]
    fn text_that_is_not_json_is_malformed() {
        for text in [
            "",
            " ",
            "{",
            "{\"a\":}",
            "[1,]",
            "[1 2]",
            "01",
            "-",
            "1.",
            ".5",
            "nul",
            "\"\\ud800\"",
            "\u{feff}{}",
            "{} {}",
            "1e",
            "{1:2}",
            "{\"a\" 1}",
            "{\"a\":1,}",
            "+1",
            "\"\n\"",
            "\"\\x\"",
            "'a'",
            "NaN",
            "// c\n1",
        ] {
            let parsed = Value::parse(text.as_bytes(), &mut FieldErrors::new());
            assert!(
                matches!(parsed, Err(ParseError::Malformed(_))),
                "{text}: {parsed:?}"
            );
        }
        assert!(Value::parse(b"\"\xff\"", &mut FieldErrors::new()).is_err());
    }

    #[test]
    fn malformed_text_is_reported_by_its_line_and_column() {
        let parsed = Value::parse(b"{\n  \"a\": tru\n}", &mut FieldErrors::new());
        let Err(ParseError::Malformed(message)) = parsed else {
            panic!("the text is malformed");
        };
        assert!(message.ends_with("at line 2 column 8"), "{message}");
    }

    #[test]
    fn nesting_beyond_the_limit_is_too_deep() {
        let arrays = |levels: usize| ["[".repeat(levels), "]".repeat(levels)].concat();
        let objects = |levels: usize| {
            let inner = levels - 1;
            [r#"{"a":"#.repeat(inner), "{}".to_owned(), "}".repeat(inner)].concat()
        };
        for deep in [&arrays as &dyn Fn(usize) -> String, &objects] {
            let parse = |levels| Value::parse(deep(levels).as_bytes(), &mut FieldErrors::new());
            assert!(parse(MAX_DEPTH).is_ok());
            for levels in [MAX_DEPTH + 1, 120_000] {
                assert_eq!(parse(levels), Err(ParseError::TooDeep));
            }
        }
    }

    fn any_json() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            Just("null".to_owned()),
            any::<bool>().prop_map(|value| value.to_string()),
            r"-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,15})?([eE][+-]?[0-9]{1,2})?",
            any::<String>().prop_map(|text| serde_json::to_string(&text).unwrap()),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4)
                    .prop_map(|items| format!("[{}]", items.join(" , "))),
                prop::collection::btree_map(any::<String>(), inner, 0..4).prop_map(|members| {
                    let members = members.into_iter().map(|(name, value)| {
                        format!("{}: {value}", serde_json::to_string(&name).unwrap())
                    });
                    format!("{{{}}}", members.collect::<Vec<_>>().join(","))
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_do_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Value::parse(&bytes, &mut FieldErrors::new());
        }

        #[test]
        fn it_accepts_what_serde_json_accepts(text in r#"[\[\]{}:,"\\ 0-9a-z.eE+-]{0,24}"#) {
            let ours = Value::parse(text.as_bytes(), &mut FieldErrors::new());
            let theirs = serde_json::from_str::<&serde_json::value::RawValue>(&text);
            prop_assert_eq!(ours.is_ok(), theirs.is_ok(), "{}", text);
        }

        #[test]
        fn writing_and_parsing_again_is_the_identity(text in any_json()) {
            let value = parse(&text);
            let written = serde_json::to_string(&value).unwrap();
            prop_assert_eq!(parse(&written), value);
        }
    }
}
