// region: mysqldata nosqldata
//! Data of any size, made by the stores themselves.

use anyhow::{Context, Result};
use aws_sdk_dynamodb::{Client, types::AttributeValue};
use mysql_async::{Conn, prelude::Queryable};
use stores::dynamodb::put_all;

/// The days over which the orders are spread, and the products of their lines: a
/// summary has as many rows for any number of orders.
const DAYS: u32 = 100;

/// Inserts orders of two lines of 100 products, oldest first.
pub async fn orders(connection: &mut Conn, count: u32) -> Result<()> {
    let step = u64::from(DAYS) * 86_400_000_000 / u64::from(count);
    for statement in [
        format!(
            "INSERT INTO orders (id, customer, status, currency, quantity, total, pricing, version, \
             created_at, updated_at, owner) \
             SELECT UNHEX(CONCAT(LPAD(HEX(FLOOR(1000 * UNIX_TIMESTAMP(at))), 12, '0'), '7000', \
                                 LPAD(HEX(0x8000000000000000 + seq), 16, '0'))), \
                    CONCAT('customer-', seq MOD GREATEST({count} DIV 20, 5)), \
                    ELT(1 + seq MOD 10 DIV 3, 'shipped', 'paid', 'placed', 'cancelled'), 'DKK', 3, 300, \
                    'live', 1, at, at, '' \
             FROM (SELECT seq, TIMESTAMP('2026-01-01') + INTERVAL seq * {step} MICROSECOND AS at \
                   FROM seq_0_to_{}) AS numbers",
            count - 1
        ),
        "INSERT INTO order_lines (order_id, position, product_id, name, quantity, unit_price) \
         SELECT id, position, CONCAT('p', (CRC32(id) + 37 * position) MOD 100), 'Product', \
                1 + position, 100 \
         FROM orders JOIN (SELECT 0 AS position UNION ALL SELECT 1) AS positions"
            .to_owned(),
    ] {
        connection.query_drop(statement).await?;
    }
    Ok(())
}

/// Copies the product `p0` to `p1` and so on.
pub async fn products(client: &Client, table: &str, count: u32) -> Result<()> {
    let key = AttributeValue::S("p0".to_owned());
    let found = client
        .get_item()
        .table_name(table)
        .key("id", key)
        .send()
        .await?;
    let item = found.item.context("there is no product p0")?;
    let items = (1..count).map(|n| {
        let mut item = item.clone();
        item.insert("id".to_owned(), AttributeValue::S(format!("p{n}")));
        item
    });
    put_all(client, table, items).await
}
// endregion
