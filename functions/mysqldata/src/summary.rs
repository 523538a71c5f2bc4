//! `/mysqldata/summary`: what the orders come to.

use axum::{extract::State, response::Response};
use chassis::{Input, Problem, reply};
use dto::order::{OrderSummary, SummaryKey};
use http::StatusCode;

use crate::{Orders, period::Period, store::Summarise};

/// `GET`: what the orders come to by day, product or status.
#[cfg_attr(feature = "openapi", utoipa::path(
    get,
    path = "/mysqldata/summary",
    operation_id = "summarizeOrders",
    summary = "Summarize the orders",
    description = "One row per key and currency, in order of the key. Cancelled orders count in `by=status` alone.",
    params(crate::openapi::PeriodParams, crate::openapi::SummaryParams),
    responses(
        (
            status = 200,
            description = "What the orders come to.",
            body = OrderSummary,
            headers(("Cache-Control")),
        ),
        (status = 422, response = chassis::openapi::InvalidRequest),
        chassis::openapi::Failures,
    ),
))]
pub async fn read(State(orders): State<Orders>, mut input: Input) -> Result<Response, Problem> {
    let params = input.params(&["from", "to", "by"]);
    let period = Period::read(&mut input, &params);
    let rule = "must be day, product or status";
    let by = input.param(&params, "by", rule, SummaryKey::parse);
    let call = input.call.clone();
    let by = input.finish(Some(by.unwrap_or(SummaryKey::Day)))?;

    let summarise = Summarise { by, period };
    let rows = orders.store.run(&call, &summarise).await?;
    reply::json(StatusCode::OK, &OrderSummary { by, rows })
}
