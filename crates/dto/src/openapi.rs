//! What travels, as schemas of the OpenAPI document, where the types that hold
//! it do not show it: requests are read by hand, and some members are folded.
//!
//! Nothing is ever made of these types. The tests send what they allow and what
//! they do not, and look whether the readers agree.
#![expect(dead_code, reason = "only their schemas are used")]

use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    MoneySum,
    order::OrderStatus,
    product::{Attributes, Product, ProductId},
};

/// What one costs, as a client sends it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// Minor units (øre, cents).
    #[schema(minimum = 0, maximum = 10_000_000_000_i64)]
    amount: i64,
    /// Three capitals, as in ISO 4217.
    #[schema(pattern = "^[A-Z]{3}$")]
    currency: String,
}

/// What a client says of a product.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProductContent {
    /// 1–200 characters without control characters.
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = r"^[^\u0000-\u001F\u007F-\u009F]*$"
    )]
    name: String,
    /// 1–64 characters without control characters.
    #[schema(
        min_length = 1,
        max_length = 64,
        pattern = r"^[^\u0000-\u001F\u007F-\u009F]*$"
    )]
    category: String,
    price: Price,
    /// At most 2,000 characters; line feeds and tabs may stand in it.
    #[schema(
        max_length = 2_000,
        nullable = false,
        pattern = r"^[^\u0000-\u0008\u000B-\u001F\u007F-\u009F]*$"
    )]
    description: Option<String>,
    #[schema(nullable = false)]
    attributes: Option<Attributes>,
}

/// A merge patch of a product (RFC 7396): what is there replaces what was, and
/// `null` removes what may be absent.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProductPatch {
    /// 1–200 characters without control characters.
    #[schema(
        min_length = 1,
        max_length = 200,
        nullable = false,
        pattern = r"^[^\u0000-\u001F\u007F-\u009F]*$"
    )]
    name: Option<String>,
    /// 1–64 characters without control characters.
    #[schema(
        min_length = 1,
        max_length = 64,
        nullable = false,
        pattern = r"^[^\u0000-\u001F\u007F-\u009F]*$"
    )]
    category: Option<String>,
    #[schema(nullable = false)]
    price: Option<PricePatch>,
    /// At most 2,000 characters; line feeds and tabs may stand in it.
    #[schema(
        max_length = 2_000,
        pattern = r"^[^\u0000-\u0008\u000B-\u001F\u007F-\u009F]*$"
    )]
    description: Option<String>,
    /// Merged member by member, at every level. `null` empties it.
    attributes: Option<Attributes>,
}

/// What changes in what one costs.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"amount": 15900})))]
pub struct PricePatch {
    /// Minor units (øre, cents).
    #[schema(minimum = 0, maximum = 10_000_000_000_i64, nullable = false)]
    amount: Option<i64>,
    /// Three capitals, as in ISO 4217.
    #[schema(pattern = "^[A-Z]{3}$", nullable = false)]
    currency: Option<String>,
}

/// A page of the catalogue, or a batch by ids.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProductPage {
    /// `NoSql Data`.
    message: String,
    /// The products, in the order they were asked for if they were asked for by
    /// their ids.
    #[schema(max_items = 100)]
    items: Vec<Product>,
    /// Only with `ids`: those that no product has, in the order they were asked
    /// for.
    #[schema(max_items = 100, nullable = false)]
    missing: Option<Vec<ProductId>>,
    /// Where the next page begins; `null` at the end, and of a batch.
    #[schema(required = true)]
    next_cursor: Option<String>,
}

/// What a client says to place an order.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewOrder {
    /// Who orders: 1–200 characters without control characters.
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = r"^[^\u0000-\u001F\u007F-\u009F]*$"
    )]
    customer: String,
    /// 1–100 lines, each product once, all priced in one currency.
    #[schema(min_items = 1, max_items = 100)]
    lines: Vec<NewOrderLine>,
}

/// What the lines of an order cost together.
#[derive(Deserialize, ToSchema)]
pub struct Total {
    /// Minor units (øre, cents).
    #[schema(minimum = 0)]
    amount: i64,
    /// Three capitals, as in ISO 4217.
    #[schema(pattern = "^[A-Z]{3}$")]
    currency: String,
}

/// A line of a new order.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct NewOrderLine {
    product_id: ProductId,
    /// How many.
    #[schema(minimum = 1, maximum = 999)]
    quantity: i64,
}

/// What a client says to move an order on.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OrderPatch {
    /// Where to: a placed order may be paid or cancelled, a paid one shipped or
    /// cancelled.
    status: OrderStatus,
}

/// A row of a summary. Exactly one of `day`, `product` and `status` is there, as
/// `by` says.
#[derive(Deserialize, ToSchema)]
pub struct SummaryRow {
    /// A day in UTC.
    #[schema(format = Date, nullable = false)]
    day: Option<String>,
    #[schema(nullable = false)]
    product: Option<ProductId>,
    #[schema(nullable = false)]
    status: Option<OrderStatus>,
    /// The number of orders.
    #[schema(minimum = 0)]
    orders: i128,
    /// The number of pieces in them.
    #[schema(minimum = 0)]
    quantity: i128,
    /// The sum of what they cost.
    revenue: MoneySum,
}

/// What is wrong at one place of a request. Exactly one of `pointer`,
/// `parameter` and `header` is there.
#[derive(Deserialize, ToSchema)]
pub struct Fault {
    /// A place in the body, as a JSON pointer (RFC 6901); empty for all of it.
    #[schema(nullable = false)]
    pointer: Option<String>,
    /// A query parameter, by its name.
    #[schema(nullable = false)]
    parameter: Option<String>,
    /// A header, by its name.
    #[schema(nullable = false)]
    header: Option<String>,
    /// What must hold there.
    detail: String,
}
