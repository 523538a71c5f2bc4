//! The service's part of the OpenAPI document.

use dto::{
    openapi::TimeOrDate,
    order::{OrderStatus, SummaryKey},
};
use utoipa::{IntoParams, OpenApi};
use uuid::Uuid;

#[derive(OpenApi)]
#[openapi(
    paths(
        crate::orders::list,
        crate::orders::place,
        crate::summary::read,
        crate::order::read,
        crate::order::patch,
    ),
    components(schemas(TimeOrDate)),
    tags((name = "mysqldata", description = "The orders, in MySQL.")),
)]
struct Document;

/// The service's part of the OpenAPI document.
#[must_use]
pub fn document() -> utoipa::openapi::OpenApi {
    chassis::openapi::complete("mysqldata", Document::openapi())
}

pub(crate) const LIST: &str = "\
Page by page: pass `nextCursor` as `cursor`, with the same filters, until it is `null`. A page may \
be shorter than its `limit` before that. A walk sees every order that was there throughout exactly \
once.

As `text/plain` it is `Test MySQL`, and only when the database has answered.";

pub(crate) const PLACE: &str = "\
The prices are those that the catalogue asks now; what was ordered keeps its price and name, \
whatever becomes of the product. A product that the catalogue does not have is 422, with a pointer \
to its line.";

/// Which order.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "only its parameters are used")]
pub(crate) struct IdParam {
    /// The order's id, a UUID in either case.
    #[param(
        example = "01a1a14c-afba-72da-b5b1-966a1c0be80c",
        pattern = "^[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}$"
    )]
    id: Uuid,
}

/// Which orders.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only its parameters are used")]
pub(crate) struct ListParams {
    /// Only orders of this status.
    #[param(nullable = false)]
    status: Option<OrderStatus>,
    /// Only orders of this customer, exactly.
    #[param(
        nullable = false,
        min_length = 1,
        max_length = 200,
        pattern = r"^[^\u0000-\u001F\u007F-\u009F]*$"
    )]
    customer: Option<String>,
    /// The most orders of the page.
    #[param(nullable = false, minimum = 1, maximum = 100, default = 20)]
    limit: Option<i32>,
    /// Where the page begins: `nextCursor` of the page before.
    #[param(nullable = false)]
    cursor: Option<String>,
}

/// When the orders were placed.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only its parameters are used")]
pub(crate) struct PeriodParams {
    /// Only orders placed then or later.
    #[param(nullable = false)]
    from: Option<TimeOrDate>,
    /// Only orders placed before then; not before `from`.
    #[param(nullable = false)]
    to: Option<TimeOrDate>,
}

/// What a summary has rows for.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only its parameters are used")]
pub(crate) struct SummaryParams {
    /// What there is a row for.
    #[param(nullable = false, default = "day")]
    by: Option<SummaryKey>,
}
