//! The sample data, so that there is something to look at. `samples/` has it as
//! the API has it; here it becomes what the stores hold.

use std::collections::HashMap;

use anyhow::{Context, Result, ensure};
use aws_sdk_dynamodb::{
    Client,
    types::{AttributeValue, PutRequest, WriteRequest},
};
use mysql_async::{TxOpts, prelude::Queryable};
use serde_json::{Map, Value, json};

use crate::mysql;

/// The time at which every sample product was created.
const CREATED_AT: &str = "2026-11-01T08:00:00.000Z";

/// The most items of one `BatchWriteItem`.
const BATCH: usize = 25;

/// The sample catalogue: products with their ids.
const PRODUCTS: &str = include_str!("../samples/products.json");

/// The sample orders with their ids, statuses, times and priced lines.
const ORDERS: &str = include_str!("../samples/orders.json");

/// Inserts [`ORDERS`], each with the version that it has after the fewest moves.
const INSERT_ORDERS: &str = r"
    INSERT INTO orders (id, customer, status, currency, quantity, total, pricing, version,
                        created_at, updated_at, owner)
    SELECT UNHEX(REPLACE(id, '-', '')), MAX(customer), MAX(status),
           MAX(currency), SUM(quantity), SUM(quantity * amount), 'live',
           CASE MAX(status) WHEN 'placed' THEN 1 WHEN 'shipped' THEN 3 ELSE 2 END,
           MAX(TRIM(TRAILING 'Z' FROM created_at)),
           MAX(TRIM(TRAILING 'Z' FROM updated_at)), 'sample'
    FROM JSON_TABLE(?, '$[*]' COLUMNS (
        id CHAR(36) PATH '$.id', customer VARCHAR(200) PATH '$.customer',
        status VARCHAR(16) PATH '$.status', created_at CHAR(24) PATH '$.createdAt',
        updated_at CHAR(24) PATH '$.updatedAt',
        NESTED PATH '$.lines[*]' COLUMNS (
            quantity BIGINT PATH '$.quantity', amount BIGINT PATH '$.unitPrice.amount',
            currency CHAR(3) PATH '$.unitPrice.currency'))) AS sample
    GROUP BY id";

/// Inserts the lines of [`ORDERS`].
const INSERT_LINES: &str = r"
    INSERT INTO order_lines (order_id, position, product_id, name, quantity, unit_price)
    SELECT UNHEX(REPLACE(id, '-', '')), position - 1, product_id, name, quantity, amount
    FROM JSON_TABLE(?, '$[*]' COLUMNS (
        id CHAR(36) PATH '$.id',
        NESTED PATH '$.lines[*]' COLUMNS (
            position FOR ORDINALITY, product_id VARCHAR(64) PATH '$.productId',
            name VARCHAR(200) PATH '$.name', quantity BIGINT PATH '$.quantity',
            amount BIGINT PATH '$.unitPrice.amount'))) AS sample";

/// Inserts the sample catalogue into the `DynamoDB` table `table` if that is
/// empty. Returns the number of products inserted.
///
/// # Errors
/// The store is unavailable or rejects a product.
pub async fn insert_products(client: &Client, table: &str) -> Result<usize> {
    let found = client.scan().table_name(table).limit(1).send().await?;
    if found.count() > 0 {
        return Ok(0);
    }
    let products: Vec<Map<String, Value>> =
        serde_json::from_str(PRODUCTS).context("samples/products.json")?;
    for batch in products.chunks(BATCH) {
        let requests = batch.iter().map(|product| {
            let put = PutRequest::builder().set_item(Some(item(product.clone())));
            Ok(WriteRequest::builder().put_request(put.build()?).build())
        });
        let requests = requests.collect::<Result<Vec<_>>>()?;
        let write = client.batch_write_item().request_items(table, requests);
        let unprocessed = write.send().await?.unprocessed_items;
        ensure!(
            unprocessed.is_none_or(|items| items.is_empty()),
            "DynamoDB throttles the sample products: try again later with --fresh"
        );
    }
    Ok(products.len())
}

/// A product as the table has it: its members and those that the service sets.
fn item(mut product: Map<String, Value>) -> HashMap<String, AttributeValue> {
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

fn attributes(members: Map<String, Value>) -> HashMap<String, AttributeValue> {
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

/// Inserts the sample orders into the `MySQL` database of `url` if it has none,
/// all or nothing. Returns the number of orders inserted.
///
/// # Errors
/// The store is unavailable, or its tables are not those of the migrations.
pub async fn insert_orders(url: &str) -> Result<u64> {
    let mut connection = mysql::connect(mysql::options(url)?).await?;
    let mut transaction = connection.start_transaction(TxOpts::default()).await?;
    let found: Option<u8> = transaction
        .query_first("SELECT 1 FROM orders LIMIT 1")
        .await?;
    let mut inserted = 0;
    if found.is_none() {
        transaction.exec_drop(INSERT_ORDERS, (ORDERS,)).await?;
        inserted = transaction.affected_rows();
        transaction.exec_drop(INSERT_LINES, (ORDERS,)).await?;
    }
    transaction.commit().await?;
    connection.disconnect().await?;
    Ok(inserted)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use time::{OffsetDateTime, format_description::well_known::Rfc3339};
    use uuid::Uuid;

    use super::*;

    fn samples(text: &str) -> Vec<Value> {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn sample_orders_have_names_and_prices_of_the_catalogue() {
        let products = samples(PRODUCTS).into_iter();
        let products: HashMap<_, _> = products
            .map(|product| (product["id"].to_string(), product))
            .collect();
        assert_eq!(
            products.len(),
            samples(PRODUCTS).len(),
            "an id is duplicate"
        );
        for order in samples(ORDERS) {
            for line in order["lines"].as_array().unwrap() {
                let product = &products[&line["productId"].to_string()];
                assert_eq!(
                    (&line["name"], &line["unitPrice"]),
                    (&product["name"], &product["price"])
                );
            }
        }
    }

    #[test]
    fn sample_orders_have_ids_of_their_times() {
        for order in samples(ORDERS) {
            let created = order["createdAt"].as_str().unwrap();
            let created = OffsetDateTime::parse(created, &Rfc3339).unwrap();
            let id = Uuid::parse_str(order["id"].as_str().unwrap()).unwrap();
            let (seconds, nanoseconds) = id.get_timestamp().unwrap().to_unix();
            assert_eq!(i64::try_from(seconds).unwrap(), created.unix_timestamp());
            assert_eq!(nanoseconds, created.nanosecond());
        }
    }
}
