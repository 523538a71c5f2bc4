//! `/mysqldata/summary`: the orders by day, product or status.

use axum::extract::State;
use chassis::{
    Problem, RequestContext,
    http::{Params, Representation, Request},
};

use crate::{
    App,
    summary::{OrderSummary, SummaryQuery},
};

/// The documentation of [`summarize`].
pub(crate) const SUMMARIZE: &str = "\
One row per key and currency, ordered by key. Cancelled orders count only in `by=status`. A summary \
of more than 20,000 rows is a 422: choose a shorter period.";

/// `GET`: the summary.
pub(crate) async fn summarize(
    State(app): State<App>,
    ctx: RequestContext,
    Request(Params(SummaryQuery { period, by })): Request<Params<SummaryQuery>>,
) -> Result<Representation<OrderSummary>, Problem> {
    let rows = app.orders.summarize(&ctx, period, by).await?;
    Ok(Representation(OrderSummary { by, rows }))
}
