//! `/mysqldata`: the orders.

use axum::{extract::State, response::Response};
use chassis::{Input, JSON, Params, Problem, cursor::List, idempotency::Answer, negotiate, reply};
use dto::{
    order::{CUSTOMER_LENGTH, NewOrder, Order, OrderStatus},
    read::{Lines, text_fault},
};
use http::{
    StatusCode,
    header::{CONTENT_TYPE, ETAG, HeaderName, LOCATION},
};

use crate::{
    Error, Orders,
    order::tag,
    page::page,
    period::Period,
    placement, pricing,
    store::{Filter, Place, Placed, Position, Recall, Select},
};

/// The filters of the list. A cursor is bound to them; `limit` may change from
/// page to page.
const FILTERS: [&str; 4] = ["status", "customer", "from", "to"];

/// `GET`: a page of the orders, newest first.
#[cfg_attr(feature = "openapi", utoipa::path(
    get,
    path = "/mysqldata",
    operation_id = "listOrders",
    summary = "List orders",
    description = crate::openapi::LIST,
    params(crate::openapi::ListParams),
    responses(
        (
            status = 200,
            description = "A page of orders, newest first.",
            content((dto::order::OrderPage = "application/json"), (String = "text/plain")),
            headers(("Vary")),
        ),
        (status = 422, response = chassis::openapi::InvalidRequest),
        chassis::openapi::Failures,
    ),
))]
pub async fn list(State(orders): State<Orders>, mut input: Input) -> Result<Response, Problem> {
    let params = input.params(&["status", "customer", "from", "to", "limit", "cursor"]);
    let filter = filter(&mut input, &params);
    let limit = input.limit(&params);
    let filters = FILTERS.map(|name| (name, params.get(name)));
    let list = List {
        name: "/mysqldata",
        filters: &filters,
    };
    let after: Option<Position> = input.cursor(&params, &list);
    let offers = ["application/json", "text/plain"];
    let media_type = negotiate::best(&input.headers, &offers);
    let call = input.call.clone();
    input.finish(Some(()))?;

    let select = Select {
        filter,
        after,
        // One more than asked for tells whether there is another page.
        count: limit + 1,
    };
    let found = orders.store.run(&call, &select).await?;
    let response = match media_type {
        Some("text/plain") => reply::text("Test MySQL"),
        _ => reply::json(StatusCode::OK, &page(found, limit, &list)?)?,
    };
    Ok(reply::vary_accept(response))
}

fn filter(input: &mut Input, params: &Params) -> Filter {
    let status = input.param(params, "status", OrderStatus::RULE, OrderStatus::parse);
    let rule = "must be 1 to 200 characters, none of them a control character";
    let customer = input.param(params, "customer", rule, |text| {
        let fault = text_fault(text, CUSTOMER_LENGTH, Lines::One);
        fault.is_none().then(|| text.to_owned())
    });
    Filter {
        status,
        customer,
        period: Period::read(input, params),
    }
}

/// `POST`: places an order, at the prices that the catalogue asks now.
#[cfg_attr(feature = "openapi", utoipa::path(
    post,
    path = "/mysqldata",
    operation_id = "placeOrder",
    summary = "Place an order",
    description = crate::openapi::PLACE,
    params(chassis::openapi::IdempotencyKey),
    request_body = dto::openapi::NewOrder,
    responses(
        (
            status = 201,
            description = "The order, as it was placed.",
            body = dto::order::Order,
            headers(("ETag"), ("Idempotency-Replayed"), ("Location")),
            links(
                ("get" = (operation_id = "getOrder", parameters(("id" = "$response.body#/id")), description = "Get it.")),
                ("patch" = (operation_id = "patchOrder", parameters(("id" = "$response.body#/id")), description = "Move it on.")),
            ),
        ),
        (status = 409, response = chassis::openapi::Conflict),
        chassis::openapi::Refusals,
        chassis::openapi::Failures,
    ),
))]
pub async fn place(State(orders): State<Orders>, mut input: Input) -> Result<Response, Problem> {
    input.params(&[]);
    let new = input.json(JSON, NewOrder::read)?;
    let once = input.once();
    let call = input.call.clone();
    let new = input.finish(new)?;

    if let Some(once) = &once
        && let Some(before) = orders.store.run(&call, &Recall(once)).await?
    {
        return Ok(before.again());
    }
    let prices = pricing::prices(&orders, &call, &new).await?;
    let order = placement::order(new, prices.offers, prices.pricing)?;
    let answer = placed(&order)?;
    let place = Place {
        order: &order,
        seen_at: prices.seen_at,
        once: once.as_ref(),
        answer: &answer,
    };
    Ok(match orders.store.run(&call, &place).await? {
        Placed::Now => answer.first(),
        Placed::Before(before) => before.again(),
    })
}

/// The answer to the request that placed the order, as it is kept under the
/// request's key.
fn placed(order: &Order) -> Result<Answer, Error> {
    let header = |name: HeaderName, value: String| (name.as_str().to_owned(), value);
    Ok(Answer {
        status: StatusCode::CREATED.as_u16(),
        headers: vec![
            header(CONTENT_TYPE, "application/json".to_owned()),
            header(ETAG, format!("\"{}\"", tag(order))),
            header(LOCATION, format!("/mysqldata/{}", order.id)),
        ],
        body: serde_json::to_string(order)?,
    })
}
