//! `/mysqldata/{id}`: one order.

use axum::extract::State;
use chassis::{
    RequestContext,
    http::{Fetched, Id, Patch, Preconditions, Problem, Request, Tagged},
};

use crate::{
    App,
    order::{Order, OrderId, OrderPatch},
};

/// The documentation of [`fetch`].
pub(crate) const FETCH: &str =
    "With `If-None-Match`, a client that has the state already gets 304.";

/// The documentation of [`patch`].
pub(crate) const PATCH: &str = "\
A placed order can become paid or cancelled, a paid one shipped or cancelled. Any other transition is \
a 409.";

/// `GET`: the order.
pub(crate) async fn fetch(
    State(app): State<App>,
    ctx: RequestContext,
    Request((Id(id), preconditions)): Request<(Id<OrderId>, Preconditions)>,
) -> Result<Fetched<Order>, Problem> {
    let order = app.orders.get(&ctx, id).await?;
    preconditions.fetch(order)
}

/// `PATCH`: changes the order's status.
pub(crate) async fn patch(
    State(app): State<App>,
    ctx: RequestContext,
    Request((Id(id), Patch(OrderPatch { status }), preconditions)): Request<(
        Id<OrderId>,
        Patch<OrderPatch>,
        Preconditions,
    )>,
) -> Result<Tagged<Order>, Problem> {
    let order = app
        .orders
        .transition(&ctx, id, status, &preconditions)
        .await?;
    Ok(Tagged(order))
}
