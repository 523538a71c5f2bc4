//! The sums of the orders, by status and by product, for each day, month and year.
//!
//! Adding an order to them in its own transaction would make every order of a day
//! wait for the same rows. So it is added later, in a batch with others. Until then
//! it is *pending*: `orders.summed`, the status that the sums count it with, differs
//! from its status, or is `NULL`. A summary reads the sums and the pending orders in
//! one statement, so it is exact at any time.

use std::time::Duration;

use mysql::{AttemptError, Session, Value, placeholders};
use uuid::Uuid;

/// The pending orders, for a `FROM`; more conditions may follow.
///
/// The index finds each of them by a range. It is forced because, after a large batch,
/// the optimizer overestimates the number of pending orders until the server has purged
/// the old index entries.
pub const PENDING_ORDERS: &str = "orders FORCE INDEX (orders_by_sums) \
                                  WHERE (summed IS NULL \
                                         OR (summed = 'placed' AND status <> 'placed') \
                                         OR (summed = 'paid' AND status <> 'paid') \
                                         OR (summed = 'shipped' AND status <> 'shipped') \
                                         OR (summed = 'cancelled' AND status <> 'cancelled'))";

/// The spans of time that there are sums for, and the first day of the one that
/// `created_at` is in.
const SPANS: &str = "(SELECT 'day' AS span, '%Y-%m-%d' AS first_day \
                      UNION ALL SELECT 'month', '%Y-%m-01' \
                      UNION ALL SELECT 'year', '%Y-01-01') AS spans";

/// Adds pending orders to the sums, at most `limit`, and returns how many. It must be
/// called in a transaction, whose isolation level is READ COMMITTED.
///
/// It waits for no lock: it returns `None` while another transaction adds orders, and
/// skips orders that are being changed.
///
/// # Errors
///
/// If the database fails.
pub async fn add_pending(session: &Session, limit: u32) -> Result<Option<usize>, AttemptError> {
    let lock = "SELECT id FROM sums_lock WHERE id = 1 FOR UPDATE SKIP LOCKED";
    if session.row::<(u8,)>(lock, ()).await?.is_none() {
        return Ok(None);
    }
    let sql = format!("SELECT id FROM {PENDING_ORDERS} LIMIT ? FOR UPDATE SKIP LOCKED");
    let ids = session.rows::<(Uuid,)>(&sql, (limit,)).await?;
    let Some(last) = ids.last() else {
        return Ok(Some(0));
    };
    // The statements have as many parameters for any number of orders, so that each is
    // prepared once.
    let limit = usize::try_from(limit).unwrap_or(ids.len());
    let padded = ids.iter().chain(std::iter::repeat(last)).take(limit);
    let values: Vec<Value> = padded.map(|(id,)| id.into()).collect();
    let these = placeholders(values.len());

    let sql = format!(
        "INSERT INTO order_sums (span, start, status, currency, orders, quantity, revenue) \
         SELECT span, DATE_FORMAT(created_at, first_day) AS start, state, currency, \
                SUM(delta), SUM(delta * pieces), SUM(delta * amount) \
         FROM (SELECT created_at, status AS state, currency, 1 AS delta, quantity AS pieces, \
                      total AS amount FROM orders WHERE id IN ({these}) \
               UNION ALL \
               SELECT created_at, summed, currency, -1, quantity, total \
               FROM orders WHERE id IN ({these}) AND summed IS NOT NULL) AS changes \
         CROSS JOIN {SPANS} \
         GROUP BY span, start, state, currency \
         ON DUPLICATE KEY UPDATE orders = order_sums.orders + VALUES(orders), \
                                 quantity = order_sums.quantity + VALUES(quantity), \
                                 revenue = order_sums.revenue + VALUES(revenue)"
    );
    session
        .execute(&sql, [&values[..], &values].concat())
        .await?;

    // Cancelled orders do not count by product.
    let sql = format!(
        "INSERT INTO product_sums (span, start, product_id, currency, orders, quantity, revenue) \
         SELECT span, DATE_FORMAT(created_at, first_day) AS start, product, currency, \
                SUM(delta), SUM(delta * pieces), SUM(delta * pieces * unit_price) \
         FROM (SELECT created_at, currency, product_id AS product, unit_price, \
                      CAST(order_lines.quantity AS DECIMAL(20)) AS pieces, \
                      (status <> 'cancelled') - COALESCE(summed <> 'cancelled', 0) AS delta \
               FROM orders JOIN order_lines ON order_id = id \
               WHERE id IN ({these})) AS changes \
         CROSS JOIN {SPANS} \
         WHERE delta <> 0 \
         GROUP BY span, start, product, currency \
         ON DUPLICATE KEY UPDATE orders = product_sums.orders + VALUES(orders), \
                                 quantity = product_sums.quantity + VALUES(quantity), \
                                 revenue = product_sums.revenue + VALUES(revenue)"
    );
    session.execute(&sql, values.clone()).await?;

    let sql = format!("UPDATE orders SET summed = status WHERE id IN ({these})");
    session.execute(&sql, values).await?;
    Ok(Some(ids.len()))
}

/// The limit of the run after one with this limit that took `duration`, or `None` if it
/// failed: an order can have a hundred lines, so that a run of many takes too long.
#[must_use]
pub fn next_limit(limit: u32, max: u32, duration: Option<Duration>, timeout: Duration) -> u32 {
    match duration {
        Some(duration) if duration < timeout / 4 => (limit * 2).min(max),
        Some(_) => limit,
        None => (limit / 2).max(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limit_is_doubled_after_a_fast_run_and_halved_after_a_failure() {
        let next = |limit, ms: Option<u64>| {
            next_limit(
                limit,
                64,
                ms.map(Duration::from_millis),
                Duration::from_millis(400),
            )
        };
        for (limit, ms, expected) in [
            (64, Some(20), 64),
            (8, Some(99), 16),
            (33, Some(99), 64),
            (8, Some(100), 8),
            (8, None, 4),
            (1, None, 1),
        ] {
            assert_eq!(next(limit, ms), expected, "{limit} {ms:?}");
        }
    }

    #[test]
    fn order_is_pending_if_its_status_is_not_the_summed_one() {
        assert!(PENDING_ORDERS.contains("summed IS NULL"));
        for status in ["placed", "paid", "shipped", "cancelled"] {
            let differs = format!("(summed = '{status}' AND status <> '{status}')");
            assert!(PENDING_ORDERS.contains(&differs), "{status}");
        }
    }
}
