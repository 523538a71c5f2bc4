//! Money: whole minor units of one currency, never a float.

use serde::{Deserialize, Serialize};

use crate::{
    Faults, Pointer,
    json::{Object, Value},
    read::{Fields, integer},
};

/// The largest price, in minor units: 10^10.
///
/// The total of any order then stays below 2^53, so readers that hold numbers
/// as doubles keep it exactly.
pub const MOST_AMOUNT: i64 = 10_000_000_000;

/// An amount of money: `{"amount": 1999, "currency": "DKK"}` is 19.99 kroner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Money {
    /// Minor units (øre, cents).
    #[cfg_attr(feature = "openapi", schema(minimum = 0, maximum = 10_000_000_000_i64))]
    pub amount: i64,
    /// Three capitals, as in ISO 4217.
    #[cfg_attr(feature = "openapi", schema(pattern = "^[A-Z]{3}$"))]
    pub currency: String,
}

impl Money {
    /// Reads a price: `amount` an integer of 0 to 10^10, `currency` three capitals.
    pub fn read(value: &Value, at: &Pointer<'_>, faults: &mut Faults) -> Option<Self> {
        let mut fields = Fields::of(value, at, faults)?;
        let amount = fields.required("amount", faults, |value, at, faults| {
            integer(value, at, faults, 0..=MOST_AMOUNT)
        });
        let currency = fields.required("currency", faults, currency);
        fields.finish(&["amount", "currency"], &[], faults);
        Some(Self {
            amount: amount?,
            currency: currency?,
        })
    }

    /// The price as the JSON that [`Money::read`] reads.
    #[must_use]
    pub fn to_json(&self) -> Value {
        Value::Object(Object::from([
            ("amount".to_owned(), self.amount.into()),
            ("currency".to_owned(), self.currency.as_str().into()),
        ]))
    }
}

/// The exact sum of any number of amounts, which may exceed 64 bits.
// 128 bits hold the sum of the largest price times the largest quantity that
// the database can store over 8 * 10^9 lines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MoneySum {
    /// Minor units (øre, cents), as an integer without an upper bound.
    #[cfg_attr(feature = "openapi", schema(minimum = 0))]
    pub amount: i128,
    /// Three capitals, as in ISO 4217.
    #[cfg_attr(feature = "openapi", schema(pattern = "^[A-Z]{3}$"))]
    pub currency: String,
}

fn currency(value: &Value, at: &Pointer<'_>, faults: &mut Faults) -> Option<String> {
    match value {
        Value::String(code) if code.len() == 3 && code.bytes().all(|b| b.is_ascii_uppercase()) => {
            Some(code.clone())
        }
        _ => {
            faults.body(
                at,
                "must be a currency of three capitals (ISO 4217), for example DKK",
            );
            None
        }
    }
}
