//! `/mysqldata/{id}`: one order.

use axum::extract::State;
use chassis::{
    Problem, RequestContext,
    auth::Caller,
    http::{Fetched, Id, Patch, Preconditions, Request, Tagged},
};

use crate::{
    App,
    order::{Order, OrderId, OrderPatch},
    permission::Readable,
};

/// The documentation of [`fetch`].
pub(crate) const FETCH: &str = "\
An order of another caller is a 404 without the scope `orders:read-all` or `orders:manage`. With \
`If-None-Match`, a client that has the state already gets 304.";

/// The documentation of [`patch`].
pub(crate) const PATCH: &str = "\
A placed order can become paid or cancelled, a paid one shipped or cancelled. Any other transition \
is a 409. An order of another caller needs the scope `orders:manage`.";

/// `GET`: the order.
pub(crate) async fn fetch(
    State(app): State<App>,
    ctx: RequestContext,
    caller: Caller,
    Request((Id(id), preconditions)): Request<(Id<OrderId>, Preconditions)>,
) -> Result<Fetched<Order>, Problem> {
    let readable = Readable::for_caller(Some(&caller));
    let order = app.orders.get(&ctx, id, readable).await?;
    preconditions.fetch(order)
}

/// `PATCH`: changes the order's status.
pub(crate) async fn patch(
    State(app): State<App>,
    ctx: RequestContext,
    caller: Caller,
    Request((Id(id), Patch(OrderPatch { status }), preconditions)): Request<(
        Id<OrderId>,
        Patch<OrderPatch>,
        Preconditions,
    )>,
) -> Result<Tagged<Order>, Problem> {
    let order = app
        .orders
        .transition(&ctx, &caller, id, status, &preconditions)
        .await?;
    Ok(Tagged(order))
}
