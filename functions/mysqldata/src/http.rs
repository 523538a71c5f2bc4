//! The handlers: extract, call the domain and the store, respond.

use axum::extract::State;
use chassis::{
    RequestContext,
    http::{
        Accept, Created, Fetched, Id, Idempotent, Listing, Page, Paged, Params, Patch,
        Preconditions, Problem, Replayable, Representation, Request, Tagged,
    },
};

use crate::{
    App,
    order::{NewOrder, Order, OrderId, OrderPatch},
    placement, pricing,
    store::{OrderFilter, Position},
    summary::{OrderSummary, SummaryQuery},
};

/// `GET /mysqldata`: a page of the orders, newest first.
pub async fn list(
    State(app): State<App>,
    ctx: RequestContext,
    accept: Accept,
    Request((query,)): Request<(Paged<OrderFilter, Position>,)>,
) -> Result<Listing<Page<Order>>, Problem> {
    if accept.prefers_text() {
        app.orders.ping(&ctx).await?;
        return Ok(Listing::Text("Test MySQL"));
    }
    let found = app
        .orders
        .list(&ctx, &query.filter, query.after, query.limit)
        .await?;
    let page = query.page_of("MySql Data", found, Position::of)?;
    Ok(Listing::Page(page))
}

/// `POST /mysqldata`: places an order.
pub async fn place(
    State(app): State<App>,
    ctx: RequestContext,
    Request((Idempotent { body, key },)): Request<(Idempotent<NewOrder>,)>,
) -> Result<Replayable<Created<Order>>, Problem> {
    if let Some(key) = &key
        && let Some(first) = app.orders.stored_response(&ctx, key).await?
    {
        return Ok(Replayable::replayed(first));
    }
    let prices = pricing::prices(&app, &ctx, &body.lines).await?;
    let order = Created(placement::order(body, prices.products, prices.pricing)?);
    let response = order.store().map_err(Problem::internal)?;
    let outcome = app
        .orders
        .place(&ctx, &order.0, prices.seen_at, key.as_ref(), &response)
        .await?;
    Ok(Replayable::new(response, outcome))
}

/// `GET /mysqldata/summary`: the orders by day, product or status.
pub async fn summarize(
    State(app): State<App>,
    ctx: RequestContext,
    Request((Params(SummaryQuery { period, by }),)): Request<(Params<SummaryQuery>,)>,
) -> Result<Representation<OrderSummary>, Problem> {
    let rows = app.orders.summarize(&ctx, period, by).await?;
    Ok(Representation(OrderSummary { by, rows }))
}

/// `GET /mysqldata/{id}`: an order.
pub async fn get(
    State(app): State<App>,
    ctx: RequestContext,
    Request((Id(id), preconditions)): Request<(Id<OrderId>, Preconditions)>,
) -> Result<Fetched<Order>, Problem> {
    let order = app.orders.get(&ctx, id).await?;
    preconditions.fetch(order)
}

/// `PATCH /mysqldata/{id}`: changes an order's status.
pub async fn patch(
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
