//! Snapshots of products: their last known names and prices, for when the
//! catalogue is unavailable.

use std::{collections::HashMap, time::Duration};

use dto::{Price, ProductId, Timestamp, catalogue::PricedProduct};
use mysql::{AttemptError, Session, Value, insert, placeholders, to_datetime};
use time::PrimitiveDateTime;

use crate::catalogue::Products;

/// The age from which an unchanged snapshot may be written again. From twice this age
/// on, it is always written.
const MIN_AGE: Duration = Duration::from_secs(30);

/// A snapshot: the product's name, price and currency, and when they were seen. The
/// price of a product that does not exist any more is `None`.
type Snapshot = (String, Option<i64>, String, PrimitiveDateTime);

/// Reads the prices of products that were seen after `since`.
pub(super) async fn read(
    session: &Session,
    products: &[&ProductId],
    since: Timestamp,
) -> Result<Products, AttemptError> {
    let since = to_datetime(since);
    let mut prices = Products::new();
    for (id, (name, amount, currency, seen_at)) in known(session, products).await? {
        if let Some(amount) = amount
            && seen_at > since
        {
            let product = to_product(&id, &name, amount, &currency);
            let product = product.map_err(|error| error.in_row(format_args!("product {id}")))?;
            prices.insert(product.id.clone(), product);
        }
    }
    Ok(prices)
}

fn to_product(
    id: &str,
    name: &str,
    amount: i64,
    currency: &str,
) -> Result<PricedProduct, AttemptError> {
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
pub(super) async fn forget(
    session: &Session,
    products: &[&ProductId],
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
pub(super) async fn write(
    session: &Session,
    products: &Products,
    seen_at: Timestamp,
) -> Result<(), AttemptError> {
    let ids: Vec<_> = products.keys().collect();
    let known = known(session, &ids).await?;
    // Not all that find it too old at the same time write it again.
    let max_age = MIN_AGE + MIN_AGE.mul_f64(fastrand::f64());
    let recent = to_datetime((seen_at.utc() - max_age).into());
    // In the order of their ids: every transaction locks rows in the same order, so that
    // no two deadlock.
    let new = products.values().filter(|product| {
        let PricedProduct { id, name, price } = product;
        let Some((known_name, amount, currency, at)) = known.get(id.as_str()) else {
            return true;
        };
        known_name != name.as_str()
            || *amount != Some(price.amount.get())
            || currency != price.currency.as_str()
            || *at <= recent
    });
    let rows: Vec<_> = new
        .map(|PricedProduct { id, name, price }| {
            [
                id.as_str().into(),
                name.as_str().into(),
                price.amount.get().into(),
                price.currency.as_str().into(),
                Value::from(to_datetime(seen_at)),
            ]
        })
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
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
    Ok(())
}

/// The snapshots of these products, by their ids.
async fn known(
    session: &Session,
    products: &[&ProductId],
) -> Result<HashMap<String, Snapshot>, AttemptError> {
    let sql = format!(
        "SELECT product_id, name, unit_price, currency, seen_at FROM product_snapshots \
         WHERE product_id IN ({})",
        placeholders(products.len()),
    );
    let ids: Vec<Value> = products.iter().map(|id| id.as_str().into()).collect();
    let add = |known: &mut HashMap<_, _>, (id, name, amount, currency, at)| {
        known.insert(id, (name, amount, currency, at));
    };
    session.fold(&sql, ids, HashMap::new(), add).await
}
