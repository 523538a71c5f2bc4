//! `/mysqldata/{id}`: one order.

use axum::{extract::State, response::Response};
use chassis::{Input, MERGE_PATCH, Problem, reply};
use dto::{
    Timestamp,
    order::{Order, OrderPatch, OrderStatus},
};
use http::StatusCode;
use uuid::Uuid;

use crate::{
    Error, Orders,
    store::{Find, Update},
};

/// `GET`: an order.
#[cfg_attr(feature = "openapi", utoipa::path(
    get,
    path = "/mysqldata/{id}",
    operation_id = "getOrder",
    summary = "Get an order",
    description = "With `If-None-Match` it is sent only to a client that does not have it.",
    params(crate::openapi::IdParam, chassis::openapi::Conditions),
    responses(
        (
            status = 200,
            description = "The order.",
            body = dto::order::Order,
            headers(("ETag")),
        ),
        (status = 304, description = "The client has it already.", headers(("ETag"))),
        (status = 404, response = chassis::openapi::NotFound),
        (status = 412, response = chassis::openapi::PreconditionFailed),
        (status = 422, response = chassis::openapi::InvalidRequest),
        chassis::openapi::Failures,
    ),
))]
pub async fn read(State(orders): State<Orders>, mut input: Input) -> Result<Response, Problem> {
    input.params(&[]);
    let conditions = input.preconditions();
    let (id, call) = (input.id(parse_id), input.call.clone());
    input.finish(Some(()))?;

    let order = orders.store.run(&call, &Find(id?)).await?;
    let tag = tag(&order);
    if !conditions.matches(Some(&tag)) {
        Err(Error::Stale.into())
    } else if conditions.none_match_fails(Some(&tag)) {
        Ok(reply::not_modified(&tag))
    } else {
        answer(StatusCode::OK, &order)
    }
}

/// `PATCH`: moves an order on to another status.
#[cfg_attr(feature = "openapi", utoipa::path(
    patch,
    path = "/mysqldata/{id}",
    operation_id = "patchOrder",
    summary = "Move an order on",
    description = "A placed order may be paid or cancelled, a paid one shipped or cancelled; any other move is 409.",
    params(crate::openapi::IdParam, chassis::openapi::Conditions),
    request_body(content(
        (dto::openapi::OrderPatch = "application/merge-patch+json"),
        (dto::openapi::OrderPatch = "application/json"),
    )),
    responses(
        (
            status = 200,
            description = "The order, as it is now.",
            body = dto::order::Order,
            headers(("ETag")),
        ),
        (status = 404, response = chassis::openapi::NotFound),
        (status = 409, response = chassis::openapi::Conflict),
        (status = 412, response = chassis::openapi::PreconditionFailed),
        chassis::openapi::PatchRefusals,
        chassis::openapi::Failures,
    ),
))]
pub async fn patch(State(orders): State<Orders>, mut input: Input) -> Result<Response, Problem> {
    input.params(&[]);
    let conditions = input.preconditions();
    let patch = input.json(MERGE_PATCH, OrderPatch::read)?;
    let (id, call) = (input.id(parse_id), input.call.clone());
    let OrderPatch { status } = input.finish(patch)?;

    let change = |order: &mut Order| {
        if !conditions.hold(Some(&tag(order))) {
            return Err(Error::Stale);
        }
        move_on(order, status, Timestamp::now())
    };
    let update = Update::new(id?, change);
    let order = orders.store.run(&call, &update).await?;
    answer(StatusCode::OK, &order)
}

/// Moves the order on to the status `to`, at the time `now`.
fn move_on(order: &mut Order, to: OrderStatus, now: Timestamp) -> Result<(), Error> {
    let from = order.status;
    if !from.next().contains(&to) {
        return Err(Error::NoSuchMove { from, to });
    }
    order.status = to;
    order.version += 1;
    // Another machine's clock may have been ahead of this one's.
    order.updated_at = now.max(order.updated_at);
    Ok(())
}

/// The answer that has the order as its body.
fn answer(status: StatusCode, order: &Order) -> Result<Response, Problem> {
    let response = reply::json(status, order)?;
    Ok(reply::with_etag(response, &tag(order)))
}

/// The order's entity tag. Orders are never deleted, so a version never comes
/// again.
pub fn tag(order: &Order) -> String {
    order.version.to_string()
}

/// Reads an id in the one spelling that the service gives it.
fn parse_id(text: &str) -> Option<Uuid> {
    let id = Uuid::try_parse(text).ok()?;
    (id.to_string() == text).then_some(id)
}

#[cfg(test)]
mod tests {
    use OrderStatus::{Cancelled, Paid, Placed, Shipped};
    use dto::{Money, order::Pricing};

    use super::*;

    fn order(status: OrderStatus) -> Order {
        let at = Timestamp::parse_time_or_date("2026-11-22").unwrap();
        Order {
            id: Uuid::nil(),
            customer: "Ann".to_owned(),
            status,
            lines: Vec::new(),
            total: Money {
                amount: 0,
                currency: "DKK".to_owned(),
            },
            pricing: Pricing::Live,
            version: 7,
            created_at: at,
            updated_at: at,
        }
    }

    #[test]
    fn an_order_moves_only_along_its_life() {
        let life = [
            (Placed, Paid),
            (Placed, Cancelled),
            (Paid, Shipped),
            (Paid, Cancelled),
        ];
        for from in OrderStatus::ALL {
            for to in OrderStatus::ALL {
                let mut order = order(from);
                let allowed = life.contains(&(from, to));
                let moved = move_on(&mut order, to, Timestamp::now());
                assert_eq!(moved.is_ok(), allowed, "{from} to {to}");
                let after = if allowed { (to, 8) } else { (from, 7) };
                assert_eq!((order.status, order.version), after);
            }
        }
    }

    #[test]
    fn an_order_never_was_updated_before_it_was() {
        let mut order = order(Placed);
        let past = Timestamp::parse_time_or_date("2026-11-21").unwrap();
        move_on(&mut order, Paid, past).unwrap();
        assert_eq!(order.updated_at, order.created_at);
    }

    #[test]
    fn an_id_has_one_spelling() {
        let id = "019aacd4-3b7f-7cc1-8a53-0123456789ab";
        assert!(parse_id(id).is_some());
        for other in [
            "",
            "x",
            "019aacd43b7f7cc18a530123456789ab",
            "{019aacd4-3b7f-7cc1-8a53-0123456789ab}",
            &id.to_uppercase(),
        ] {
            assert!(parse_id(other).is_none(), "{other}");
        }
    }
}
