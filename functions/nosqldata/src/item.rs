//! A product as its table holds it.
//!
//! An item has `id`, `name`, `category`, `currency`, `etag`, `createdAt` and
//! `updatedAt` as strings, `amount` and `version` as numbers, `description` as
//! a string where there is one, and `attributes` as a map: a document in the
//! store's own types, with numbers to the digit.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use dto::{
    Money, Timestamp,
    json::{Object, Value},
    number::Number,
    product::{Attributes, Product, ProductContent, ProductId},
};
use uuid::Uuid;

/// What the table holds of one product.
pub type Item = HashMap<String, AttributeValue>;

/// A product and the entity tag of the state it is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The product.
    pub product: Product,
    /// Its entity tag, without quotes. Every write makes one that there never
    /// was, so it tells the writes of a product apart even when it has been
    /// deleted and made anew.
    pub etag: String,
}

/// An item of a table that is not what is written there.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("the item \"{id}\" has no {attribute}, or not as it should be")]
pub struct Malformed {
    id: String,
    attribute: &'static str,
}

impl Stored {
    /// A product as it is made: version 1, of now.
    #[must_use]
    pub fn new(id: ProductId, content: ProductContent) -> Self {
        let now = Timestamp::now();
        let product = Product {
            id,
            name: content.name,
            category: content.category,
            price: content.price,
            description: content.description,
            attributes: content.attributes,
            version: 1,
            created_at: now,
            updated_at: now,
        };
        Self {
            product,
            etag: new_etag(),
        }
    }

    /// What the table is to hold of it.
    #[must_use]
    pub fn to_item(&self) -> Item {
        let product = &self.product;
        let set_by_the_service = [
            ("id", text(product.id.as_str())),
            ("version", integer(product.version)),
            ("etag", text(&self.etag)),
            ("createdAt", text(product.created_at.to_string())),
            ("updatedAt", text(product.updated_at.to_string())),
        ];
        let content = content(product.clone().into());
        let content = content
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)));
        set_by_the_service
            .into_iter()
            .chain(content)
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    }
}

impl TryFrom<Item> for Stored {
    type Error = Malformed;

    fn try_from(item: Item) -> Result<Self, Malformed> {
        let mut item = Reader(item);
        let etag = item.required("etag", string)?;
        let product = Product {
            name: item.required("name", string)?,
            category: item.required("category", string)?,
            price: Money {
                amount: item.required("amount", i64_of)?,
                currency: item.required("currency", string)?,
            },
            description: item.optional("description", string)?,
            attributes: item.required("attributes", object_of).map(Attributes)?,
            version: item.required("version", i64_of)?,
            created_at: item.required("createdAt", timestamp)?,
            updated_at: item.required("updatedAt", timestamp)?,
            // Last, because a fault names the item by it.
            id: item.required("id", |id| ProductId::parse(&string(id)?))?,
        };
        Ok(Self { product, etag })
    }
}

/// A new entity tag.
pub(crate) fn new_etag() -> String {
    Uuid::now_v7().to_string()
}

/// What a client says of a product, under the names that an item has it by;
/// nothing for what the product does not have.
pub(crate) fn content(content: ProductContent) -> [(&'static str, Option<AttributeValue>); 6] {
    let attributes = value(Value::Object(content.attributes.0));
    [
        ("name", Some(text(content.name))),
        ("category", Some(text(content.category))),
        ("amount", Some(integer(content.price.amount))),
        ("currency", Some(text(content.price.currency))),
        ("description", content.description.map(text)),
        ("attributes", Some(attributes)),
    ]
}

pub(crate) fn text(text: impl Into<String>) -> AttributeValue {
    AttributeValue::S(text.into())
}

pub(crate) fn integer(number: i64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

fn value(json: Value) -> AttributeValue {
    match json {
        Value::Null => AttributeValue::Null(true),
        Value::Bool(truth) => AttributeValue::Bool(truth),
        Value::Number(number) => AttributeValue::N(number.to_string()),
        Value::String(text) => AttributeValue::S(text),
        Value::Array(items) => AttributeValue::L(items.into_iter().map(value).collect()),
        Value::Object(members) => AttributeValue::M(
            members
                .into_iter()
                .map(|(name, json)| (to_stored(name), value(json)))
                .collect(),
        ),
    }
}

/// The JSON that [`value`] made this of; nothing for what it makes of none.
fn json(value: AttributeValue) -> Option<Value> {
    Some(match value {
        AttributeValue::Null(_) => Value::Null,
        AttributeValue::Bool(truth) => Value::Bool(truth),
        AttributeValue::N(number) => Value::Number(Number::parse(&number)?),
        AttributeValue::S(text) => Value::String(text),
        AttributeValue::L(items) => {
            Value::Array(items.into_iter().map(json).collect::<Option<_>>()?)
        }
        AttributeValue::M(_) => Value::Object(object_of(value)?),
        _ => return None,
    })
}

/// JSON has empty member names and `DynamoDB` has not. So a name of nothing but
/// tildes is stored with one more, the empty name being one of no tildes.
fn to_stored(name: String) -> String {
    if name.bytes().all(|b| b == b'~') {
        name + "~"
    } else {
        name
    }
}

fn from_stored(mut name: String) -> String {
    if name.bytes().all(|b| b == b'~') {
        name.pop();
    }
    name
}

/// The attributes of an item while they are being read.
pub(crate) struct Reader(pub(crate) Item);

impl Reader {
    pub(crate) fn required<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(AttributeValue) -> Option<T>,
    ) -> Result<T, Malformed> {
        let value = self.optional(name, read)?;
        value.ok_or_else(|| self.malformed(name))
    }

    fn optional<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(AttributeValue) -> Option<T>,
    ) -> Result<Option<T>, Malformed> {
        match self.0.remove(name) {
            None => Ok(None),
            Some(value) => read(value).map(Some).ok_or_else(|| self.malformed(name)),
        }
    }

    fn malformed(&self, attribute: &'static str) -> Malformed {
        let id = self.0.get("id").and_then(|id| id.as_s().ok());
        Malformed {
            id: id.cloned().unwrap_or_default(),
            attribute,
        }
    }
}

pub(crate) fn string(value: AttributeValue) -> Option<String> {
    match value {
        AttributeValue::S(text) => Some(text),
        _ => None,
    }
}

fn i64_of(value: AttributeValue) -> Option<i64> {
    match value {
        AttributeValue::N(number) => Number::parse(&number)?.as_i64(),
        _ => None,
    }
}

fn timestamp(value: AttributeValue) -> Option<Timestamp> {
    Timestamp::parse_time_or_date(&string(value)?)
}

fn object_of(value: AttributeValue) -> Option<Object> {
    let AttributeValue::M(members) = value else {
        return None;
    };
    members
        .into_iter()
        .map(|(name, value)| Some((from_stored(name), json(value)?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use dto::Faults;
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Value {
        Value::parse(text.as_bytes(), &mut Faults::new()).unwrap()
    }

    fn number() -> impl Strategy<Value = Value> {
        let text = r"-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,15})?([eE][+-]?[0-9]{1,2})?";
        text.prop_map(|text| parse(&text))
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            number(),
            any::<String>().prop_map(Value::String),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
                members(inner).prop_map(Value::Object),
            ]
        })
    }

    fn members(value: impl Strategy<Value = Value>) -> impl Strategy<Value = Object> {
        let name = prop_oneof!["~{0,3}", any::<String>()];
        prop::collection::btree_map(name, value, 0..4)
    }

    fn product() -> impl Strategy<Value = Stored> {
        let text = any::<String>();
        let description = prop::option::of(any::<String>());
        let words = (text, text, description);
        let numbers = (0..=i64::MAX, 1..=i64::MAX);
        (words, numbers, members(any_json())).prop_map(|(words, numbers, attributes)| {
            let mut stored = Stored::new(
                ProductId::new(),
                ProductContent {
                    name: words.0,
                    category: words.1,
                    price: Money {
                        amount: numbers.0,
                        currency: "DKK".to_owned(),
                    },
                    description: words.2,
                    attributes: Attributes(attributes),
                },
            );
            stored.product.version = numbers.1;
            stored
        })
    }

    /// What `DynamoDB` refuses: an empty name, at any depth.
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
        fn what_comes_out_is_what_went_in(stored in product()) {
            let item = stored.to_item();
            prop_assert!(!item.values().any(has_empty_name));
            prop_assert_eq!(Stored::try_from(item), Ok(stored));
        }
    }

    #[test]
    fn a_number_has_one_spelling_however_the_store_writes_it() {
        let plain = format!("1{}", "0".repeat(125));
        for (sent, stored) in [("1e125", &*plain), ("1e125", "1E+125"), ("0.10", "0.1")] {
            let back = json(AttributeValue::N(stored.to_owned()));
            assert_eq!(back, Some(parse(sent)), "{stored}");
        }
    }

    #[test]
    fn names_of_tildes_stay_apart() {
        let object = parse(r#"{"":0,"~":1,"~~":2,"a~":3}"#);
        let AttributeValue::M(stored) = value(object.clone()) else {
            panic!("an object is a map");
        };
        let mut names: Vec<_> = stored.keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["a~", "~", "~~", "~~~"]);
        assert_eq!(json(AttributeValue::M(stored)), Some(object));
    }

    #[test]
    fn an_item_that_is_no_product_is_named() {
        let content = ProductContent {
            name: "n".to_owned(),
            category: "c".to_owned(),
            price: Money {
                amount: 1,
                currency: "DKK".to_owned(),
            },
            description: None,
            attributes: Attributes::default(),
        };
        let good = Stored::new(ProductId::parse("mug").unwrap(), content).to_item();
        for (attribute, bad) in [
            ("version", text("1")),
            ("amount", AttributeValue::N("0.5".to_owned())),
            ("createdAt", text("yesterday")),
            ("description", AttributeValue::Null(true)),
            ("attributes", AttributeValue::Ss(Vec::new())),
        ] {
            let mut item = good.clone();
            item.insert(attribute.to_owned(), bad);
            let id = "mug".to_owned();
            assert_eq!(Stored::try_from(item), Err(Malformed { id, attribute }));
        }
        assert!(Stored::try_from(Item::new()).is_err());
    }
}
