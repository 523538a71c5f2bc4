//! The types that the catalogue and its callers share.

use json::Text;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Price;

/// A product's name: 1 to 200 characters, none of them a control character.
pub type ProductName = Text<1, 200>;

/// A product's id: 1 to 64 of `A-Z a-z 0-9 . _ -`, starting with a letter or a
/// digit.
///
/// A `UUIDv7` where the catalogue generates it; a client may choose another
/// with `PUT`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct ProductId(String);

impl ProductId {
    /// The rule of an id, for an error message.
    pub const RULE: &'static str =
        "must be 1 to 64 of A-Z a-z 0-9 . _ - and start with a letter or a digit";

    /// Parses an id.
    ///
    /// # Errors
    ///
    /// [`ProductId::RULE`], if no product can have this id.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        let starts_well = text
            .bytes()
            .next()
            .is_some_and(|b| b.is_ascii_alphanumeric());
        if starts_well && text.len() <= 64 && text.bytes().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Self::RULE)
        }
    }

    /// Generates an id: a `UUIDv7` of the present time.
    #[must_use]
    pub fn generate() -> Self {
        Self(Uuid::now_v7().to_string())
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

json::string_type!([] ProductId);

impl json::schema::Schema for ProductId {
    fn schema(components: &mut json::schema::Components) -> json::schema::Json {
        components.named("ProductId", |_| {
            json::schema::json!({
                "type": "string",
                "description": "1 to 64 of `A-Z a-z 0-9 . _ -`, starting with a letter or a digit.",
                "minLength": 1,
                "maxLength": 64,
                "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$",
            })
        })
    }
}

/// A product as the order service reads it: what it keeps in an order.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PricedProduct {
    /// The product's id.
    pub id: ProductId,
    /// Its name.
    pub name: ProductName,
    /// Its price.
    pub price: Price,
}

/// Products by their ids: the response of `GET /nosqldata?ids=`.
///
/// The catalogue writes whole products; a caller reads the members it needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProductBatch<P> {
    /// `NoSql Data`. No reader needs it.
    #[serde(default)]
    pub message: String,
    /// The products that exist, in the requested order.
    pub items: Vec<P>,
    /// The ids that no product has, in the requested order.
    pub missing: Vec<ProductId>,
    /// Always `null`: a batch has one page.
    pub next_cursor: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_1_to_64_allowed_characters() {
        for good in ["a", "0", "A.b_c-d", &"x".repeat(64)] {
            assert!(ProductId::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            ".a",
            "-a",
            "_a",
            "a b",
            "a/b",
            "é",
            "a\n",
            &"x".repeat(65),
        ] {
            assert_eq!(ProductId::parse(bad), Err(ProductId::RULE), "{bad}");
        }
        assert!(ProductId::parse(ProductId::generate().as_str()).is_ok());
    }

    #[test]
    fn a_caller_reads_what_it_needs_of_a_batch() {
        let batch: ProductBatch<PricedProduct> = serde_json::from_str(
            r#"{"message":"NoSql Data","items":[{"id":"cup","name":"Cup","category":"c",
                "price":{"amount":1999,"currency":"DKK","new":1},"version":1}],
                "missing":["pot"],"nextCursor":null}"#,
        )
        .unwrap();
        assert_eq!(batch.items[0].price.amount.get(), 1999);
        assert_eq!(batch.missing[0].as_str(), "pot");
        for bad in [
            r#"{"message":"","items":[],"missing":["-"],"nextCursor":null}"#,
            r#"{"message":"","items":[{"id":"a","name":"","price":{"amount":1,"currency":"DKK"}}],"missing":[],"nextCursor":null}"#,
            r#"{"message":"","items":[{"id":"a","name":"n","price":{"amount":-1,"currency":"DKK"}}],"missing":[],"nextCursor":null}"#,
            r#"{"message":"","items":[{"id":"a","name":"n","price":{"amount":1,"currency":"kr."}}],"missing":[],"nextCursor":null}"#,
        ] {
            assert!(
                serde_json::from_str::<ProductBatch<PricedProduct>>(bad).is_err(),
                "{bad}"
            );
        }
    }
}
