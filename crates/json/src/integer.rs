//! Integers within bounds.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{FieldErrors, FromJson, Pointer, ToJson, Value};

/// An integer from `MIN` to `MAX`, both inclusive.
///
/// `1999.0` and `1e3` are integers: JSON has only numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "i64")]
pub struct Int<const MIN: i64, const MAX: i64>(i64);

impl<const MIN: i64, const MAX: i64> Int<MIN, MAX> {
    /// The lowest of them.
    pub const MIN: Self = Self(MIN);

    /// The integer, if it is within the bounds.
    #[must_use]
    pub fn new(value: i64) -> Option<Self> {
        (MIN..=MAX).contains(&value).then_some(Self(value))
    }

    /// The integer.
    #[must_use]
    pub fn get(self) -> i64 {
        self.0
    }

    /// The integer within wider bounds.
    #[must_use]
    pub fn widen<const LOW: i64, const HIGH: i64>(self) -> Int<LOW, HIGH> {
        const { assert!(LOW <= MIN && MAX <= HIGH, "the bounds are not wider") }
        Int(self.0)
    }

    /// The integer `value`, or what is wrong with it; `None` is not an integer of 64 bits.
    fn checked(value: Option<i64>) -> Result<Self, String> {
        match value {
            Some(value) => Self::try_from(value),
            None => Err(format!("must be an integer between {MIN} and {MAX}")),
        }
    }
}

impl<const MIN: i64, const MAX: i64> TryFrom<i64> for Int<MIN, MAX> {
    type Error = String;

    fn try_from(value: i64) -> Result<Self, String> {
        Self::new(value).ok_or_else(|| format!("must be between {MIN} and {MAX}"))
    }
}

/// In decimal digits, such as a query parameter has.
impl<const MIN: i64, const MAX: i64> FromStr for Int<MIN, MAX> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let digits = digits.bytes().all(|b| b.is_ascii_digit());
        let value = text.parse().ok().filter(|_| digits);
        Self::checked(value)
    }
}

impl<const MIN: i64, const MAX: i64> FromJson for Int<MIN, MAX> {
    fn from_json(value: Value, at: &Pointer<'_>, errors: &mut FieldErrors) -> Option<Self> {
        let integer = match value {
            Value::Number(number) => number.as_i64(),
            _ => None,
        };
        let checked = Self::checked(integer).map_err(|detail| errors.add(at, detail));
        checked.ok()
    }
}

impl<const MIN: i64, const MAX: i64> ToJson for Int<MIN, MAX> {
    fn to_json(&self) -> Option<Value> {
        Some(self.0.into())
    }
}
