// region: mysqldata
//! The sample orders.

use anyhow::Result;
use mysql_async::{TxOpts, prelude::Queryable};

use crate::mysql;

/// The sample orders with their ids, statuses, times and priced lines.
const ORDERS: &str = include_str!("../../samples/mysqldata.json");

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

/// Inserts the sample orders into the `MySQL` database of `url` if it has none,
/// all or nothing. Returns the number of orders inserted.
///
/// # Errors
/// The store is unavailable, or its tables are not those of the migrations.
pub async fn insert(url: &str) -> Result<u64> {
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
    use serde_json::Value;
    use time::{OffsetDateTime, format_description::well_known::Rfc3339};
    use uuid::Uuid;

    use super::*;

    fn samples(text: &str) -> Vec<Value> {
        serde_json::from_str(text).unwrap()
    }

    // region: nosqldata
    #[test]
    fn sample_orders_have_names_and_prices_of_the_catalogue() {
        let products = samples(crate::sample::products::PRODUCTS);
        let count = products.len();
        let products = products.into_iter();
        let products: std::collections::HashMap<_, _> = products
            .map(|product| (product["id"].to_string(), product))
            .collect();
        assert_eq!(products.len(), count, "an id is duplicate");
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
    // endregion

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
// endregion
