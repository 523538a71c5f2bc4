//! Snapshots of products: their last known names and prices, for when the
//! catalogue is unavailable.

use std::{collections::HashMap, time::Duration};

use dto::{
    Money, Price, Timestamp,
    catalogue::{PricedProduct, ProductId},
};
use mysql::{AttemptError, Session, Value, insert, placeholders, to_datetime};
use sums::PENDING_ORDERS;
use time::PrimitiveDateTime;

use crate::{catalogue::Products, order::OrderLine};

/// The age from which an unchanged snapshot may be written again. At twice the age it
/// always is.
const MIN_AGE: Duration = Duration::from_secs(30);

/// The number of pending orders from which they are added to the sums: fewer make no
/// summary slow, and adding many takes long.
pub const MANY_PENDING: u32 = 32;

/// What is known of a product.
struct Snapshot {
    name: String,
    unit_price: Option<i128>,
    currency: String,
    seen_at: PrimitiveDateTime,
}

/// A row of a snapshot: the product, its [`Snapshot`], and whether many orders are
/// pending.
type SnapshotRow = (
    String,
    String,
    Option<i128>,
    String,
    PrimitiveDateTime,
    Option<u8>,
);

/// Reads the snapshots of products that were seen after `since`.
pub async fn read(
    session: &Session,
    products: &[&ProductId],
    since: Timestamp,
) -> Result<Products, AttemptError> {
    let sql = format!(
        "SELECT product_id, name, unit_price, currency FROM product_snapshots \
         WHERE product_id IN ({}) AND unit_price IS NOT NULL AND seen_at > ?",
        placeholders(products.len()),
    );
    let mut values: Vec<Value> = products.iter().map(|id| id.as_str().into()).collect();
    values.push(to_datetime(since).into());
    let rows = session.rows(&sql, values).await?;
    let products = rows.into_iter().map(to_product);
    products.map(|p| p.map(|p| (p.id.clone(), p))).collect()
}

fn to_product(row: (String, String, i64, String)) -> Result<PricedProduct, AttemptError> {
    let (id, name, amount, currency) = row;
    Ok(PricedProduct {
        id: id.parse()?,
        name: name.parse()?,
        price: Price {
            amount: amount.try_into()?,
            currency: currency.parse()?,
        },
    })
}

/// Removes the prices of products that were missing at `seen_at`.
///
/// The rows stay, because an order that was priced earlier would otherwise write
/// them again. A product that never was in an order has no row and gets none.
pub async fn forget(
    session: &Session,
    products: &[ProductId],
    seen_at: Timestamp,
) -> Result<(), AttemptError> {
    let sql = format!(
        "UPDATE product_snapshots SET unit_price = NULL, seen_at = ? \
         WHERE seen_at <= ? AND product_id IN ({})",
        placeholders(products.len()),
    );
    let seen_at = to_datetime(seen_at);
    let mut values: Vec<Value> = vec![seen_at.into(), seen_at.into()];
    values.extend(products.iter().map(|id| Value::from(id.as_str())));
    session.execute(&sql, values).await?;
    Ok(())
}

/// Writes the names and prices that the catalogue returned at `seen_at`, unless the
/// same or later ones are known.
///
/// Most orders find the same, written a moment ago. They write nothing, so that orders
/// of the same product do not wait for its row.
///
/// Returns whether so many orders are pending that they should be added to the sums.
/// To find that out here takes no round trip of its own.
pub async fn write(
    session: &Session,
    lines: &[OrderLine],
    seen_at: Timestamp,
) -> Result<bool, AttemptError> {
    let (known, many_pending) = known(session, lines).await?;
    // Not all that find it too old at the same time write it again.
    let max_age = MIN_AGE + MIN_AGE.mul_f64(fastrand::f64());
    let recent = to_datetime((seen_at.utc() - max_age).into());
    let is_known = |line: &OrderLine| {
        known.get(line.product_id.as_str()).is_some_and(|known| {
            let price = (known.unit_price, known.currency.as_str());
            known.seen_at > recent
                && known.name == line.name.as_str()
                && price
                    == (
                        Some(line.unit_price.amount),
                        line.unit_price.currency.as_str(),
                    )
        })
    };
    let mut lines: Vec<_> = lines.iter().filter(|line| !is_known(line)).collect();
    if lines.is_empty() {
        return Ok(many_pending);
    }
    // Every transaction locks rows in the same order, so that no two deadlock.
    lines.sort_by(|a, b| a.product_id.cmp(&b.product_id));
    let rows = lines.into_iter().map(|line| {
        let OrderLine {
            product_id,
            name,
            quantity: _,
            unit_price: Money { amount, currency },
        } = line;
        [
            product_id.as_str().into(),
            name.as_str().into(),
            Value::from(*amount),
            currency.as_str().into(),
            to_datetime(seen_at).into(),
        ]
    });
    let columns = ["product_id", "name", "unit_price", "currency", "seen_at"];
    let (insert, values) = insert("product_snapshots", columns, rows);
    // `seen_at` comes last, because each assignment sees the ones before it.
    let sql = format!(
        "{insert} ON DUPLICATE KEY UPDATE \
         name = IF(VALUES(seen_at) > seen_at, VALUES(name), name), \
         unit_price = IF(VALUES(seen_at) > seen_at, VALUES(unit_price), unit_price), \
         currency = IF(VALUES(seen_at) > seen_at, VALUES(currency), currency), \
         seen_at = GREATEST(VALUES(seen_at), seen_at)"
    );
    session.execute(&sql, values).await?;
    Ok(many_pending)
}

/// The snapshots of the products of an order, and whether many orders are pending.
async fn known(
    session: &Session,
    lines: &[OrderLine],
) -> Result<(HashMap<String, Snapshot>, bool), AttemptError> {
    let sql = format!(
        "SELECT product_id, name, unit_price, currency, seen_at, \
                (SELECT 1 FROM {PENDING_ORDERS} LIMIT 1 OFFSET {MANY_PENDING}) \
         FROM product_snapshots WHERE product_id IN ({})",
        placeholders(lines.len()),
    );
    let ids = lines.iter().map(|line| line.product_id.as_str().into());
    let ids: Vec<Value> = ids.collect();
    let rows: Vec<SnapshotRow> = session.rows(&sql, ids).await?;
    let many_pending = rows.first().is_some_and(|(.., many)| many.is_some());
    let known = rows
        .into_iter()
        .map(|(id, name, unit_price, currency, seen_at, _)| {
            let snapshot = Snapshot {
                name,
                unit_price,
                currency,
                seen_at,
            };
            (id, snapshot)
        });
    Ok((known.collect(), many_pending))
}
