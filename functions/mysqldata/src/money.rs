//! Sums of prices.

use dto::Currency;
use json::Schema;
use serde::Serialize;

/// A sum of prices, exact at any size.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Money {
    /// Minor units (øre, cents). It may exceed 64 bits.
    pub amount: i128,
    /// Three capital letters, as in ISO 4217.
    pub currency: Currency,
}

impl Schema for Money {
    fn schema(components: &mut json::schema::Components) -> json::schema::Json {
        let currency = json::schema::described(
            Currency::schema(components),
            "Three capital letters, as in ISO 4217.",
        );
        components.named("Money", |_| {
            json::schema::json!({
                "type": "object",
                "description": "A sum of prices, exact at any size.",
                "properties": {
                    "amount": {
                        "type": "integer",
                        "minimum": 0,
                        "description": "Minor units (øre, cents). A sum over many orders may exceed 64 bits.",
                    },
                    "currency": currency,
                },
                "required": ["amount", "currency"],
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sum_beyond_64_bits_is_exact() {
        let sum = Money {
            amount: 12_345_678_901_234_567_890_123_456_789,
            currency: "EUR".parse().unwrap(),
        };
        let text = r#"{"amount":12345678901234567890123456789,"currency":"EUR"}"#;
        assert_eq!(serde_json::to_string(&sum).unwrap(), text);
    }
}
