//! Money: whole minor units of one currency, never a float.

use json::{FromJson, Int, Schema, ToJson};
use serde::{Deserialize, Serialize};

/// The highest amount of a price, in minor units.
///
/// The total of any order (100 lines of 999) stays below 2^53, so that readers
/// that use doubles keep it.
pub const MAX_PRICE: i64 = 10_000_000_000;

/// A currency: three capital letters, as in ISO 4217.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Currency(String);

impl Currency {
    /// Parses a currency.
    ///
    /// # Errors
    ///
    /// The rule, if it is not three capital letters.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if text.len() == 3 && text.bytes().all(|b| b.is_ascii_uppercase()) {
            Ok(Self(text.to_owned()))
        } else {
            Err("must be a currency of three capital letters (ISO 4217), such as DKK")
        }
    }

    /// The three letters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

json::string_type!([] Currency);

impl json::schema::Schema for Currency {
    fn schema(_: &mut json::schema::Components) -> json::schema::Json {
        json::schema::json!({ "type": "string", "pattern": "^[A-Z]{3}$" })
    }
}

/// A price.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, FromJson, ToJson, Schema)]
#[serde(rename_all = "camelCase")]
#[schema(request = "PriceInput", patch = "PricePatch")]
pub struct Price {
    /// Minor units (øre, cents): 1999 is 19.99 kroner.
    pub amount: Int<0, MAX_PRICE>,
    /// Three capital letters, as in ISO 4217.
    pub currency: Currency,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn currency_is_three_capital_letters() {
        assert_eq!(Currency::parse("DKK").unwrap().as_str(), "DKK");
        for text in ["", "DK", "DKKK", "dkk", "DK1", "Ø1"] {
            assert!(Currency::parse(text).is_err(), "{text}");
        }
    }
}
