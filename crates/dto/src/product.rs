//! The catalogue's products.

use std::{fmt, ops::RangeInclusive};

use serde::{Deserialize, Serialize};

use crate::{
    Faults, Money, Pointer, Timestamp,
    json::{Object, Value},
    read::{Fields, Lines, refuse_unknown, text},
};

/// The length of a product's name, in characters.
pub const NAME_LENGTH: RangeInclusive<usize> = 1..=200;

/// The length of a product's category, in characters.
pub const CATEGORY_LENGTH: RangeInclusive<usize> = 1..=64;

/// The length of a product's description, in characters.
pub const DESCRIPTION_LENGTH: RangeInclusive<usize> = 0..=2_000;

/// The length of a product's id, in bytes.
pub const ID_LENGTH: RangeInclusive<usize> = 1..=64;

/// The most bytes of a product's `attributes`, as compact JSON.
pub const MOST_ATTRIBUTE_BYTES: usize = 16 * 1024;

/// The most levels of a product's `attributes`: the object itself is level 1,
/// an object or array in it is level 2, and scalars do not count.
pub const MOST_ATTRIBUTE_LEVELS: usize = 16;

/// What a client may set.
const FIELDS: [&str; 5] = ["name", "category", "price", "description", "attributes"];

/// What the service sets.
const SET_BY_THE_SERVICE: [&str; 4] = ["id", "version", "createdAt", "updatedAt"];

/// A product's id: 1–64 of `A-Z a-z 0-9 . _ -`, beginning with a letter or a
/// digit. A `UUIDv7` where the service makes it, anything of that form where a
/// client does, by `PUT`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(value_type = String, pattern = "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", min_length = 1, max_length = 64))]
pub struct ProductId(String);

impl ProductId {
    /// What an id must be, in words for the person who sent another.
    pub const RULE: &'static str =
        "must be 1 to 64 of A-Z a-z 0-9 . _ - and begin with a letter or a digit";

    /// Reads an id, or nothing if no product can have it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let inside = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        let first = text.bytes().next()?;
        (ID_LENGTH.contains(&text.len())
            && first.is_ascii_alphanumeric()
            && text.bytes().all(inside))
        .then(|| Self(text.to_owned()))
    }

    /// A new one: a `UUIDv7` of now.
    #[must_use]
    pub fn new() -> Self {
        Self(uuid::Uuid::now_v7().to_string())
    }

    /// Reads an id that stands in a body.
    pub fn read(value: &Value, at: &Pointer<'_>, faults: &mut Faults) -> Option<Self> {
        let id = match value {
            Value::String(text) => Self::parse(text),
            _ => None,
        };
        if id.is_none() {
            faults.body(at, Self::RULE);
        }
        id
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// For what is deserialised, such as a cursor's position, which anyone can
/// write: it holds no other ids than [`ProductId::parse`] gives.
impl TryFrom<String> for ProductId {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or(Self::RULE)
    }
}

impl Default for ProductId {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for ProductId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A product, as the catalogue answers it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Product {
    /// The product's id.
    pub id: ProductId,
    /// Its name: 1–200 characters.
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 200))]
    pub name: String,
    /// Its category: 1–64 characters.
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 64))]
    pub category: String,
    /// What one costs.
    pub price: Money,
    /// At most 2,000 characters; absent if there is none.
    #[cfg_attr(feature = "openapi", schema(max_length = 2_000, nullable = false))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whatever else is known of it: what a relational schema would not take.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub attributes: Attributes,
    /// 1 when it is made, and one more with every write.
    #[cfg_attr(feature = "openapi", schema(minimum = 1))]
    pub version: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last written.
    pub updated_at: Timestamp,
}

/// What a client says of a product, by `POST` and `PUT`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProductContent {
    /// 1–200 characters without control characters.
    pub name: String,
    /// 1–64 characters without control characters.
    pub category: String,
    /// What one costs.
    pub price: Money,
    /// At most 2,000 characters; line feeds and tabs may stand in it.
    pub description: Option<String>,
    /// Any JSON object within [`Attributes`]' bounds; `{}` where absent.
    pub attributes: Attributes,
}

impl ProductContent {
    /// Reads a product from a request's body.
    pub fn read(value: &Value, faults: &mut Faults) -> Option<Self> {
        let root = Pointer::root();
        let mut fields = Fields::of(value, &root, faults)?;
        let name = fields.required("name", faults, |value, at, faults| {
            text(value, at, faults, NAME_LENGTH, Lines::One)
        });
        let category = fields.required("category", faults, category);
        let price = fields.required("price", faults, Money::read);
        let description = fields.optional("description", faults, |value, at, faults| {
            text(value, at, faults, DESCRIPTION_LENGTH, Lines::Many)
        });
        let attributes = fields.optional("attributes", faults, Attributes::read);
        fields.finish(&FIELDS, &SET_BY_THE_SERVICE, faults);
        Some(Self {
            name: name?,
            category: category?,
            price: price?,
            description: description?,
            attributes: attributes?.unwrap_or_default(),
        })
    }

    /// The content as the JSON that [`ProductContent::read`] reads: what a
    /// merge patch is applied to.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut object = Object::from([
            ("name".to_owned(), self.name.as_str().into()),
            ("category".to_owned(), self.category.as_str().into()),
            ("price".to_owned(), self.price.to_json()),
            (
                "attributes".to_owned(),
                Value::Object(self.attributes.0.clone()),
            ),
        ]);
        if let Some(description) = &self.description {
            object.insert("description".to_owned(), description.as_str().into());
        }
        Value::Object(object)
    }
}

impl From<Product> for ProductContent {
    fn from(product: Product) -> Self {
        Self {
            name: product.name,
            category: product.category,
            price: product.price,
            description: product.description,
            attributes: product.attributes,
        }
    }
}

fn category(value: &Value, at: &Pointer<'_>, faults: &mut Faults) -> Option<String> {
    text(value, at, faults, CATEGORY_LENGTH, Lines::One)
}

/// A merge patch of a product (RFC 7396), with the faults out of it that show
/// without the product: it is an object, and names nothing unknown or not the
/// client's to set. What the product becomes is checked once it is merged.
#[derive(Debug, Clone)]
pub struct ProductPatch(Value);

impl ProductPatch {
    /// Reads a merge patch from a request's body.
    pub fn read(value: &Value, faults: &mut Faults) -> Option<Self> {
        let root = Pointer::root();
        let fields = Fields::of(value, &root, faults)?;
        fields.finish(&FIELDS, &SET_BY_THE_SERVICE, faults);
        if let Value::Object(patch) = value
            && let Some(Value::Object(price)) = patch.get("price")
        {
            let at = root.member("price");
            refuse_unknown(price, &at, &["amount", "currency"], &[], faults);
        }
        Some(Self(value.clone()))
    }

    /// What becomes of `content` by this patch, or `None` with the faults of
    /// the result.
    pub fn apply(self, content: &ProductContent, faults: &mut Faults) -> Option<ProductContent> {
        let mut merged = content.to_json();
        merged.merge(self.0);
        ProductContent::read(&merged, faults)
    }
}

/// A product's `attributes`: any JSON object of at most 16 KiB as compact JSON
/// and 16 levels, with numbers of at most 38 significant digits and a magnitude
/// of 1e-130 to 9.99e125.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(value_type = Object))]
pub struct Attributes(pub Object);

impl Attributes {
    /// Reads attributes from a request's body.
    pub fn read(value: &Value, at: &Pointer<'_>, faults: &mut Faults) -> Option<Self> {
        let Value::Object(object) = value else {
            faults.body(at, format!("must be an object, not {}", value.kind()));
            return None;
        };
        let mut sound = check_inside(value, at, 1, faults);
        // Writing to memory cannot fail, and what could not be measured is not
        // small enough.
        let bytes = serde_json::to_vec(value).map_or(usize::MAX, |json| json.len());
        if bytes > MOST_ATTRIBUTE_BYTES {
            let most = MOST_ATTRIBUTE_BYTES;
            faults.body(at, format!("must be at most {most} bytes of compact JSON"));
            sound = false;
        }
        sound.then(|| Self(object.clone()))
    }
}

fn check_inside(value: &Value, at: &Pointer<'_>, level: usize, faults: &mut Faults) -> bool {
    if level > MOST_ATTRIBUTE_LEVELS && matches!(value, Value::Object(_) | Value::Array(_)) {
        faults.body(
            at,
            format!("must nest at most {MOST_ATTRIBUTE_LEVELS} levels"),
        );
        return false;
    }
    match value {
        Value::Number(number) if !number.fits_dynamodb() => {
            faults.body(
                at,
                "must have at most 38 significant digits and a magnitude of 1e-130 to 9.99e125",
            );
            false
        }
        Value::Object(object) => object.iter().fold(true, |sound, (name, value)| {
            check_inside(value, &at.member(name), level + 1, faults) && sound
        }),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .fold(true, |sound, (index, value)| {
                check_inside(value, &at.item(index), level + 1, faults) && sound
            }),
        _ => true,
    }
}

/// A page of the catalogue: the answer of `GET /nosqldata`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProductPage {
    /// `NoSql Data`.
    pub message: String,
    /// The products of this page.
    pub items: Vec<Product>,
    /// Where the next page begins; `null` at the end.
    pub next_cursor: Option<String>,
}

/// Products by their ids: the answer of `GET /nosqldata?ids=`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProductBatch {
    /// `NoSql Data`.
    pub message: String,
    /// Those that exist, in the order they were asked for.
    pub items: Vec<Product>,
    /// The ids that no product has, in the order they were asked for.
    pub missing: Vec<ProductId>,
    /// Always `null`: a batch has one page.
    pub next_cursor: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<ProductContent, Vec<String>> {
        let mut faults = Faults::new();
        let value = Value::parse(text.as_bytes(), &mut faults).unwrap();
        let content = ProductContent::read(&value, &mut faults);
        if faults.is_empty() {
            Ok(content.unwrap())
        } else {
            Err(pointers(faults))
        }
    }

    fn pointers(faults: Faults) -> Vec<String> {
        let faults = serde_json::to_value(faults.into_vec()).unwrap();
        let pointers = faults.as_array().unwrap().iter();
        pointers
            .map(|f| f["pointer"].as_str().unwrap().to_owned())
            .collect()
    }

    #[test]
    fn every_fault_is_found_at_once() {
        let faults = read(
            r#"{"id":"x","name":"","category":7,"price":{"amount":-1,"currency":"dkk","vat":1},
                "description":"a\u0000b","attributes":{"n":1e126,"deep":[0.1]},"bogus":null}"#,
        );
        assert_eq!(
            faults.unwrap_err(),
            [
                "/name",
                "/category",
                "/price/amount",
                "/price/currency",
                "/price/vat",
                "/description",
                "/attributes/n",
                "/bogus",
                "/id"
            ],
        );
        assert_eq!(read("{}").unwrap_err(), ["/name", "/category", "/price"]);
        assert_eq!(read("[]").unwrap_err(), [""]);
    }

    #[test]
    fn bounds_hold_at_their_edges() {
        let product = |name: &str, attributes: &str| {
            read(&format!(
                r#"{{"name":"{name}","category":"c","price":{{"amount":10000000000,"currency":"DKK"}},"attributes":{attributes}}}"#,
            ))
        };
        assert!(product(&"é".repeat(200), "{}").is_ok());
        assert!(product(&"é".repeat(201), "{}").is_err());
        let levels = |n: usize| format!("{}{}", r#"{"a":"#.repeat(n - 1) + "{}", "}".repeat(n - 1));
        assert!(product("n", &levels(16)).is_ok());
        assert!(product("n", &levels(17)).is_err());
        let bytes = |n: usize| format!(r#"{{"a":"{}"}}"#, "x".repeat(n - 8));
        assert!(product("n", &bytes(MOST_ATTRIBUTE_BYTES)).is_ok());
        assert!(product("n", &bytes(MOST_ATTRIBUTE_BYTES + 1)).is_err());
    }

    #[test]
    fn ids_that_no_product_can_have_are_refused() {
        for good in ["a", "0", "A.b_c-d", &"x".repeat(64)] {
            assert!(ProductId::parse(good).is_some(), "{good}");
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
            assert!(ProductId::parse(bad).is_none(), "{bad}");
        }
        assert!(ProductId::parse(ProductId::new().as_str()).is_some());
    }

    #[test]
    fn a_patch_is_checked_before_and_after_it_is_merged() {
        let patch = |text: &str| {
            let mut faults = Faults::new();
            let value = Value::parse(text.as_bytes(), &mut faults).unwrap();
            let patch = ProductPatch::read(&value, &mut faults);
            if faults.is_empty() {
                Ok(patch.unwrap())
            } else {
                Err(pointers(faults))
            }
        };
        let bad = patch(r#"{"version":null,"price":{"vat":null},"colour":1}"#);
        assert_eq!(bad.unwrap_err(), ["/colour", "/version", "/price/vat"]);

        let content = read(
            r#"{"name":"n","category":"c","price":{"amount":1,"currency":"DKK"},"description":"d","attributes":{"a":1,"b":2}}"#,
        )
        .unwrap();
        let mut faults = Faults::new();
        let good = patch(r#"{"price":{"amount":2},"description":null,"attributes":{"a":null}}"#);
        let merged = good.unwrap().apply(&content, &mut faults).unwrap();
        assert!(faults.is_empty());
        assert_eq!(merged.price.amount, 2);
        assert_eq!(merged.description, None);
        assert_eq!(
            serde_json::to_string(&merged.attributes).unwrap(),
            r#"{"b":2}"#
        );

        let removed = patch(r#"{"name":null,"category":""}"#).unwrap();
        assert!(removed.apply(&content, &mut faults).is_none());
        assert_eq!(pointers(faults), ["/name", "/category"]);
    }
}
