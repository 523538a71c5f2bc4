//! JSON numbers kept exactly, as decimals and in one spelling.

use std::fmt::{self, Write};

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

/// The significant digits that DynamoDB keeps of a number.
/// Source: Amazon DynamoDB Developer Guide, "Supported data types", Number.
pub const MOST_DIGITS: usize = 38;

/// The powers of ten that DynamoDB's numbers span: 1E-130 to 9.99…E+125.
const EXPONENTS: std::ops::RangeInclusive<i64> = -130..=125;

/// A decimal number: exact, whatever the client wrote.
///
/// `1.50`, `15e-1` and `1.5` are one number and are written `1.5`, so what a
/// client reads back is the same before and after the store has held it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Number {
    negative: bool,
    /// Significant digits without zeros at either end; none for zero.
    digits: String,
    /// The value is `digits` × 10^`exponent`.
    exponent: i64,
}

impl Number {
    /// Reads the text of a JSON number (RFC 8259 §6), or nothing if it is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (negative, rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, saturating_exponent(exponent)?),
            None => (rest, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all = [whole, fraction].concat();
        if all.is_empty() || !all.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let without_end = all.trim_end_matches('0');
        let dropped = i64::try_from(all.len() - without_end.len()).ok()?;
        let digits = without_end.trim_start_matches('0');
        if digits.is_empty() {
            return Some(Self {
                negative: false,
                digits: String::new(),
                exponent: 0,
            });
        }
        let fraction = i64::try_from(fraction.len()).ok()?;
        Some(Self {
            negative,
            digits: digits.to_owned(),
            exponent: exponent.saturating_sub(fraction).saturating_add(dropped),
        })
    }

    /// Whether DynamoDB can hold it: at most [`MOST_DIGITS`] significant digits
    /// and a magnitude of 1E-130 to 9.99…E+125, or zero.
    #[must_use]
    pub fn fits_dynamodb(&self) -> bool {
        self.digits.is_empty()
            || (self.digits.len() <= MOST_DIGITS && EXPONENTS.contains(&self.magnitude()))
    }

    /// The number as an integer, if it is one (`1999.0` is) and fits.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        if self.digits.is_empty() {
            return Some(0);
        }
        if !(0..=18).contains(&self.magnitude()) || self.exponent < 0 {
            return None;
        }
        self.to_string().parse().ok()
    }

    /// The power of ten of the first digit.
    fn magnitude(&self) -> i64 {
        let behind = i64::try_from(self.digits.len()).map_or(i64::MAX, |len| len - 1);
        self.exponent.saturating_add(behind)
    }
}

/// An exponent too long for 64 bits is as good as infinite: nothing holds it.
fn saturating_exponent(text: &str) -> Option<i64> {
    let digits = text.trim_start_matches(['+', '-']);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let size = digits
        .parse::<i64>()
        .unwrap_or(i64::MAX / 4)
        .min(i64::MAX / 4);
    Some(if text.starts_with('-') { -size } else { size })
}

impl From<i64> for Number {
    fn from(value: i64) -> Self {
        Self::parse(&value.to_string()).unwrap_or(Self {
            negative: false,
            digits: String::new(),
            exponent: 0,
        })
    }
}

impl fmt::Display for Number {
    /// Writes it plainly where that is short and with an exponent where it is
    /// not, by the rule of ECMAScript's `Number::toString`, so that no number
    /// is longer written than it was sent by more than a few characters.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.digits.is_empty() {
            return f.write_char('0');
        }
        if self.negative {
            f.write_char('-')?;
        }
        let magnitude = self.magnitude();
        if !(-7..21).contains(&magnitude) {
            let (first, rest) = self.digits.split_at(1);
            f.write_str(first)?;
            if !rest.is_empty() {
                write!(f, ".{rest}")?;
            }
            return write!(f, "e{magnitude}");
        }
        let zeros = |f: &mut fmt::Formatter<'_>, n: i64| (0..n).try_for_each(|_| f.write_char('0'));
        if self.exponent >= 0 {
            f.write_str(&self.digits)?;
            zeros(f, self.exponent)
        } else if magnitude < 0 {
            f.write_str("0.")?;
            zeros(f, -magnitude - 1)?;
            f.write_str(&self.digits)
        } else {
            let whole = usize::try_from(magnitude + 1).unwrap_or(0);
            let (whole, fraction) = self.digits.split_at(whole.min(self.digits.len()));
            write!(f, "{whole}.{fraction}")
        }
    }
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        RawValue::from_string(self.to_string())
            .map_err(serde::ser::Error::custom)?
            .serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(text: &str) -> String {
        Number::parse(text).unwrap().to_string()
    }

    #[test]
    fn one_number_has_one_spelling() {
        for (sent, kept) in [
            ("0", "0"),
            ("-0.00e7", "0"),
            ("1.50", "1.5"),
            ("15e-1", "1.5"),
            ("100", "100"),
            ("1e2", "100"),
            ("0.000001", "0.000001"),
            ("1e-9", "1e-9"),
            (
                "123456789012345678901234567890",
                "1.2345678901234567890123456789e29",
            ),
            ("1E+125", "1e125"),
            ("-12.5", "-12.5"),
        ] {
            assert_eq!(written(sent), kept, "{sent}");
        }
    }

    #[test]
    fn what_dynamodb_cannot_hold_does_not_fit() {
        let fits = |text: &str| Number::parse(text).unwrap().fits_dynamodb();
        assert!(fits("12345678901234567890123456789012345678"));
        assert!(!fits("123456789012345678901234567890123456789"));
        assert!(fits("1234567890123456789012345678901234567800"));
        assert!(fits("9e125") && !fits("1e126"));
        assert!(fits("1e-130") && !fits("9e-131"));
        assert!(!fits("1e99999999999999999999999") && fits("0e99999999999999999999999"));
    }

    #[test]
    fn integers_are_integers_however_they_are_written() {
        let int = |text: &str| Number::parse(text).unwrap().as_i64();
        assert_eq!(int("1999.0"), Some(1999));
        assert_eq!(int("1e12"), Some(1_000_000_000_000));
        assert_eq!(int("9223372036854775807"), Some(i64::MAX));
        assert_eq!(int("-9223372036854775808"), Some(i64::MIN));
        assert_eq!(int("9223372036854775808"), None);
        assert_eq!(int("1.5"), None);
        assert_eq!(int("1e999999999999"), None);
    }

    proptest! {
        #[test]
        fn writing_and_reading_again_changes_nothing(text in r"-?(0|[1-9][0-9]{0,40})(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,3})?") {
            let number = Number::parse(&text).unwrap();
            let again = Number::parse(&number.to_string()).unwrap();
            prop_assert_eq!(&number, &again);
            prop_assert!(serde_json::from_str::<&RawValue>(&number.to_string()).is_ok());
            let (sent, kept): (f64, f64) = (text.parse().unwrap(), number.to_string().parse().unwrap());
            prop_assert_eq!(sent.to_bits() << 1, kept.to_bits() << 1);
        }
    }
}
