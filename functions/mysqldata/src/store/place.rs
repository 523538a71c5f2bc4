//! A new order in the database: it, its lines, what was seen of its products
//! and the key of its request, all or nothing.

use chassis::idempotency::{Answer, Once};
use dto::{Timestamp, order::Order};
use mysql_async::{Conn, Transaction, Value, prelude::Queryable};

use super::{Work, finish, keys, placeholders, rows_of, snapshots, statement, to_column};
use crate::error::Error;

/// Writes a new order. A second run knows the first one's order by its id.
pub struct Place<'p> {
    /// The order.
    pub order: &'p Order,
    /// When the catalogue was asked for the products as they stand in the
    /// order's lines, if it answered.
    pub seen_at: Option<Timestamp>,
    /// The key of the request, if it has one.
    pub once: Option<&'p Once>,
    /// The answer to the request.
    pub answer: &'p Answer,
}

/// Whether an order was placed.
#[derive(Debug)]
pub enum Placed {
    /// By this request.
    Now,
    /// By an earlier request with the same key, which was answered like this.
    Before(Answer),
}

impl Work for Place<'_> {
    type Done = Placed;

    async fn run(&self, connection: &mut Conn) -> Result<Placed, Error> {
        let mut transaction = statement::begin(connection).await?;
        let placed = self.place(&mut transaction).await;
        let placed = finish(transaction, placed).await?;
        if self.once.is_some() && matches!(placed, Placed::Now) {
            keys::purge(connection).await;
        }
        Ok(placed)
    }
}

impl Place<'_> {
    /// The key comes first: who has to wait for it, waits there, and holds
    /// nothing that others want. What others want most, the snapshots, comes
    /// last.
    async fn place(&self, transaction: &mut Transaction<'_>) -> Result<Placed, Error> {
        if let Some(once) = self.once
            && let Some(placed) = keys::write(transaction, once, self.answer).await?
        {
            return Ok(placed);
        }
        match insert(transaction, self.order).await {
            // An id is made once, so this is the very order: an earlier run was
            // committed after all.
            Err(error) if error.is_duplicate() => return Ok(Placed::Now),
            inserted => inserted?,
        }
        if let Some(seen_at) = self.seen_at {
            snapshots::write(transaction, self.order, seen_at).await?;
        }
        Ok(Placed::Now)
    }
}

/// Writes the order in two statements, however many lines it has.
async fn insert(database: &mut impl Queryable, order: &Order) -> Result<(), Error> {
    let quantity: i64 = order.lines.iter().map(|line| line.quantity).sum();
    let values: Vec<Value> = vec![
        order.id.into(),
        order.customer.as_bytes().into(),
        order.status.as_str().into(),
        order.total.currency.as_str().into(),
        quantity.into(),
        order.total.amount.into(),
        order.pricing.as_str().into(),
        order.version.into(),
        to_column(order.created_at).into(),
        to_column(order.updated_at).into(),
    ];
    let sql = format!(
        "INSERT INTO orders (id, customer, status, currency, quantity, total, pricing, version, \
         created_at, updated_at) VALUES ({})",
        placeholders(values.len()),
    );
    statement::run(database, &sql, values).await?;

    let mut values: Vec<Value> = Vec::new();
    for (line, position) in order.lines.iter().zip(0_i64..) {
        values.extend([
            order.id.into(),
            position.into(),
            line.product_id.as_str().into(),
            line.name.as_str().into(),
            line.quantity.into(),
            line.unit_price.amount.into(),
        ]);
    }
    let sql = format!(
        "INSERT INTO order_lines (order_id, position, product_id, name, quantity, unit_price) {}",
        rows_of(order.lines.len(), 6),
    );
    statement::run(database, &sql, values).await?;
    Ok(())
}
