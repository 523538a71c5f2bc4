//! JSON numbers as decimals, exact and in one spelling.

use std::fmt::{self, Write};

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

/// A decimal number of any size and precision.
///
/// `1.50`, `15e-1` and `1.5` are one number, written `1.5`, so that a client
/// reads the same before and after a store has held it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Number {
    negative: bool,
    /// Significant digits without zeros at either end; none for zero.
    digits: String,
    /// The value is `digits` × 10^`exponent`.
    exponent: i64,
}

impl Number {
    const ZERO: Self = Self {
        negative: false,
        digits: String::new(),
        exponent: 0,
    };

    /// Parses decimal notation: the grammar of a JSON number (RFC 8259 §6), and
    /// what a store may add to it: a plus sign, zeros in front, no zero before
    /// the point.
    ///
    /// Returns `None` for other text. Text that a client sends has passed the
    /// parser of JSON before.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (negative, rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, parse_exponent(exponent)?),
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
            return Some(Self::ZERO);
        }
        let fraction = i64::try_from(fraction.len()).ok()?;
        let after_first = i64::try_from(digits.len() - 1).ok()?;
        // The magnitude is limited, not the exponent: it is what is written, and must be
        // the same when it is read again.
        let exponent = exponent - fraction + dropped;
        let magnitude = (exponent + after_first).clamp(-MAX_MAGNITUDE, MAX_MAGNITUDE);
        Some(Self {
            negative,
            digits: digits.to_owned(),
            exponent: magnitude - after_first,
        })
    }

    /// The number of significant digits; none for zero.
    #[must_use]
    pub fn significant_digits(&self) -> usize {
        self.digits.len()
    }

    /// The power of ten of its first digit: 2 for 123, -1 for 0.5, 0 for zero.
    #[must_use]
    pub fn magnitude(&self) -> i64 {
        let after_first = i64::try_from(self.digits.len()).map_or(i64::MAX, |len| (len - 1).max(0));
        self.exponent.saturating_add(after_first)
    }

    /// The number as an integer, if it is one (`1999.0` is) and fits.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        // An integer that fits has at most 19 digits, so it is written plainly.
        self.to_string().parse().ok()
    }
}

/// The highest magnitude. Numbers beyond saturate: no store and no integer holds one.
const MAX_MAGNITUDE: i64 = i64::MAX / 4;

/// Parses an exponent. One that is too long for 64 bits saturates.
fn parse_exponent(text: &str) -> Option<i64> {
    const LIMIT: i64 = i64::MAX / 2;
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let size = digits.parse::<i64>().unwrap_or(LIMIT).min(LIMIT);
    Some(if negative { -size } else { size })
}

impl From<i64> for Number {
    fn from(value: i64) -> Self {
        Self::parse(&value.to_string()).unwrap_or(Self::ZERO)
    }
}

impl fmt::Display for Number {
    /// Writes it plainly, as many readers take a number with an exponent for an inexact
    /// one, unless that adds more than 20 zeros after its digits or 7 before them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.digits.is_empty() {
            return f.write_char('0');
        }
        if self.negative {
            f.write_char('-')?;
        }
        let magnitude = self.magnitude();
        if magnitude < -7 || self.exponent > 20 {
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
    fn equal_numbers_are_written_alike() {
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
                "123456789012345678901234567890",
            ),
            ("1E+125", "1e125"),
            ("-12.5", "-12.5"),
        ] {
            assert_eq!(written(sent), kept, "{sent}");
        }
    }

    #[test]
    fn the_largest_exponents_are_written_as_they_are_read() {
        for exponent in [
            "9".repeat(90),
            format!("-{}", "9".repeat(90)),
            i64::MAX.to_string(),
        ] {
            for digits in ["1", "156", "1.56", "0.00156", "15600"] {
                let number = Number::parse(&format!("{digits}e{exponent}")).unwrap();
                assert_eq!(Number::parse(&number.to_string()), Some(number));
            }
        }
    }

    #[test]
    fn text_that_is_no_number_is_refused() {
        for text in [
            "", "-", "+", ".", "1e", "1e+", "e1", "1.2.3", "1e2e3", "0x1", "1 ", "--1", "1e+-1",
            "∞",
        ] {
            assert_eq!(Number::parse(text), None, "{text}");
        }
        // The forms that DynamoDB may return.
        for text in ["+1", "007", ".5", "5."] {
            assert!(Number::parse(text).is_some(), "{text}");
        }
    }

    #[test]
    fn size_and_precision_are_known() {
        for (text, digits, magnitude) in [
            ("0", 0, 0),
            ("123", 3, 2),
            ("-0.5", 1, -1),
            ("1200", 2, 3),
            ("9.99e125", 3, 125),
            ("1e-130", 1, -130),
        ] {
            let number = Number::parse(text).unwrap();
            assert_eq!(
                (number.significant_digits(), number.magnitude()),
                (digits, magnitude),
                "{text}"
            );
        }
        let huge = Number::parse("1e99999999999999999999999").unwrap();
        assert_eq!(huge.magnitude(), i64::MAX / 4);
        let tiny = Number::parse("1e-99999999999999999999999").unwrap();
        assert_eq!(tiny.magnitude(), -(i64::MAX / 4));
    }

    #[test]
    fn integers_are_recognized_in_every_spelling() {
        let int = |text: &str| Number::parse(text).unwrap().as_i64();
        assert_eq!(int("1999.0"), Some(1999));
        assert_eq!(int("1e12"), Some(1_000_000_000_000));
        assert_eq!(int("9223372036854775807"), Some(i64::MAX));
        assert_eq!(int("-9223372036854775808"), Some(i64::MIN));
        assert_eq!(int("9223372036854775808"), None);
        assert_eq!(int("1.5"), None);
        assert_eq!(int("0.0"), Some(0));
        assert_eq!(int("-1e3"), Some(-1000));
        assert_eq!(int("1e18"), Some(1_000_000_000_000_000_000));
        assert_eq!(int("1e19"), None);
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
