// region: nosqldata
//! The sample catalogue.

use anyhow::{Context, Result};
use aws_sdk_dynamodb::{Client, types::AttributeValue};
use serde_json::{Map, Value, json};

use crate::dynamodb::{Item, put_all};

/// The time at which every sample product was created.
const CREATED_AT: &str = "2026-11-01T08:00:00.000Z";

/// The sample catalogue: products with their ids.
pub(super) const PRODUCTS: &str = include_str!("../../samples/nosqldata.json");

/// Inserts the sample catalogue into the `DynamoDB` table `table` if that is
/// empty. Returns the number of products inserted.
///
/// # Errors
/// The store is unavailable or rejects a product.
pub async fn insert(client: &Client, table: &str) -> Result<usize> {
    let found = client.scan().table_name(table).limit(1).send().await?;
    if found.count() > 0 {
        return Ok(0);
    }
    let products: Vec<Map<String, Value>> =
        serde_json::from_str(PRODUCTS).context("samples/nosqldata.json")?;
    let items = products.iter().cloned().map(item);
    put_all(client, table, items).await?;
    Ok(products.len())
}

/// A product as the table has it: its members and those that the service sets.
fn item(mut product: Map<String, Value>) -> Item {
    let id = product
        .get("id")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let etag = format!("sample-{id}");
    let set_by_the_service = [
        ("version", json!(1)),
        ("etag", json!(etag)),
        ("createdAt", json!(CREATED_AT)),
        ("updatedAt", json!(CREATED_AT)),
    ];
    product.extend(set_by_the_service.map(|(name, value)| (name.to_owned(), value)));
    attributes(product)
}

fn attributes(members: Map<String, Value>) -> Item {
    let members = members.into_iter();
    members.map(|(name, it)| (name, attribute(it))).collect()
}

fn attribute(json: Value) -> AttributeValue {
    match json {
        Value::Null => AttributeValue::Null(true),
        Value::Bool(truth) => AttributeValue::Bool(truth),
        Value::Number(number) => AttributeValue::N(number.to_string()),
        Value::String(text) => AttributeValue::S(text),
        Value::Array(items) => AttributeValue::L(items.into_iter().map(attribute).collect()),
        Value::Object(members) => AttributeValue::M(attributes(members)),
    }
}
// endregion
