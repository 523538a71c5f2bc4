//! What the orders come to, added up by the database.

use dto::{
    MoneySum,
    order::{OrderStatus, RowKey, SummaryKey, SummaryRow},
    product::ProductId,
};
use mysql_async::{Conn, Row};

use super::{Conditions, Work, columns, statement};
use crate::{error::Error, period::Period};

/// Adds the orders up, one row for each key and currency, in order of both.
/// Cancelled orders count by status alone.
pub struct Summarise {
    /// What there is a row for.
    pub by: SummaryKey,
    /// The time in which the orders were placed.
    pub period: Period,
}

impl Work for Summarise {
    type Done = Vec<SummaryRow>;

    async fn run(&self, connection: &mut Conn) -> Result<Vec<SummaryRow>, Error> {
        let mut conditions = Conditions::default();
        conditions.add_period(self.period);
        if self.by != SummaryKey::Status {
            conditions.add("status <> ?", [OrderStatus::Cancelled.as_str().into()]);
        }
        let sql = select(self.by, &conditions.all());
        let rows = statement::rows(connection, &sql, conditions.values).await?;
        rows.into_iter()
            .map(|row| summary_row(self.by, row))
            .collect()
    }
}

fn select(by: SummaryKey, conditions: &str) -> String {
    let day = "DATE_FORMAT(created_at, '%Y-%m-%d')";
    let (key, quantity, revenue, from) = match by {
        SummaryKey::Day => (day, "quantity", "total", "orders"),
        SummaryKey::Status => ("status", "quantity", "total", "orders"),
        // A product stands in an order once, so its lines count its orders.
        SummaryKey::Product => (
            "product_id",
            "order_lines.quantity",
            // As integers of 64 bits the largest of them would overflow.
            "CAST(order_lines.quantity AS DECIMAL(20)) * unit_price",
            "orders JOIN order_lines ON order_id = id",
        ),
    };
    format!(
        "SELECT {key}, currency, COUNT(*), SUM({quantity}), SUM({revenue}) FROM {from} \
         WHERE {conditions} GROUP BY {key}, currency ORDER BY {key}, currency"
    )
}

/// The sums are `DECIMAL` of up to 65 digits, which travels as text.
fn summary_row(by: SummaryKey, row: Row) -> Result<SummaryRow, Error> {
    let (key, currency, orders, quantity, amount) =
        columns::<(String, String, i64, i128, i128)>(row)?;
    let key = match by {
        SummaryKey::Day => Some(RowKey::Day(key)),
        SummaryKey::Product => ProductId::parse(&key).map(RowKey::Product),
        SummaryKey::Status => OrderStatus::parse(&key).map(RowKey::Status),
    };
    Ok(SummaryRow {
        key: key.ok_or(Error::Row("a key of a summary is none"))?,
        orders,
        quantity,
        revenue: MoneySum { amount, currency },
    })
}
