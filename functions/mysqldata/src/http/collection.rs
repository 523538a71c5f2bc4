//! `/mysqldata`: the orders.

use axum::extract::State;
use chassis::{
    Problem, RequestContext,
    auth::Caller,
    http::{Accept, Created, Idempotent, Listing, Outcome, Page, Paged, Replayable, Request},
};

use crate::{
    App,
    order::{NewOrder, Order},
    permission::Readable,
    pricing::{self, Priced},
    store::{OrderFilter, Position},
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

/// `GET`: a page of the orders, newest first.
pub(crate) async fn list(
    State(app): State<App>,
    ctx: RequestContext,
    caller: Option<Caller>,
    Request((accept, request)): Request<(Accept, Paged<OrderFilter, Position>)>,
) -> Result<Listing<Page<Order>>, Problem> {
    if accept.prefers_text() {
        app.orders.ping(&ctx).await?;
        return Ok(Listing::Text("Test MySQL"));
    }
    let found = app
        .orders
        .list(
            &ctx,
            Readable::for_caller(caller.as_ref()),
            &request.filter,
            request.after,
            request.limit,
        )
        .await?;
    let page = request.page_of("MySql Data", found, Position::of)?;
    Ok(Listing::Json(page))
}

/// `POST`: places an order.
pub(crate) async fn place(
    State(app): State<App>,
    ctx: RequestContext,
    caller: Caller,
    Request(Idempotent { body, key }): Request<Idempotent<NewOrder>>,
) -> Result<Replayable<Created<Order>>, Problem> {
    let (order, prices) = match pricing::price(&app, &ctx, &body, key.as_ref()).await? {
        Priced::New(order, prices) => (order, prices),
        Priced::Replayed(first) => return Ok(Replayable::replayed(first)),
    };
    let created = Created(order);
    let response = created.store().map_err(Problem::internal)?;
    let outcome = app
        .orders
        .place(
            &ctx,
            &created.0,
            caller.subject(),
            &prices,
            key.as_ref(),
            &response,
        )
        .await?;
    if outcome == Outcome::Executed {
        ctx.count("orders_placed");
    }
    Ok(Replayable::new(response, outcome))
}
