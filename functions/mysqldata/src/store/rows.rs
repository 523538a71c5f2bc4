//! Orders as rows: how an order and its lines are written and read.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap, hash_map::Entry},
};

use dto::Currency;
use mysql::{
    AttemptError, Columns, Session, Value, from_datetime, insert as insert_into, to_datetime,
};
use uuid::Uuid;

use crate::{
    money::Money,
    order::{Order, OrderId, OrderLine},
};

/// The columns of an order `o` joined with its line `l`: a row for each line, so that one
/// statement reads orders and lines. [`add_line`] reads the columns in this order.
const SELECT: &str = "SELECT o.id, currency, position, product_id, name, l.quantity, unit_price, \
                      customer, status, total, pricing, version, created_at, updated_at, \
                      change_id, owner";

/// An order with its columns that responses omit.
pub(super) struct Found {
    /// The order.
    pub order: Order,
    /// The id of its last change.
    pub last_change: Option<Uuid>,
    /// The subject of the caller who placed it; empty for an order older than owners.
    pub owner: String,
}

/// Inserts an order of `owner` in two statements, however many lines it has.
pub(super) async fn insert(
    session: &Session,
    order: &Order,
    owner: &str,
) -> Result<(), AttemptError> {
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

/// Updates the mutable columns of an order and its `change_id`.
pub(super) async fn update(
    session: &Session,
    order: &Order,
    change: Uuid,
) -> Result<(), AttemptError> {
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
pub(super) async fn find(session: &Session, id: OrderId) -> Result<Option<Found>, AttemptError> {
    let sql = format!(
        "{SELECT} FROM orders AS o JOIN order_lines AS l ON l.order_id = o.id WHERE o.id = ?"
    );
    let found = to_orders(session.rows(&sql, (id.0,)).await?)?;
    Ok(found.into_iter().next())
}

/// Reads the order with this id and locks it until the transaction ends.
pub(super) async fn find_for_update(
    session: &Session,
    id: OrderId,
) -> Result<Option<Found>, AttemptError> {
    // Lines never change and are not locked.
    let lock = "SELECT id FROM orders WHERE id = ? FOR UPDATE";
    match session.row::<(Uuid,)>(lock, (id.0,)).await? {
        Some(_) => find(session, id).await,
        None => Ok(None),
    }
}

/// Reads the orders that meet the conditions, newest first.
pub(super) async fn list(
    session: &Session,
    conditions: &str,
    mut values: Vec<Value>,
    count: u8,
) -> Result<Vec<Order>, AttemptError> {
    let sql = format!(
        "{SELECT} FROM (SELECT * FROM orders WHERE {conditions} \
         ORDER BY created_at DESC, id DESC LIMIT ?) AS o \
         JOIN order_lines AS l ON l.order_id = o.id"
    );
    values.push(count.into());
    let found = to_orders(session.rows(&sql, values).await?)?;
    let mut orders: Vec<_> = found.into_iter().map(|found| found.order).collect();
    // The rows of a join have no order, and the database would sort all of them.
    orders.sort_unstable_by_key(|order| Reverse((order.created_at, order.id.0)));
    Ok(orders)
}

/// Orders by id, each with its lines by position.
type OrdersById = HashMap<Uuid, (Found, BTreeMap<u16, OrderLine>)>;

/// The orders in the rows of [`SELECT`], in no order.
fn to_orders(rows: Vec<Columns>) -> Result<Vec<Found>, AttemptError> {
    let mut orders = OrdersById::new();
    for mut row in rows {
        let id = row.take("id")?;
        let added = add_line(&mut orders, id, row);
        added.map_err(|error| error.in_row(format_args!("order {id}")))?;
    }
    let found = orders.into_values().map(|(mut found, lines)| {
        found.order.lines = lines.into_values().collect();
        found
    });
    Ok(found.collect())
}

/// Adds the line in the rest of a row, and its order with the first line.
fn add_line(orders: &mut OrdersById, id: Uuid, mut row: Columns) -> Result<(), AttemptError> {
    let currency: Currency = row.parse("currency")?;
    let position = row.take("position")?;
    let line = OrderLine {
        product_id: row.parse("product_id")?,
        name: row.parse("name")?,
        quantity: row.read("quantity", i64::try_into)?,
        unit_price: Money {
            amount: row.take("unit_price")?,
            currency: currency.clone(),
        },
    };
    let (_, lines) = match orders.entry(id) {
        Entry::Occupied(order) => order.into_mut(),
        Entry::Vacant(order) => {
            let found = to_order(OrderId(id), currency, row)?;
            order.insert((found, BTreeMap::new()))
        }
    };
    lines.insert(position, line);
    Ok(())
}

/// The order in the rest of a row, without its lines.
fn to_order(id: OrderId, currency: Currency, mut row: Columns) -> Result<Found, AttemptError> {
    let order = Order {
        id,
        customer: row.parse("customer")?,
        status: row.parse("status")?,
        lines: Vec::new(),
        total: Money {
            amount: row.take("total")?,
            currency,
        },
        pricing: row.parse("pricing")?,
        version: row.read("version", i64::try_into)?,
        created_at: from_datetime(row.take("created_at")?),
        updated_at: from_datetime(row.take("updated_at")?),
    };
    let last_change = row.take("change_id")?;
    let owner = row.read("owner", |owner| {
        String::from_utf8(owner).map_err(|_| "must be UTF-8".to_owned())
    })?;
    Ok(Found {
        order,
        last_change,
        owner,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: Uuid, position: u16, status: &str, quantity: i64, amount: i128) -> Columns {
        let at = Value::from(to_datetime(dto::Timestamp::now()));
        let (product, name) = ("p".repeat(64), "\u{1f63a}".repeat(200));
        Columns::from([
            id.into(),
            "DKK".into(),
            position.into(),
            product.into(),
            name.into(),
            quantity.into(),
            amount.into(),
            "Ann".into(),
            status.into(),
            amount.into(),
            "snapshot".into(),
            i64::MAX.into(),
            at.clone(),
            at,
            id.into(),
            "ada".into(),
        ])
    }

    #[test]
    fn the_largest_values_are_read() {
        let (id, total) = (Uuid::now_v7(), i128::from(i64::MAX));
        let found = to_orders(vec![row(id, 0, "paid", i64::MAX, total)]).unwrap();
        let [
            Found {
                order,
                last_change,
                owner,
            },
        ] = &found[..]
        else {
            panic!("{} orders", found.len());
        };
        assert_eq!(order.total.amount, total);
        assert_eq!(order.lines[0].unit_price.amount, total);
        assert_eq!((*last_change, owner.as_str()), (Some(order.id.0), "ada"));
    }

    #[test]
    fn lines_are_in_the_order_of_their_positions() {
        let (a, b) = (Uuid::now_v7(), Uuid::now_v7());
        let rows = [(a, 1), (b, 0), (a, 0), (a, 2)];
        let rows = rows.map(|(id, position)| row(id, position, "paid", i64::from(position) + 1, 1));
        let mut found = to_orders(rows.into()).unwrap();
        found.sort_by_key(|found| found.order.id.0);
        let quantities = found.iter().map(|found| {
            let lines = found.order.lines.iter();
            lines.map(|line| line.quantity.get()).collect()
        });
        let quantities: Vec<Vec<_>> = quantities.collect();
        assert_eq!(quantities, [vec![1, 2, 3], vec![1]]);
    }

    #[test]
    fn a_row_that_breaks_a_rule_is_named_with_its_column() {
        let id = Uuid::now_v7();
        let error = |row| {
            let orders = to_orders(vec![row]);
            orders.err().unwrap().to_string()
        };
        for (status, quantity, reason) in [
            ("lost", 1, "status must be "),
            ("paid", 0, "quantity must be between 1 and "),
        ] {
            let expected = format!("a row is not valid: order {id}: {reason}");
            let error = error(row(id, 0, status, quantity, 1));
            assert!(error.starts_with(&expected), "{error}");
        }
        assert_eq!(
            error(Columns::from([id.into(), "DKK".into()])),
            format!("a row is not valid: order {id}: position is missing or invalid")
        );
    }
}
