//! The orders in the database: placed, read, moved and listed.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicI64, Ordering::Relaxed},
};

use dto::{
    Money, Timestamp,
    order::{Order, OrderLine, OrderStatus, Pricing},
    product::ProductId,
};
use mysql_async::{Conn, Row, Value, prelude::Queryable};
use time::PrimitiveDateTime;
use uuid::Uuid;

use super::{Conditions, Work, columns, finish, from_column, placeholders, statement, to_column};
use crate::{error::Error, period::Period};

/// Which orders a list is of.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Those in this status.
    pub status: Option<OrderStatus>,
    /// Those of this customer, exactly.
    pub customer: Option<String>,
    /// Those placed in this time.
    pub period: Period,
}

/// Where in the list an order stands: when it was placed, and its id.
pub type Position = (Timestamp, Uuid);

/// The columns of an order that is read.
const COLUMNS: &str =
    "id, customer, status, currency, total, pricing, version, created_at, updated_at, change_id";

/// Reads the order that has this id.
pub struct Find(pub Uuid);

impl Work for Find {
    type Done = Order;

    /// Gives [`Error::NotFound`] where there is none.
    async fn run(&self, connection: &mut Conn) -> Result<Order, Error> {
        let sql = format!("SELECT {COLUMNS} FROM orders WHERE id = ?");
        let (order, _) = find(connection, sql, self.0).await?;
        Ok(order)
    }
}

/// Changes an order. The change sees it as it is, and no other can come between.
/// A second run recognises the first one's change by its id.
pub struct Update<F> {
    /// The order's id.
    id: Uuid,
    /// The change's id.
    change_id: Uuid,
    /// The version that the first run made, or began to make.
    made: AtomicI64,
    /// The change: it leaves the order in another status, or refuses.
    change: F,
}

impl<F> Update<F> {
    /// A change to the order of this id.
    pub fn new(id: Uuid, change: F) -> Self {
        Self {
            id,
            change_id: Uuid::now_v7(),
            made: AtomicI64::new(i64::MAX),
            change,
        }
    }
}

impl<F> Work for Update<F>
where
    F: Fn(&mut Order) -> Result<(), Error> + Sync,
{
    type Done = Order;

    /// Gives [`Error::NotFound`] where there is none, what the change gives, and
    /// [`Error::Unknown`] in a second run where others have changed it since.
    async fn run(&self, connection: &mut Conn) -> Result<Order, Error> {
        let mut transaction = statement::begin(connection).await?;
        let updated = self.update(&mut transaction).await;
        finish(transaction, updated).await
    }
}

impl<F> Update<F>
where
    F: Fn(&mut Order) -> Result<(), Error> + Sync,
{
    /// Reads the order, locked until the transaction ends, and writes what the
    /// change makes of it.
    async fn update(&self, database: &mut impl Queryable) -> Result<Order, Error> {
        let sql = format!("SELECT {COLUMNS} FROM orders WHERE id = ? FOR UPDATE");
        let (mut order, last_change) = find(database, sql, self.id).await?;
        if last_change == Some(self.change_id) {
            return Ok(order);
        }
        // Another made the last change. At the version that the first run would
        // have made, that run was not committed; beyond, it may have been.
        if order.version > self.made.load(Relaxed) {
            return Err(Error::Unknown);
        }
        (self.change)(&mut order)?;
        self.made.store(order.version, Relaxed);
        let sql = "UPDATE orders SET status = ?, version = ?, updated_at = ?, change_id = ? \
                   WHERE id = ?";
        let values = (
            order.status.as_str(),
            order.version,
            to_column(order.updated_at),
            self.change_id,
            self.id,
        );
        statement::run(database, sql, values).await?;
        Ok(order)
    }
}

/// Reads a page of the list, newest first.
pub struct Select {
    /// Which orders it is of.
    pub filter: Filter,
    /// The order after which it begins; with the newest where there is none.
    pub after: Option<Position>,
    /// The most orders that it has.
    pub count: u32,
}

impl Work for Select {
    type Done = Vec<Order>;

    async fn run(&self, connection: &mut Conn) -> Result<Vec<Order>, Error> {
        let (sql, values) = select(self);
        let rows = statement::rows(connection, &sql, values).await?;
        with_lines(connection, rows).await
    }
}

/// The statement that reads a page, and what is bound to it.
fn select(page: &Select) -> (String, Vec<Value>) {
    let Select {
        filter,
        after,
        count,
    } = page;
    let mut conditions = Conditions::default();
    if let Some(status) = filter.status {
        conditions.add("status = ?", [status.as_str().into()]);
    }
    if let Some(customer) = &filter.customer {
        conditions.add("customer = ?", [customer.as_bytes().into()]);
    }
    conditions.add_period(filter.period);
    if let Some((created_at, id)) = *after {
        // `(created_at, id) < (?, ?)` says the same, but not to the optimizer:
        // only the first of these bounds a range of an index.
        let at = to_column(created_at);
        conditions.add("created_at <= ?", [at.into()]);
        conditions.add("(created_at < ? OR id < ?)", [at.into(), id.into()]);
    }
    let sql = format!(
        "SELECT {COLUMNS} FROM orders WHERE {} ORDER BY created_at DESC, id DESC LIMIT ?",
        conditions.all(),
    );
    let mut values = conditions.values;
    values.push((*count).into());
    (sql, values)
}

/// The order that `sql` selects by its id, and the id of its last change.
async fn find(
    database: &mut impl Queryable,
    sql: String,
    id: Uuid,
) -> Result<(Order, Option<Uuid>), Error> {
    let row: Option<Row> = statement::first(database, &sql, (id,)).await?;
    let row = row.ok_or(Error::NotFound)?;
    let Some(Ok(last_change)) = row.get_opt("change_id") else {
        return Err(Error::Row("a change's id is none"));
    };
    let found = with_lines(database, vec![row]).await?;
    let order = found.into_iter().next().ok_or(Error::NotFound)?;
    Ok((order, last_change))
}

/// The orders in these rows of [`COLUMNS`], with the lines of all of them read
/// in one statement.
async fn with_lines(database: &mut impl Queryable, rows: Vec<Row>) -> Result<Vec<Order>, Error> {
    let orders: Result<Vec<_>, _> = rows.into_iter().map(order).collect();
    let mut orders = orders?;
    if orders.is_empty() {
        return Ok(orders);
    }
    let sql = format!(
        "SELECT order_id, product_id, name, quantity, unit_price FROM order_lines \
         WHERE order_id IN ({}) ORDER BY order_id, position",
        placeholders(orders.len()),
    );
    let ids: Vec<Value> = orders.iter().map(|order| order.id.into()).collect();
    let rows = statement::rows(database, &sql, ids).await?;
    let mut lines = HashMap::<Uuid, Vec<OrderLine>>::new();
    for row in rows {
        let (order_id, line) = line(row)?;
        lines.entry(order_id).or_default().push(line);
    }
    for order in &mut orders {
        order.lines = lines.remove(&order.id).unwrap_or_default();
        for line in &mut order.lines {
            line.unit_price.currency.clone_from(&order.total.currency);
        }
    }
    Ok(orders)
}

/// An order of [`COLUMNS`], still without its lines.
fn order(row: Row) -> Result<Order, Error> {
    type Columns = (
        Uuid,
        String,
        String,
        String,
        i64,
        String,
        i64,
        PrimitiveDateTime,
        PrimitiveDateTime,
        Option<Uuid>,
    );
    let (id, customer, status, currency, amount, pricing, version, created_at, updated_at, _) =
        columns::<Columns>(row)?;
    Ok(Order {
        id,
        customer,
        status: OrderStatus::parse(&status).ok_or(Error::Row("a status is unknown"))?,
        lines: Vec::new(),
        total: Money { amount, currency },
        pricing: Pricing::parse(&pricing).ok_or(Error::Row("a pricing is unknown"))?,
        version,
        created_at: from_column(created_at),
        updated_at: from_column(updated_at),
    })
}

/// A line, still without its order's currency, and the id of that order.
fn line(row: Row) -> Result<(Uuid, OrderLine), Error> {
    let (order_id, product_id, name, quantity, amount) =
        columns::<(Uuid, String, String, i64, i64)>(row)?;
    let product_id = ProductId::parse(&product_id).ok_or(Error::Row("a product id is none"))?;
    let line = OrderLine {
        product_id,
        name,
        quantity,
        unit_price: Money {
            amount,
            currency: String::new(),
        },
    };
    Ok((order_id, line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_binds_all_that_a_client_said() {
        let filter = Filter {
            status: Some(OrderStatus::Paid),
            customer: Some("' OR 1=1 --".to_owned()),
            period: Period {
                from: Timestamp::parse_time_or_date("2026-11-22"),
                to: Timestamp::parse_time_or_date("2026-11-23"),
            },
        };
        let page = Select {
            filter,
            after: Some((Timestamp::now(), Uuid::now_v7())),
            count: 21,
        };
        let (sql, values) = select(&page);
        assert!(!sql.contains('\''), "{sql}");
        assert_eq!(sql.matches('?').count(), values.len());

        let first = Select {
            filter: Filter::default(),
            after: None,
            count: 21,
        };
        let (sql, values) = select(&first);
        assert!(sql.contains("WHERE TRUE ORDER BY"), "{sql}");
        assert_eq!(values, [Value::from(21_u32)]);
    }
}
