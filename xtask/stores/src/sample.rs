//! The sample catalogue and orders, so that there is something to look at.

use std::collections::HashMap;

use anyhow::{Context, Result, bail};
use aws_sdk_dynamodb::{
    Client,
    types::{AttributeValue, PutRequest, WriteRequest},
};
use mysql_async::{TxOpts, Value, prelude::Queryable};
use serde::Deserialize;
use uuid::Uuid;

use crate::mysql;

/// When every sample product was made.
const PRODUCTS_CREATED_AT: &str = "2026-11-01T08:00:00.000Z";

/// What one `BatchWriteItem` takes.
const BATCH: usize = 25;

/// A product as `samples/products.json` has it, which is as the API takes it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Product {
    /// Its id, readable so that it is easy to type.
    pub id: String,
    /// What a person calls it.
    pub name: String,
    /// What it is listed under.
    pub category: String,
    /// What one costs.
    pub price: Money,
    /// A sentence or two about it.
    pub description: Option<String>,
    /// What is particular to its kind.
    pub attributes: serde_json::Map<String, serde_json::Value>,
}

/// An amount in the minor units of its currency.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Money {
    /// How many minor units, such as øre.
    pub amount: i64,
    /// ISO 4217.
    pub currency: String,
}

/// An order as `samples/orders.json` has it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Order {
    /// A `UUIDv7` of the time in `created_at`.
    pub id: Uuid,
    /// Who ordered.
    pub customer: String,
    /// How far it has come.
    pub status: Status,
    /// What was ordered.
    pub lines: Vec<Line>,
    /// RFC 3339, UTC, milliseconds.
    pub created_at: String,
    /// RFC 3339, UTC, milliseconds.
    pub updated_at: String,
}

/// The status of an order.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// As every order begins.
    Placed,
    /// From placed.
    Paid,
    /// From paid.
    Shipped,
    /// From placed or paid.
    Cancelled,
}

impl Status {
    fn name(self) -> &'static str {
        match self {
            Self::Placed => "placed",
            Self::Paid => "paid",
            Self::Shipped => "shipped",
            Self::Cancelled => "cancelled",
        }
    }

    /// The version of an order that went straight here: one more a move.
    fn version(self) -> i64 {
        match self {
            Self::Placed => 1,
            Self::Paid | Self::Cancelled => 2,
            Self::Shipped => 3,
        }
    }
}

/// One line of an order, with the name and price of that time.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Line {
    /// The product's id.
    pub product_id: String,
    /// The product's name then.
    pub name: String,
    /// How many.
    pub quantity: i64,
    /// What one cost then.
    pub unit_price: Money,
}

impl Order {
    fn currency(&self) -> &str {
        self.lines
            .first()
            .map_or("", |line| &line.unit_price.currency)
    }

    fn quantity(&self) -> i64 {
        self.lines.iter().map(|line| line.quantity).sum()
    }

    fn total(&self) -> i64 {
        (self.lines.iter())
            .map(|line| line.quantity * line.unit_price.amount)
            .sum()
    }
}

/// The sample catalogue.
///
/// # Errors
/// The file that is compiled in is not of its form.
pub fn products() -> Result<Vec<Product>> {
    serde_json::from_str(include_str!("../samples/products.json")).context("samples/products.json")
}

/// The sample orders, oldest first.
///
/// # Errors
/// As for [`products`].
pub fn orders() -> Result<Vec<Order>> {
    serde_json::from_str(include_str!("../samples/orders.json")).context("samples/orders.json")
}

/// Puts the sample catalogue into the `DynamoDB` table `table` if that is
/// empty, and returns how many products it put.
///
/// # Errors
/// The store does not answer or refuses.
pub async fn insert_products(client: &Client, table: &str) -> Result<usize> {
    let found = client.scan().table_name(table).limit(1).send().await?;
    if found.count() > 0 {
        return Ok(0);
    }
    let products = products()?;
    for batch in products.chunks(BATCH) {
        let requests = batch
            .iter()
            .map(|product| {
                let put = PutRequest::builder()
                    .set_item(Some(item(product)))
                    .build()?;
                Ok(WriteRequest::builder().put_request(put).build())
            })
            .collect::<Result<Vec<_>>>()?;
        write(client, HashMap::from([(table.to_owned(), requests)])).await?;
    }
    Ok(products.len())
}

/// Writes a batch, and what the store did not get to once more until it has.
async fn write(client: &Client, mut requests: HashMap<String, Vec<WriteRequest>>) -> Result<()> {
    for _ in 0..10 {
        let answer = client
            .batch_write_item()
            .set_request_items(Some(requests))
            .send()
            .await?;
        requests = answer.unprocessed_items.unwrap_or_default();
        if requests.is_empty() {
            return Ok(());
        }
    }
    bail!("DynamoDB leaves sample products unwritten; try again later")
}

/// The product as the service stores it.
fn item(product: &Product) -> HashMap<String, AttributeValue> {
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let mut item = HashMap::from([
        ("id", text(&product.id)),
        ("name", text(&product.name)),
        ("category", text(&product.category)),
        (
            "amount",
            AttributeValue::N(product.price.amount.to_string()),
        ),
        ("currency", text(&product.price.currency)),
        ("attributes", map(&product.attributes)),
        ("version", AttributeValue::N("1".to_owned())),
        ("etag", text(&format!("sample-{}", product.id))),
        ("createdAt", text(PRODUCTS_CREATED_AT)),
        ("updatedAt", text(PRODUCTS_CREATED_AT)),
    ]);
    if let Some(description) = &product.description {
        item.insert("description", text(description));
    }
    item.into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

fn map(members: &serde_json::Map<String, serde_json::Value>) -> AttributeValue {
    let members = members.iter();
    AttributeValue::M(
        members
            .map(|(name, it)| (name.clone(), value(it)))
            .collect(),
    )
}

fn value(json: &serde_json::Value) -> AttributeValue {
    match json {
        serde_json::Value::Null => AttributeValue::Null(true),
        serde_json::Value::Bool(truth) => AttributeValue::Bool(*truth),
        serde_json::Value::Number(number) => AttributeValue::N(number.to_string()),
        serde_json::Value::String(text) => AttributeValue::S(text.clone()),
        serde_json::Value::Array(elements) => {
            AttributeValue::L(elements.iter().map(value).collect())
        }
        serde_json::Value::Object(members) => map(members),
    }
}

/// Puts the sample orders into the `MySQL` database of `url` if it has none,
/// all or nothing, and returns how many it put.
///
/// # Errors
/// The store does not answer, or its tables are not those of the migrations.
pub async fn insert_orders(url: &str) -> Result<usize> {
    let mut connection = mysql::connect(mysql::options(url)?).await?;
    let mut transaction = connection.start_transaction(TxOpts::default()).await?;
    let found: Option<i64> = transaction
        .query_first("SELECT 1 FROM orders LIMIT 1")
        .await?;
    let orders = if found.is_none() {
        orders()?
    } else {
        Vec::new()
    };
    if !orders.is_empty() {
        let rows: Vec<_> = orders.iter().map(order_row).collect();
        transaction
            .exec_drop(insert("orders", &ORDER_COLUMNS, rows.len()), rows.concat())
            .await?;
        let rows: Vec<_> = orders.iter().flat_map(line_rows).collect();
        transaction
            .exec_drop(
                insert("order_lines", &LINE_COLUMNS, rows.len()),
                rows.concat(),
            )
            .await?;
    }
    transaction.commit().await?;
    connection.disconnect().await?;
    Ok(orders.len())
}

const ORDER_COLUMNS: [&str; 10] = [
    "id",
    "customer",
    "status",
    "currency",
    "quantity",
    "total",
    "pricing",
    "version",
    "created_at",
    "updated_at",
];

fn order_row(order: &Order) -> Vec<Value> {
    vec![
        order.id.as_bytes().into(),
        order.customer.as_str().into(),
        order.status.name().into(),
        order.currency().into(),
        order.quantity().into(),
        order.total().into(),
        "live".into(),
        order.status.version().into(),
        date_time(&order.created_at).into(),
        date_time(&order.updated_at).into(),
    ]
}

const LINE_COLUMNS: [&str; 6] = [
    "order_id",
    "position",
    "product_id",
    "name",
    "quantity",
    "unit_price",
];

fn line_rows(order: &Order) -> impl Iterator<Item = Vec<Value>> {
    order.lines.iter().zip(0_i64..).map(|(line, position)| {
        vec![
            order.id.as_bytes().into(),
            position.into(),
            line.product_id.as_str().into(),
            line.name.as_str().into(),
            line.quantity.into(),
            line.unit_price.amount.into(),
        ]
    })
}

/// One INSERT for that many rows.
fn insert(table: &str, columns: &[&str], rows: usize) -> String {
    let row = format!("({})", vec!["?"; columns.len()].join(", "));
    format!(
        "INSERT INTO {table} ({}) VALUES {}",
        columns.join(", "),
        vec![row; rows].join(", ")
    )
}

/// RFC 3339 in UTC as a `DATETIME` is written.
fn date_time(time: &str) -> String {
    time.trim_end_matches('Z').replace('T', " ")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use time::{OffsetDateTime, format_description::well_known::Rfc3339};

    use super::*;

    #[test]
    fn the_catalogue_is_worth_looking_at() {
        let products = products().unwrap();
        let ids: HashSet<_> = products.iter().map(|product| &product.id).collect();
        let categories: HashSet<_> = products.iter().map(|product| &product.category).collect();
        assert!(products.len() >= 40);
        assert_eq!(ids.len(), products.len());
        assert_eq!(categories.len(), 5);
    }

    #[test]
    fn the_orders_are_of_the_catalogue() {
        let products = products().unwrap();
        for line in orders().unwrap().iter().flat_map(|order| &order.lines) {
            let product = products
                .iter()
                .find(|product| product.id == line.product_id)
                .unwrap();
            assert_eq!(
                (&line.name, &line.unit_price),
                (&product.name, &product.price)
            );
        }
    }

    #[test]
    fn the_orders_ids_say_when_they_were_made() {
        for order in orders().unwrap() {
            let created = OffsetDateTime::parse(&order.created_at, &Rfc3339).unwrap();
            let (seconds, nanoseconds) = order.id.get_timestamp().unwrap().to_unix();
            let told = i128::from(seconds) * 1_000_000_000 + i128::from(nanoseconds);
            assert_eq!(told, created.unix_timestamp_nanos(), "{}", order.id);
            assert!(order.updated_at >= order.created_at);
        }
    }

    #[test]
    fn rows_have_as_many_values_as_columns() {
        for order in orders().unwrap() {
            assert_eq!(order_row(&order).len(), ORDER_COLUMNS.len());
            assert!(line_rows(&order).all(|row| row.len() == LINE_COLUMNS.len()));
        }
        assert_eq!(
            insert("t", &["a", "b"], 2),
            "INSERT INTO t (a, b) VALUES (?, ?), (?, ?)"
        );
    }
}
