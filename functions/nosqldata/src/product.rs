//! Products and their rules.
//!
//! Each field is stated once, in [`ProductContent`]: that type reads, stores,
//! patches, returns and documents it.

use dto::{Price, ProductId, catalogue::ProductName};
use dynamodb::Revision;
use json::{FieldErrors, FromJson, MultilineText, Object, Pointer, Schema, Text, ToJson, Value};
use serde::Serialize;

/// A product's category: 1 to 64 characters, none of them a control character.
pub(crate) type Category = Text<1, 64>;

/// A product.
#[derive(Debug, Clone, PartialEq, Serialize, Schema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Product {
    /// The product's id.
    pub(crate) id: ProductId,
    #[serde(flatten)]
    pub(crate) content: ProductContent,
    #[serde(flatten)]
    pub(crate) revision: Revision,
}

impl Product {
    /// A product that is created now, with a generated id.
    pub(crate) fn create(content: ProductContent) -> Self {
        Self {
            id: ProductId::generate(),
            content,
            revision: Revision::first(),
        }
    }
}

/// What a client sends of a product.
#[derive(Debug, Clone, PartialEq, Serialize, FromJson, ToJson, Schema)]
#[serde(rename_all = "camelCase")]
#[json(read_only("id", "version", "createdAt", "updatedAt"))]
#[schema(request = "ProductContent", patch = "ProductPatch")]
pub(crate) struct ProductContent {
    /// The product's name.
    pub(crate) name: ProductName,
    /// The product's category.
    pub(crate) category: Category,
    /// The price of one.
    pub(crate) price: Price,
    /// A text, in which line feeds and tabs are allowed; absent if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<MultilineText<0, 2_000>>,
    /// Further properties, without a fixed schema.
    pub(crate) attributes: Attributes,
}

/// Any JSON object that `DynamoDB` can hold beside the other members; `{}` where
/// it is absent.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub(crate) struct Attributes(Object);

impl Attributes {
    /// The most bytes, as compact JSON.
    const MAX_BYTES: usize = 16 * 1024;

    /// The most levels: the object itself is level 1, an object or array in it is
    /// level 2; scalars do not count.
    const MAX_LEVELS: usize = 16;
}

impl FromJson for Attributes {
    fn from_json(value: Value, at: &Pointer<'_>, errors: &mut FieldErrors) -> Option<Self> {
        let mut valid = check_value(&value, at, 1, errors);
        let Value::Object(object) = value else {
            errors.add(at, format!("must be an object, not {}", value.kind()));
            return None;
        };
        // Writing to memory cannot fail.
        let bytes = serde_json::to_vec(&object).map_or(usize::MAX, |json| json.len());
        if bytes > Self::MAX_BYTES {
            let rule = format!(
                "must have at most {} bytes of compact JSON",
                Self::MAX_BYTES
            );
            errors.add(at, rule);
            valid = false;
        }
        valid.then_some(Self(object))
    }

    fn absent() -> Option<Self> {
        Some(Self::default())
    }
}

impl ToJson for Attributes {
    fn to_json(&self) -> Option<Value> {
        Some(Value::Object(self.0.clone()))
    }
}

impl Schema for Attributes {
    fn schema(components: &mut json::schema::Components) -> json::schema::Json {
        components.named("Attributes", |_| {
            json::schema::json!({
                "type": "object",
                "description": "Any JSON object of at most 16 KiB as compact JSON and 16 levels. \
                                Numbers have at most 38 significant digits and are exact.",
            })
        })
    }
}

/// Whether `DynamoDB` can hold `value`. Reports each part that it cannot.
fn check_value(value: &Value, at: &Pointer<'_>, level: usize, errors: &mut FieldErrors) -> bool {
    let is_nested = matches!(value, Value::Object(_) | Value::Array(_));
    if is_nested && level > Attributes::MAX_LEVELS {
        let rule = format!("must nest at most {} levels", Attributes::MAX_LEVELS);
        errors.add(at, rule);
        return false;
    }
    match value {
        Value::Number(number)
            if number.significant_digits() > 38 || !(-130..=125).contains(&number.magnitude()) =>
        {
            let rule =
                "must have at most 38 significant digits and a magnitude of 1e-130 to 9.99e125";
            errors.add(at, rule);
            false
        }
        Value::Object(members) => members.iter().fold(true, |valid, (name, value)| {
            check_value(value, &at.member(name), level + 1, errors) && valid
        }),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .fold(true, |valid, (index, value)| {
                check_value(value, &at.item(index), level + 1, errors) && valid
            }),
        Value::Null | Value::Bool(_) | Value::String(_) | Value::Number(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Value {
        Value::parse(text.as_bytes(), &mut FieldErrors::new()).unwrap()
    }

    /// The content, or where its errors are.
    fn read(text: &str) -> Result<ProductContent, Vec<String>> {
        let mut errors = FieldErrors::new();
        json::read(parse(text), &mut errors).ok_or_else(|| pointers(errors))
    }

    fn pointers(errors: FieldErrors) -> Vec<String> {
        let errors = serde_json::to_value(errors.into_vec()).unwrap();
        let errors = errors.as_array().unwrap().iter();
        errors
            .map(|error| error["pointer"].as_str().unwrap().to_owned())
            .collect()
    }

    #[test]
    fn every_error_is_reported() {
        let errors = read(
            r#"{"id":"x","name":"","category":7,"price":{"amount":-1,"currency":"dkk","vat":1},
                "description":"a\u0000b","attributes":{"n":1e126,"deep":[0.1]},"bogus":null}"#,
        );
        assert_eq!(
            errors.unwrap_err(),
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

    fn product(name: &str, amount: i64, attributes: &str) -> Result<ProductContent, Vec<String>> {
        read(&format!(
            r#"{{"name":"{name}","category":"c","price":{{"amount":{amount},"currency":"DKK"}},"attributes":{attributes}}}"#,
        ))
    }

    #[test]
    fn numbers_that_dynamodb_cannot_hold_are_refused() {
        let with = |number: &str| product("n", 1, &format!(r#"{{"a":[{number}]}}"#));
        for good in [
            "0",
            "12345678901234567890123456789012345678",
            "1e125",
            "-9.99e125",
            "1e-130",
        ] {
            assert!(with(good).is_ok(), "{good}");
        }
        for bad in [
            "123456789012345678901234567890123456789",
            "1e126",
            "1e-131",
            "1e999",
        ] {
            assert_eq!(with(bad).unwrap_err(), ["/attributes/a/0"], "{bad}");
        }
    }

    #[test]
    fn attributes_are_an_object() {
        for bad in ["[]", "null", "1", "[1e126]"] {
            assert!(product("n", 1, bad).is_err(), "{bad}");
        }
        let content = read(r#"{"name":"n","category":"c","price":{"amount":1,"currency":"DKK"}}"#);
        assert_eq!(content.unwrap().attributes, Attributes::default());
    }

    #[test]
    fn a_patch_may_name_only_what_a_client_may_set() {
        let patch =
            parse(r#"{"version":null,"price":{"vat":null},"colour":1,"attributes":{"x":1}}"#);
        let mut errors = FieldErrors::new();
        ProductContent::check_patch(&patch, &Pointer::root(), &mut errors);
        assert_eq!(pointers(errors), ["/colour", "/version", "/price/vat"]);
    }

    #[test]
    fn a_product_is_written_with_its_members_in_order() {
        let content = read(
            r#"{"name":"n","category":"c","price":{"amount":1,"currency":"DKK"},"description":"d",
                "attributes":{"digits":12345678901234567890123456789012345678}}"#,
        );
        let mut product = Product::create(content.unwrap());
        product.id = ProductId::parse("mug").unwrap();
        product.revision.etag = "not written".to_owned();
        let written = serde_json::to_string(&product).unwrap();
        let now = product.revision.created_at;
        assert_eq!(
            written,
            format!(
                r#"{{"id":"mug","name":"n","category":"c","price":{{"amount":1,"currency":"DKK"}},"description":"d","attributes":{{"digits":12345678901234567890123456789012345678}},"version":1,"createdAt":"{now}","updatedAt":"{now}"}}"#
            )
        );
    }

    fn any_content() -> impl Strategy<Value = String> {
        let text = |pattern: &'static str| {
            pattern.prop_map(|text: String| serde_json::to_string(&text).unwrap())
        };
        let description = prop::option::of(text(r"[^\p{Cc}]{0,9}"));
        let attributes = prop::collection::btree_map(any::<String>(), any::<i64>(), 0..4);
        let fields = (
            text(r"[^\p{Cc}]{1,9}"),
            0..=10_000_000_000_i64,
            description,
            attributes,
        );
        fields.prop_map(|(name, amount, description, attributes)| {
            let attributes = serde_json::to_string(&attributes).unwrap();
            let description = description.map(|text| format!(r#""description":{text},"#));
            format!(
                r#"{{"name":{name},"category":{name},"price":{{"amount":{amount},"currency":"DKK"}},{}"attributes":{attributes}}}"#,
                description.unwrap_or_default()
            )
        })
    }

    proptest! {
        /// What is stored, merged and returned is what was sent.
        #[test]
        fn writing_and_reading_again_is_the_identity(text in any_content()) {
            let content = read(&text).unwrap();
            let json = content.to_json().unwrap();
            prop_assert_eq!(&json, &parse(&text));
            prop_assert_eq!(&parse(&serde_json::to_string(&content).unwrap()), &json);
            let again = json::read::<ProductContent>(json, &mut FieldErrors::new());
            prop_assert_eq!(again, Some(content));
        }
    }
}
