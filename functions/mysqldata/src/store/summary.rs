//! The summary of the orders: their sums and the orders that are not in them yet.

use std::collections::BTreeMap;

use mysql::{AttemptError, Session, Value};

use sums::PENDING_ORDERS;

use super::divided_period::DividedPeriod;
use crate::{
    money::Money,
    period::Period,
    summary::{MAX_ROWS, RowKey, SummaryKey, SummaryRow},
};

/// The most keys that a summary reads. It refuses more than [`MAX_ROWS`] rows; orders
/// that are not in the sums yet may remove some.
const MAX_KEYS: usize = 2 * MAX_ROWS;

/// The sums of the spans of a period. A sum stays when its last order has left it.
const WITHIN_SPANS: &str = "orders <> 0 AND \
                            ((span = 'day' AND start BETWEEN ? AND ?) \
                            OR (span = 'day' AND start BETWEEN ? AND ?) \
                            OR (span = 'month' AND start BETWEEN ? AND ?) \
                            OR (span = 'month' AND start BETWEEN ? AND ?) \
                            OR (span = 'year' AND start BETWEEN ? AND ?))";

/// The orders within the whole days.
const WITHIN_WHOLE: &str = "created_at >= ? AND created_at < ?";

/// The orders within the parts of days at the ends.
const WITHIN_PARTS: &str =
    "((created_at >= ? AND created_at < ?) OR (created_at >= ? AND created_at < ?))";

/// Reads a row for each key and currency, ordered by both; `None` if there are more
/// than [`MAX_ROWS`].
///
/// It is one statement, which sees all tables at the same time. The rows of a key
/// are added up here: the database would have to sort them.
pub(super) async fn read(
    session: &Session,
    period: Period,
    by: SummaryKey,
) -> Result<Option<Vec<SummaryRow>>, AttemptError> {
    let divided = match by {
        SummaryKey::Day => DividedPeriod::by_days(period),
        SummaryKey::Product | SummaryKey::Status => DividedPeriod::by_largest_spans(period),
    };
    let add = |sums: &mut BTreeMap<(String, String), Sum>, row: (_, _, i64, i128, i128)| {
        let (key, currency, orders, quantity, revenue) = row;
        let key = (key, currency);
        if sums.len() > MAX_KEYS {
            return;
        }
        let sum = sums.entry(key).or_default();
        sum.orders += orders;
        sum.quantity += quantity;
        sum.revenue += revenue;
    };
    let (statement, values) = (statement(by), values(by, &divided));
    let mut sums = (session.fold(&statement, values, BTreeMap::new(), add)).await?;
    let is_full = sums.len() > MAX_KEYS;
    sums.retain(|_, sum| sum.orders != 0);
    if is_full || sums.len() > MAX_ROWS {
        return Ok(None);
    }
    let rows = sums.into_iter();
    rows.map(|((key, currency), sum)| sum.into_row(by, key, &currency))
        .collect::<Result<_, _>>()
        .map(Some)
}

/// The rule that a row breaks.
const NEGATIVE: &str = "a sum must not be negative";

/// The sums of one key and currency. Within a summary they may be negative: an order
/// whose status has changed is in the sums with the earlier one.
#[derive(Default)]
struct Sum {
    orders: i64,
    quantity: i128,
    revenue: i128,
}

impl Sum {
    fn into_row(
        self,
        by: SummaryKey,
        key: String,
        currency: &str,
    ) -> Result<SummaryRow, AttemptError> {
        let negative = |_| NEGATIVE.to_owned();
        if self.revenue < 0 {
            return Err(NEGATIVE.to_owned().into());
        }
        Ok(SummaryRow {
            key: match by {
                SummaryKey::Day => RowKey::Day(key),
                SummaryKey::Product => RowKey::Product(key.parse()?),
                SummaryKey::Status => RowKey::Status(key.parse()?),
            },
            orders: self.orders.try_into().map_err(negative)?,
            quantity: self.quantity.try_into().map_err(negative)?,
            revenue: Money {
                amount: self.revenue,
                currency: currency.parse()?,
            },
        })
    }
}

/// The statement of a summary; a row is `key, currency, orders, quantity, revenue`.
/// Its text is the same for every period, so that it is prepared once.
fn statement(by: SummaryKey) -> String {
    let day = "DATE_FORMAT(created_at, '%Y-%m-%d')";
    match by {
        SummaryKey::Day => {
            let start = "DATE_FORMAT(start, '%Y-%m-%d')";
            order_statement(start, day, day, |status| {
                format!(" AND {status} <> 'cancelled'")
            })
        }
        SummaryKey::Status => order_statement("status", "status", "summed", |_| String::new()),
        SummaryKey::Product => product_statement(),
    }
}

/// The statement of a summary by a property of the orders: the key of a sum, of an
/// order, and of an order as it was summed; and the condition that a status counts.
fn order_statement(
    of_sum: &str,
    of_order: &str,
    as_summed: &str,
    counts: fn(&str) -> String,
) -> String {
    let (status, summed) = (counts("status"), counts("summed"));
    format!(
        "SELECT {of_sum}, currency, orders, quantity, revenue \
         FROM order_sums WHERE {WITHIN_SPANS}{status} \
         UNION ALL \
         SELECT {of_order}, currency, 1, quantity, total \
         FROM {PENDING_ORDERS} AND {WITHIN_WHOLE}{status} \
         UNION ALL \
         SELECT {as_summed}, currency, -1, -quantity, -total \
         FROM {PENDING_ORDERS} AND {WITHIN_WHOLE} AND summed IS NOT NULL{summed} \
         UNION ALL \
         SELECT {of_order}, currency, COUNT(*), SUM(quantity), SUM(total) \
         FROM orders WHERE {WITHIN_PARTS}{status} \
         GROUP BY {of_order}, currency"
    )
}

/// The statement of a summary by product. A product is in one line of an order, so its
/// lines count its orders.
fn product_statement() -> String {
    // As integers of 64 bits, the largest of them would overflow.
    let revenue = "CAST(order_lines.quantity AS DECIMAL(20)) * unit_price";
    let delta = "((status <> 'cancelled') - COALESCE(summed <> 'cancelled', 0))";
    format!(
        "SELECT product_id, currency, orders, quantity, revenue \
         FROM product_sums WHERE {WITHIN_SPANS} \
         UNION ALL \
         SELECT product_id, currency, {delta}, {delta} * order_lines.quantity, {delta} * {revenue} \
         FROM order_lines JOIN {PENDING_ORDERS} AND {WITHIN_WHOLE} \
              AND order_id = id AND {delta} <> 0 \
         UNION ALL \
         SELECT product_id, currency, COUNT(*), SUM(order_lines.quantity), SUM({revenue}) \
         FROM orders JOIN order_lines ON order_id = id \
         WHERE {WITHIN_PARTS} AND status <> 'cancelled' \
         GROUP BY product_id, currency"
    )
}

/// The values of [`statement`].
fn values(by: SummaryKey, divided: &DividedPeriod) -> Vec<Value> {
    let DividedPeriod {
        parts: [first, last],
        whole,
        days: [days, more_days],
        months: [months, more_months],
        years,
    } = divided;
    let spans = [days, more_days, months, more_months, years];
    let pending = match by {
        SummaryKey::Product => 1,
        SummaryKey::Day | SummaryKey::Status => 2,
    };
    let mut values: Vec<Value> = spans.iter().flat_map(|it| it.dates()).collect();
    values.extend((0..pending).flat_map(|_| whole.times()));
    values.extend(first.times());
    values.extend(last.times());
    values
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::OrderStatus;

    #[test]
    fn a_summary_has_a_value_for_each_placeholder() {
        for by in SummaryKey::ALL {
            let values = values(by, &DividedPeriod::by_largest_spans(Period::default()));
            assert_eq!(statement(by).matches('?').count(), values.len(), "{by}");
        }
    }

    #[test]
    fn an_order_of_every_status_can_be_pending() {
        for status in OrderStatus::ALL {
            let term = format!("(summed = '{status}' AND status <> '{status}')");
            assert!(PENDING_ORDERS.contains(&term), "{term}");
        }
    }
}
