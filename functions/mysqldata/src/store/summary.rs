//! The summary of the orders, computed by the database.

use dto::Money;
use mysql::{AttemptError, Conditions, Session};

use super::within;
use crate::{
    order::OrderStatus,
    period::Period,
    summary::{RowKey, SummaryKey, SummaryRow},
};

/// Reads a row for each key and currency, ordered by both.
pub async fn read(
    session: &Session,
    period: Period,
    by: SummaryKey,
) -> Result<Vec<SummaryRow>, AttemptError> {
    let mut conditions = Conditions::new();
    within(&mut conditions, period);
    if by != SummaryKey::Status {
        conditions.add("status <> ?", [OrderStatus::Cancelled.as_str().into()]);
    }
    let (conditions, values) = conditions.into_parts();
    let sql = statement(by, &conditions);
    let rows = session.rows(&sql, values).await?;
    rows.into_iter().map(|row| to_row(by, row)).collect()
}

fn statement(by: SummaryKey, conditions: &str) -> String {
    let day = "DATE_FORMAT(created_at, '%Y-%m-%d')";
    let (key, quantity, revenue, from) = match by {
        SummaryKey::Day => (day, "quantity", "total", "orders"),
        SummaryKey::Status => ("status", "quantity", "total", "orders"),
        // A product is in one line of an order, so its lines count its orders.
        SummaryKey::Product => (
            "product_id",
            "order_lines.quantity",
            // As integers of 64 bits, the largest of them would overflow.
            "CAST(order_lines.quantity AS DECIMAL(20)) * unit_price",
            "orders JOIN order_lines ON order_id = id",
        ),
    };
    format!(
        "SELECT {key}, currency, COUNT(*), SUM({quantity}), SUM({revenue}) FROM {from} \
         WHERE {conditions} GROUP BY {key}, currency ORDER BY {key}, currency"
    )
}

/// The sums are `DECIMAL` of up to 65 digits, which is sent as text.
fn to_row(
    by: SummaryKey,
    row: (String, String, u64, u128, i128),
) -> Result<SummaryRow, AttemptError> {
    let (key, currency, orders, quantity, amount) = row;
    let key = match by {
        SummaryKey::Day => RowKey::Day(key),
        SummaryKey::Product => RowKey::Product(key.parse()?),
        SummaryKey::Status => RowKey::Status(key.parse()?),
    };
    Ok(SummaryRow {
        key,
        orders,
        quantity,
        revenue: Money {
            amount,
            currency: currency.parse()?,
        },
    })
}
