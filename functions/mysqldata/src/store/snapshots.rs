//! The last that the orders saw of each product, for when the catalogue is away.

use dto::{
    Money, Timestamp,
    order::{NewOrder, Order},
    product::ProductId,
};
use mysql_async::{Conn, Row, Value, prelude::Queryable};

use super::{Work, columns, placeholders, rows_of, statement, to_column};
use crate::{
    catalogue::{Offer, Offers},
    error::Error,
};

/// Reads what the products of a new order were last offered for.
pub struct Known<'n> {
    /// The order.
    pub new: &'n NewOrder,
    /// What was seen before this time is too old.
    pub since: Timestamp,
}

impl Work for Known<'_> {
    type Done = Offers;

    async fn run(&self, connection: &mut Conn) -> Result<Offers, Error> {
        let products = self.new.lines.iter().map(|line| &line.product_id);
        let mut values: Vec<Value> = products.map(|id| id.as_str().into()).collect();
        let sql = format!(
            "SELECT product_id, name, unit_price, currency FROM product_snapshots \
             WHERE product_id IN ({}) AND unit_price IS NOT NULL AND seen_at > ?",
            placeholders(values.len()),
        );
        values.push(to_column(self.since).into());
        let rows = statement::rows(connection, &sql, values).await?;
        rows.into_iter().map(offer).collect()
    }
}

fn offer(row: Row) -> Result<(ProductId, Offer), Error> {
    let (id, name, amount, currency) = columns::<(String, String, i64, String)>(row)?;
    let id = ProductId::parse(&id).ok_or(Error::Row("a product id is none"))?;
    let price = Money { amount, currency };
    Ok((id, Offer { name, price }))
}

/// Marks products as gone, so that no later outage sells them.
pub struct Forget<'p> {
    /// The products.
    pub products: &'p [ProductId],
    /// When the catalogue was asked for them.
    pub seen_at: Timestamp,
}

impl Work for Forget<'_> {
    type Done = ();

    /// The rows stay: an order that was priced before would else write them
    /// anew. What was never offered has none and gets none.
    async fn run(&self, connection: &mut Conn) -> Result<(), Error> {
        let sql = format!(
            "UPDATE product_snapshots SET unit_price = NULL, seen_at = ? \
             WHERE seen_at <= ? AND product_id IN ({})",
            placeholders(self.products.len()),
        );
        let seen_at = to_column(self.seen_at);
        let mut values: Vec<Value> = vec![seen_at.into(), seen_at.into()];
        values.extend(self.products.iter().map(|id| Value::from(id.as_str())));
        statement::run(connection, &sql, values).await?;
        Ok(())
    }
}

/// Writes what the catalogue offered the products of an order for when it was
/// asked at `seen_at`, where nothing later is known.
pub(super) async fn write(
    database: &mut impl Queryable,
    order: &Order,
    seen_at: Timestamp,
) -> Result<(), Error> {
    let mut lines: Vec<_> = order.lines.iter().collect();
    // In the same order in each transaction, so that no two wait for each other.
    lines.sort_by(|a, b| a.product_id.cmp(&b.product_id));
    let mut values: Vec<Value> = Vec::new();
    for line in &lines {
        values.extend([
            line.product_id.as_str().into(),
            line.name.as_str().into(),
            line.unit_price.amount.into(),
            line.unit_price.currency.as_str().into(),
            to_column(seen_at).into(),
        ]);
    }
    // `seen_at` comes last: each assignment sees those before it.
    let sql = format!(
        "INSERT INTO product_snapshots (product_id, name, unit_price, currency, seen_at) {} \
         ON DUPLICATE KEY UPDATE \
         name = IF(VALUES(seen_at) > seen_at, VALUES(name), name), \
         unit_price = IF(VALUES(seen_at) > seen_at, VALUES(unit_price), unit_price), \
         currency = IF(VALUES(seen_at) > seen_at, VALUES(currency), currency), \
         seen_at = GREATEST(VALUES(seen_at), seen_at)",
        rows_of(lines.len(), 5),
    );
    statement::run(database, &sql, values).await?;
    Ok(())
}
