//! Strings within bounds.

use serde::{Deserialize, Serialize};

/// Implements what every string type has, by its `parse` and `as_str`.
///
/// `parse` takes a `&str` and returns `Result<Self, E>`, where `E` displays the
/// rule that the string breaks, such as "must have 1 to 200 characters".
#[macro_export]
macro_rules! string_type {
    ([$($generics:tt)*] $type:ty) => {
        impl<$($generics)*> $crate::FromJson for $type {
            fn from_json(
                value: $crate::Value,
                at: &$crate::Pointer<'_>,
                errors: &mut $crate::FieldErrors,
            ) -> Option<Self> {
                let parsed = match &value {
                    $crate::Value::String(text) => Self::parse(text).map_err(|e| e.to_string()),
                    other => Err(format!("must be a string, not {}", other.kind())),
                };
                parsed.map_err(|detail| errors.add(at, detail)).ok()
            }
        }

        impl<$($generics)*> $crate::ToJson for $type {
            fn to_json(&self) -> Option<$crate::Value> {
                Some(self.as_str().into())
            }
        }

        impl<$($generics)*> ::std::str::FromStr for $type {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                Self::parse(text).map_err(|error| error.to_string())
            }
        }

        impl<$($generics)*> TryFrom<String> for $type {
            type Error = String;

            fn try_from(text: String) -> Result<Self, String> {
                text.parse()
            }
        }

        impl<$($generics)*> ::std::fmt::Display for $type {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

/// One line of `MIN` to `MAX` characters (Unicode scalar values), without
/// control characters (category Cc).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Text<const MIN: usize, const MAX: usize>(String);

impl<const MIN: usize, const MAX: usize> Text<MIN, MAX> {
    /// The text, if it is within the bounds.
    ///
    /// # Errors
    ///
    /// The rule that it breaks.
    pub fn parse(text: &str) -> Result<Self, String> {
        check_length(text, MIN, MAX)?;
        if text.chars().any(char::is_control) {
            return Err("must have no control characters".to_owned());
        }
        Ok(Self(text.to_owned()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

string_type!([const MIN: usize, const MAX: usize] Text<MIN, MAX>);

/// `MIN` to `MAX` characters (Unicode scalar values), without control characters
/// (category Cc) other than line feed and tab.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct MultilineText<const MIN: usize, const MAX: usize>(String);

impl<const MIN: usize, const MAX: usize> MultilineText<MIN, MAX> {
    /// The text, if it is within the bounds.
    ///
    /// # Errors
    ///
    /// The rule that it breaks.
    pub fn parse(text: &str) -> Result<Self, String> {
        check_length(text, MIN, MAX)?;
        if text
            .chars()
            .any(|c| c.is_control() && !matches!(c, '\n' | '\t'))
        {
            return Err("must have no control characters but line feed and tab".to_owned());
        }
        Ok(Self(text.to_owned()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

string_type!([const MIN: usize, const MAX: usize] MultilineText<MIN, MAX>);

fn check_length(text: &str, min: usize, max: usize) -> Result<(), String> {
    if (min..=max).contains(&text.chars().count()) {
        Ok(())
    } else if min == 0 {
        Err(format!("must have at most {max} characters"))
    } else {
        Err(format!("must have {min} to {max} characters"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_are_unicode_scalar_values() {
        assert!(Text::<1, 2>::parse("é\u{1f63a}").is_ok());
        assert_eq!(
            Text::<1, 2>::parse("abc").unwrap_err(),
            "must have 1 to 2 characters"
        );
        assert_eq!(
            Text::<0, 2>::parse("abc").unwrap_err(),
            "must have at most 2 characters"
        );
        for control in ["\0", "\n", "\u{7f}", "\u{85}"] {
            assert_eq!(
                Text::<1, 2>::parse(control).unwrap_err(),
                "must have no control characters"
            );
        }
    }

    #[test]
    fn multiline_text_may_have_line_feeds_and_tabs() {
        let text = MultilineText::<0, 4>::parse("a\n\tb").unwrap();
        assert_eq!(text.as_str(), "a\n\tb");
        assert!(MultilineText::<0, 4>::parse("a\r\nb").is_err());
    }
}
