//! The orders in the database.

mod change;
mod divided_period;
mod rows;
mod snapshots;
mod summary;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use chassis::{
    RequestContext,
    auth::Caller,
    error_chain,
    http::{
        FromQuery, IdempotentRequest, Limit, Outcome, Preconditions, Resource, StoredResponse,
        health::Check,
    },
};
use dto::{ProductId, Timestamp};
use mysql::{Conditions, Database, KeyTable, Session, TransactionError, to_datetime};
use serde::{Deserialize, Serialize};

use self::{change::Change, rows::Found};
use crate::{
    catalogue::Products,
    error::Error,
    order::{Customer, Order, OrderId, OrderStatus},
    period::Period,
    permission::{Readable, may_change},
    placement::Prices,
    summary::{SummaryKey, SummaryRow},
};

/// The most orders that a run of [`Orders::sum_pending`] adds. Runs exclude each other,
/// so they are rare and large.
const MAX_SUMMED: u32 = 64;

/// The fewest writes for each run, on average.
const MIN_WRITES_PER_SUM: u32 = 8;

/// The timeout of a run.
const SUM_TIMEOUT: Duration = Duration::from_millis(250);

/// The timeout of writing the prices of an order that is refused.
const REMEMBER_TIMEOUT: Duration = Duration::from_millis(500);

/// The store of the orders. Clones share its connections.
#[derive(Clone)]
pub(crate) struct Orders {
    database: Database,
    keys: KeyTable,
    /// How many orders the next run of [`Orders::sum_pending`] adds at most.
    sum_limit: Arc<AtomicU32>,
}

/// Which orders a list has.
#[derive(Debug, Clone, Default, FromQuery)]
pub(crate) struct OrderFilter {
    /// Only orders of this status.
    pub status: Option<OrderStatus>,
    /// Only orders of this customer, exactly.
    pub customer: Option<Customer>,
    /// When the orders were placed.
    pub period: Period,
}

/// The position of an order in the list.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Position(Timestamp, OrderId);

impl Position {
    /// The position of an order.
    pub(crate) fn of(order: &Order) -> Self {
        Self(order.created_at, order.id)
    }
}

impl Orders {
    /// Opens the store: a function starts even if it is unavailable.
    pub(crate) async fn open(config: mysql::Config) -> Self {
        let database = Database::open(config).await;
        Self {
            keys: KeyTable::new(&database, "POST /mysqldata"),
            database,
            sum_limit: Arc::new(MAX_SUMMED.into()),
        }
    }

    /// Its health check.
    pub(crate) fn check(&self) -> Check {
        self.database.check()
    }

    /// Checks that the database responds.
    pub(crate) async fn ping(&self, ctx: &RequestContext) -> Result<(), Error> {
        Ok(self.database.ping(ctx).await?)
    }

    /// The order with this id, if it is one of the readable ones.
    pub(crate) async fn get(
        &self,
        ctx: &RequestContext,
        id: OrderId,
        readable: Readable<'_>,
    ) -> Result<Order, Error> {
        let find = async |session: Session| rows::find(&session, id).await;
        let found = self.database.run(ctx, find).await?;
        let found = found.filter(|found| readable.includes(&found.owner));
        found.map(|found| found.order).ok_or(Error::NotFound)
    }

    /// The readable orders after a position in the list, newest first: at most
    /// `limit`, and one more if there are more.
    pub(crate) async fn list(
        &self,
        ctx: &RequestContext,
        readable: Readable<'_>,
        filter: &OrderFilter,
        after: Option<Position>,
        limit: Limit,
    ) -> Result<Vec<Order>, Error> {
        let (conditions, values) = conditions(readable, filter, after).into_parts();
        let list = async |session: Session| {
            rows::list(&session, &conditions, values.clone(), limit.get() + 1).await
        };
        Ok(self.database.run(ctx, list).await?)
    }

    /// The stored response to a request that places an order, if it has a key, without
    /// waiting for one that is running.
    pub(crate) async fn stored_response(
        &self,
        ctx: &RequestContext,
        key: Option<&IdempotentRequest>,
    ) -> Result<Option<StoredResponse>, Error> {
        match key {
            Some(key) => Ok(self.keys.stored_response(ctx, key).await?),
            None => Ok(None),
        }
    }

    /// The stored response, after waiting for a running request with the same key.
    pub(crate) async fn wait_for_response(
        &self,
        ctx: &RequestContext,
        key: &IdempotentRequest,
    ) -> Result<Option<StoredResponse>, Error> {
        Ok(self.keys.wait_for_response(ctx, key).await?)
    }

    /// Writes a new order of `owner` and the snapshots of its prices. With an
    /// idempotency key, this is executed once.
    pub(crate) async fn place(
        &self,
        ctx: &RequestContext,
        order: &Order,
        owner: &str,
        prices: &Prices,
        key: Option<&IdempotentRequest>,
        response: &StoredResponse,
    ) -> Result<Outcome, Error> {
        let write = async |session: Session| {
            match rows::insert(&session, order, owner).await {
                // An id is generated once: an earlier attempt was committed. With a key,
                // that is known before the order is inserted.
                Err(error) if error.is_duplicate() => return Ok(()),
                inserted => inserted?,
            }
            if let Some(seen_at) = prices.seen_at {
                // Last, because other orders wait for these rows most often.
                snapshots::write(&session, &prices.products, seen_at).await?;
            }
            Ok(())
        };
        let outcome = (self.keys.execute::<Error, _>(ctx, key, response, write)).await?;
        self.sum_pending(ctx).await;
        Ok(outcome)
    }

    /// Adds pending orders to the sums, as [`sums`] describes, after some writes and
    /// replays, chosen at random. The request has been executed; a failure here does not
    /// affect it.
    async fn sum_pending(&self, ctx: &RequestContext) {
        let limit = self.sum_limit.load(Ordering::Relaxed);
        // A run adds up to `limit` orders, and one write of `limit / 2` starts one: two
        // orders for each write on average, so that few are pending. At most one write of
        // eight starts a run, so while the database is too slow for runs of 16 orders,
        // fewer than two are added for each write.
        let is_chosen = fastrand::u32(..(limit / 2).max(MIN_WRITES_PER_SUM)) == 0;
        // With less time left, a run would hold its locks, time out and be rolled back.
        if !is_chosen || ctx.deadline.remaining() < SUM_TIMEOUT {
            return;
        }
        let ctx = ctx.with_deadline(ctx.deadline.at_most(SUM_TIMEOUT));
        let started = Instant::now();
        let sum = async |session: Session| {
            let added = sums::add_pending(&session, limit).await;
            added.map_err(TransactionError::<Error>::from)
        };
        let duration = match self.database.transaction(&ctx, sum).await {
            Ok(Some(_)) => Some(started.elapsed()),
            // Another function adds orders.
            Ok(None) => return,
            Err(error) => {
                let cause = error_chain(&error);
                tracing::warn!(cause, limit, "pending orders were not added to the sums");
                None
            }
        };
        let next = sums::next_limit(limit, MAX_SUMMED, duration, SUM_TIMEOUT);
        self.sum_limit.store(next, Ordering::Relaxed);
    }

    /// Changes the status of an order on behalf of a caller. No other change can
    /// come in between.
    ///
    /// Fails with [`Error::NotFound`] if the caller may not read the order, and with
    /// [`Error::Forbidden`] if the caller may read it and not change it.
    ///
    /// Fails with [`mysql::Error::Unknown`] if an earlier attempt may have been committed
    /// and followed by another change.
    pub(crate) async fn transition(
        &self,
        ctx: &RequestContext,
        caller: &Caller,
        id: OrderId,
        to: OrderStatus,
        preconditions: &Preconditions,
    ) -> Result<Order, Error> {
        let change = Change::new();
        let transition = async |session: Session| {
            let abort = TransactionError::Abort;
            let found = rows::find_for_update(&session, id).await?;
            let found =
                found.filter(|found| Readable::for_caller(Some(caller)).includes(&found.owner));
            let Found {
                mut order,
                last_change,
                owner,
            } = found.ok_or(abort(Error::NotFound))?;
            if !may_change(caller, &owner) {
                return Err(abort(Error::Forbidden));
            }
            if change.check_committed(&order, last_change).map_err(abort)? {
                return Ok(order);
            }
            if !preconditions.hold(Some(&order.etag())) {
                return Err(abort(Error::PreconditionFailed));
            }
            order
                .transition(to, Timestamp::now())
                .map_err(|error| abort(error.into()))?;
            rows::update(&session, &order, change.id).await?;
            change.record_attempt(&order);
            Ok(order)
        };
        let order = self.database.transaction(ctx, transition).await?;
        self.sum_pending(ctx).await;
        Ok(order)
    }

    /// The number of orders, their quantity and their revenue, for each key and
    /// currency. Cancelled orders count by status only.
    pub(crate) async fn summarize(
        &self,
        ctx: &RequestContext,
        period: Period,
        by: SummaryKey,
    ) -> Result<Vec<SummaryRow>, Error> {
        let read = async |session: Session| summary::read(&session, period, by).await;
        let rows = self.database.run(ctx, read).await?;
        rows.ok_or(Error::TooManyRows)
    }

    /// The snapshots of these products that the catalogue returned after `since`.
    pub(crate) async fn snapshots(
        &self,
        ctx: &RequestContext,
        products: &[&ProductId],
        since: Timestamp,
    ) -> Result<Products, Error> {
        let read = async |session: Session| snapshots::read(&session, products, since).await;
        Ok(self.database.run(ctx, read).await?)
    }

    /// Writes the names and prices that the catalogue returned at `seen_at`, and
    /// forgets those of the products that it reported missing, so that no order is
    /// placed at them.
    pub(crate) async fn remember(
        &self,
        ctx: &RequestContext,
        products: &Products,
        missing: &[&ProductId],
        seen_at: Timestamp,
    ) -> Result<(), Error> {
        let ctx = ctx.with_deadline(ctx.deadline.at_most(REMEMBER_TIMEOUT));
        let write = async |session: Session| {
            if !missing.is_empty() {
                snapshots::forget(&session, missing, seen_at).await?;
            }
            if !products.is_empty() {
                snapshots::write(&session, products, seen_at).await?;
            }
            Ok(())
        };
        Ok(self.database.run(&ctx, write).await?)
    }
}

/// The conditions of the readable orders that match `filter` and come after a
/// position.
fn conditions(readable: Readable<'_>, filter: &OrderFilter, after: Option<Position>) -> Conditions {
    let OrderFilter {
        status,
        customer,
        period,
    } = filter;
    let mut conditions = Conditions::new();
    match readable {
        Readable::All => {}
        Readable::OwnedBy(owner) => conditions.add("owner = ?", [owner.as_bytes().into()]),
        Readable::None => conditions.add("FALSE", []),
    }
    if let Some(status) = status {
        conditions.add("status = ?", [status.as_str().into()]);
    }
    if let Some(customer) = customer {
        conditions.add("customer = ?", [customer.as_str().into()]);
    }
    let Period { from, to } = period;
    if let Some(from) = from {
        conditions.add("created_at >= ?", [to_datetime(*from).into()]);
    }
    if let Some(to) = to {
        conditions.add("created_at < ?", [to_datetime(*to).into()]);
    }
    if let Some(Position(created_at, OrderId(id))) = after {
        // `(created_at, id) < (?, ?)` means the same, but the optimizer uses only
        // the first of these to bound a range of an index.
        let at = to_datetime(created_at);
        conditions.add("created_at <= ?", [at.into()]);
        conditions.add("(created_at < ? OR id < ?)", [at.into(), id.into()]);
    }
    conditions
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_filter_is_bound_and_never_part_of_the_statement() {
        let filter = OrderFilter {
            status: Some(OrderStatus::Paid),
            customer: Some("' OR 1=1 --".parse().unwrap()),
            period: Period {
                from: Timestamp::parse_time_or_date("2026-11-22"),
                to: Timestamp::parse_time_or_date("2026-11-23"),
            },
        };
        let after = Position(Timestamp::now(), OrderId(Uuid::now_v7()));
        let (sql, values) = conditions(Readable::OwnedBy("ada"), &filter, Some(after)).into_parts();
        assert!(!sql.contains('\''), "{sql}");
        assert_eq!(sql.matches('?').count(), values.len());
        assert_eq!(values.len(), 8);

        let (sql, values) = conditions(Readable::All, &OrderFilter::default(), None).into_parts();
        assert_eq!((sql.as_str(), values.len()), ("TRUE", 0));
    }
}
