//! The handlers.

use axum::extract::State;
use chassis::{
    Problem, RequestContext,
    auth::Caller,
    error_chain,
    http::{
        Accept, Created, Fetched, Id, Idempotent, IdempotentRequest, Listing, Outcome, Page, Paged,
        Params, Patch, Preconditions, Replayable, Representation, Request, Resource,
        StoredResponse, Tagged,
    },
};

use crate::{
    App,
    error::Error,
    order::{NewOrder, Order, OrderId, OrderPatch},
    permission::Readable,
    pricing,
    store::{OrderFilter, Position},
    summary::{OrderSummary, SummaryQuery},
};

/// The documentation of [`list`].
pub(crate) const LIST: &str = "\
A page of the caller's orders, newest first; of everybody's with the scope `orders:read-all` or \
`orders:manage`. Without a token it is empty. To get the next page, send `nextCursor` as `cursor` \
with the same filters, until it is `null`. A page may be shorter than its `limit` before the end. \
All pages together have every order that existed throughout exactly once.

As `text/plain` the response is `Test MySQL`, if the database responds.";

/// The documentation of [`place`].
pub(crate) const PLACE: &str = "\
The order belongs to the caller. The catalogue sets the prices. An order keeps the names and the \
prices of its products. A product that the catalogue does not have is a 422 with a pointer to its \
line.";

/// The documentation of [`summarize`].
pub(crate) const SUMMARIZE: &str = "\
One row per key and currency, ordered by key. Cancelled orders count only in `by=status`. A summary \
of more than 20,000 rows is a 422: choose a shorter period.";

/// The documentation of [`fetch`].
pub(crate) const FETCH: &str = "\
An order of another caller is a 404 without the scope `orders:read-all` or `orders:manage`. With \
`If-None-Match`, a client that has the state already gets 304.";

/// The documentation of [`patch`].
pub(crate) const PATCH: &str = "\
A placed order can become paid or cancelled, a paid one shipped or cancelled. Any other transition \
is a 409. An order of another caller needs the scope `orders:manage`.";

/// The path and the entity tag of an order. An order is never deleted, so its
/// version is never reused.
impl Resource for Order {
    fn path(&self) -> String {
        format!("/mysqldata/{}", self.id)
    }

    fn etag(&self) -> String {
        self.version.get().to_string()
    }
}

/// `GET /mysqldata`: a page of the orders, newest first.
pub(crate) async fn list(
    State(app): State<App>,
    ctx: RequestContext,
    caller: Option<Caller>,
    accept: Accept,
    Request(paged): Request<Paged<OrderFilter, Position>>,
) -> Result<Listing<Page<Order>>, Problem> {
    if accept.prefers_text() {
        app.orders.ping(&ctx).await?;
        return Ok(Listing::Text("Test MySQL"));
    }
    let readable = Readable::for_caller(caller.as_ref());
    let found = app
        .orders
        .list(&ctx, readable, &paged.filter, paged.after, paged.limit)
        .await?;
    let page = paged.page_of("MySql Data", found, Position::of)?;
    Ok(Listing::Json(page))
}

/// `POST /mysqldata`: places an order.
pub(crate) async fn place(
    State(app): State<App>,
    ctx: RequestContext,
    caller: Caller,
    Request(Idempotent { body, key }): Request<Idempotent<NewOrder>>,
) -> Result<Replayable<Created<Order>>, Problem> {
    let key = key.as_ref();
    if let Some(first) = app.orders.stored_response(&ctx, key).await? {
        return Ok(Replayable::replayed(first));
    }
    let (order, prices) = match pricing::price_order(&app, &ctx, &body).await {
        Ok(priced) => priced,
        Err(error) => {
            let first = replay_or_fail(error, &app, &ctx, key).await?;
            return Ok(Replayable::replayed(first));
        }
    };
    let created = Created(order);
    let response = created.to_stored().map_err(Problem::internal)?;
    let owner = caller.subject();
    let outcome = app
        .orders
        .place(&ctx, &created.0, owner, &prices, key, &response)
        .await?;
    if outcome == Outcome::Executed {
        ctx.count("orders_placed");
    }
    Ok(Replayable::new(response, outcome))
}

/// `GET /mysqldata/summary`: the orders by day, product or status.
pub(crate) async fn summarize(
    State(app): State<App>,
    ctx: RequestContext,
    Request(Params(SummaryQuery { period, by })): Request<Params<SummaryQuery>>,
) -> Result<Representation<OrderSummary>, Problem> {
    let rows = app.orders.summarize(&ctx, period, by).await?;
    Ok(Representation(OrderSummary { by, rows }))
}

/// `GET /mysqldata/{id}`: the order.
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

/// `PATCH /mysqldata/{id}`: changes the order's status.
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

/// The stored response to a request that cannot be priced because of `error`: the first
/// request with its key may have been executed meanwhile.
///
/// A first request that has not written its key yet is not seen. Then this returns
/// `error`, and a later retry is replayed.
async fn replay_or_fail(
    error: Error,
    app: &App,
    ctx: &RequestContext,
    key: Option<&IdempotentRequest>,
) -> Result<StoredResponse, Error> {
    let Some(key) = key else {
        return Err(error);
    };
    let first = app.orders.wait_for_response(ctx, key).await;
    let first = first.inspect_err(|_| {
        let cause = error_chain(&error);
        tracing::warn!(cause, "a duplicate could not be priced");
    });
    first?.ok_or(error)
}
