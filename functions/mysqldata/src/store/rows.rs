//! Orders as rows: the columns of each field are stated here only.

use std::collections::HashMap;

use dto::Money;
use mysql::{
    AttemptError, Session, Value, from_datetime, insert as insert_into, placeholders, to_datetime,
};
use time::PrimitiveDateTime;
use uuid::Uuid;

use crate::order::{Order, OrderId, OrderLine};

/// The columns that an order is read from.
const COLUMNS: &str = "id, customer, status, currency, total, pricing, version, created_at, \
                       updated_at, change_id, owner";

/// A row of [`COLUMNS`].
type OrderRow = (
    Uuid,
    String,
    String,
    String,
    i128,
    String,
    i64,
    PrimitiveDateTime,
    PrimitiveDateTime,
    Option<Uuid>,
    Vec<u8>,
);

/// A row of a line: `order_id, position, product_id, name, quantity, unit_price`.
type LineRow = (Uuid, u16, String, String, i64, i128);

/// An order with what clients do not see of it.
pub struct Found {
    /// The order.
    pub order: Order,
    /// The id of its last change.
    pub last_change: Option<Uuid>,
    /// The subject of the caller who placed it; empty if that was nobody known.
    pub owner: String,
}

/// Inserts an order of `owner` in two statements, however many lines it has.
pub async fn insert(session: &Session, order: &Order, owner: &str) -> Result<(), AttemptError> {
    let Order {
        id: OrderId(id),
        customer,
        status,
        lines,
        total: Money { amount, currency },
        pricing,
        version,
        created_at,
        updated_at,
    } = order;
    let quantity: i64 = lines.iter().map(|line| line.quantity.get()).sum();
    let (sql, values) = insert_into(
        "orders",
        [
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
            "owner",
        ],
        [[
            id.into(),
            customer.as_str().into(),
            status.as_str().into(),
            currency.as_str().into(),
            quantity.into(),
            Value::from(*amount),
            pricing.as_str().into(),
            version.get().into(),
            to_datetime(*created_at).into(),
            to_datetime(*updated_at).into(),
            owner.as_bytes().into(),
        ]],
    );
    session.execute(&sql, values).await?;

    let rows = lines.iter().zip(0_i64..).map(|(line, position)| {
        let OrderLine {
            product_id,
            name,
            quantity,
            unit_price:
                Money {
                    amount,
                    currency: _, // that of the order
                },
        } = line;
        [
            id.into(),
            position.into(),
            product_id.as_str().into(),
            name.as_str().into(),
            quantity.get().into(),
            Value::from(*amount),
        ]
    });
    let columns = [
        "order_id",
        "position",
        "product_id",
        "name",
        "quantity",
        "unit_price",
    ];
    let (sql, values) = insert_into("order_lines", columns, rows);
    session.execute(&sql, values).await?;
    Ok(())
}

/// Updates what can change of an order, with the id of the change.
pub async fn update(session: &Session, order: &Order, change: Uuid) -> Result<(), AttemptError> {
    let Order {
        id: OrderId(id),
        customer: _,
        status,
        lines: _,
        total: _,
        pricing: _,
        version,
        created_at: _,
        updated_at,
    } = order;
    let sql = "UPDATE orders SET status = ?, version = ?, updated_at = ?, change_id = ? \
               WHERE id = ?";
    let values = (
        status.as_str(),
        version.get(),
        to_datetime(*updated_at),
        change,
        id,
    );
    session.execute(sql, values).await?;
    Ok(())
}

/// Reads the order with this id.
pub async fn find(session: &Session, id: OrderId) -> Result<Option<Found>, AttemptError> {
    let sql = format!("SELECT {COLUMNS} FROM orders WHERE id = ?");
    let found = select(session, &sql, vec![id.0.into()]).await?;
    Ok(found.into_iter().next())
}

/// Reads the order with this id and locks it until the transaction ends.
pub async fn find_for_update(
    session: &Session,
    id: OrderId,
) -> Result<Option<Found>, AttemptError> {
    let sql = format!("SELECT {COLUMNS} FROM orders WHERE id = ? FOR UPDATE");
    let found = select(session, &sql, vec![id.0.into()]).await?;
    Ok(found.into_iter().next())
}

/// Reads the orders that meet the conditions, newest first.
pub async fn list(
    session: &Session,
    conditions: &str,
    mut values: Vec<Value>,
    count: u32,
) -> Result<Vec<Order>, AttemptError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM orders WHERE {conditions} ORDER BY created_at DESC, id DESC LIMIT ?"
    );
    values.push(count.into());
    let found = select(session, &sql, values).await?;
    Ok(found.into_iter().map(|found| found.order).collect())
}

/// Reads the orders that `sql` selects, and the lines of all of them in one
/// statement.
async fn select(
    session: &Session,
    sql: &str,
    values: Vec<Value>,
) -> Result<Vec<Found>, AttemptError> {
    let orders: Vec<OrderRow> = session.rows(sql, values).await?;
    if orders.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!(
        "SELECT order_id, position, product_id, name, quantity, unit_price FROM order_lines \
         WHERE order_id IN ({})",
        placeholders(orders.len()),
    );
    let ids: Vec<Value> = orders.iter().map(|(id, ..)| id.into()).collect();
    let mut lines = HashMap::<Uuid, Vec<LineRow>>::new();
    for line in session.rows::<LineRow>(&sql, ids).await? {
        lines.entry(line.0).or_default().push(line);
    }
    let found = orders.into_iter().map(|order| {
        let mut lines = lines.remove(&order.0).unwrap_or_default();
        lines.sort_unstable_by_key(|(_, position, ..)| *position);
        to_order(order, lines)
    });
    found.collect()
}

/// The order in a row and the rows of its lines.
fn to_order(row: OrderRow, lines: Vec<LineRow>) -> Result<Found, AttemptError> {
    let (
        id,
        customer,
        status,
        currency,
        amount,
        pricing,
        version,
        created_at,
        updated_at,
        last_change,
        owner,
    ) = row;
    let total = Money {
        amount,
        currency: currency.parse()?,
    };
    let lines = lines.into_iter().map(|line| {
        let (_, _, product_id, name, quantity, amount) = line;
        Ok::<_, AttemptError>(OrderLine {
            product_id: product_id.parse()?,
            name: name.parse()?,
            quantity: quantity.try_into()?,
            unit_price: Money {
                amount,
                currency: total.currency.clone(),
            },
        })
    });
    let order = Order {
        id: OrderId(id),
        customer: customer.parse()?,
        status: status.parse()?,
        lines: lines.collect::<Result<_, _>>()?,
        total,
        pricing: pricing.parse()?,
        version: version.try_into()?,
        created_at: from_datetime(created_at),
        updated_at: from_datetime(updated_at),
    };
    let owner = String::from_utf8(owner).map_err(|_| "an owner must be UTF-8".to_owned())?;
    Ok(Found {
        order,
        last_change,
        owner,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(status: &str, total: i128) -> OrderRow {
        let at = to_datetime(dto::Timestamp::now());
        let (customer, currency) = ("Ann".to_owned(), "DKK".to_owned());
        let (status, pricing) = (status.to_owned(), "snapshot".to_owned());
        let id = Uuid::now_v7();
        (
            id,
            customer,
            status,
            currency,
            total,
            pricing,
            i64::MAX,
            at,
            at,
            Some(id),
            b"ada".to_vec(),
        )
    }

    fn line(quantity: i64, amount: i128) -> LineRow {
        let (product, name) = ("p".repeat(64), "\u{1f63a}".repeat(200));
        (Uuid::nil(), 0, product, name, quantity, amount)
    }

    #[test]
    fn the_largest_values_are_read() {
        let total = i128::from(i64::MAX);
        let found = to_order(row("paid", total), vec![line(i64::MAX, total)]).unwrap();
        let Found {
            order,
            last_change,
            owner,
        } = found;
        assert_eq!(order.total.amount, total);
        assert_eq!(order.lines[0].unit_price.amount, total);
        assert_eq!((last_change, owner.as_str()), (Some(order.id.0), "ada"));
    }

    #[test]
    fn a_row_that_breaks_a_rule_is_an_error() {
        assert!(to_order(row("lost", 1), Vec::new()).is_err());
        assert!(to_order(row("paid", 1), vec![line(0, 1)]).is_err());
    }
}
