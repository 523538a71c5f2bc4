//! The summary of the orders by day, product or status.

use chassis::http::openapi::Operation;
use chassis::http::{FromParameter, FromQuery, Query};
use dto::ProductId;
use json::{FieldErrors, Schema, StringEnum};
use serde::Serialize;

use crate::{money::Money, order::OrderStatus, period::Period};

/// The most rows of a summary. They fit into the 6 MB that Lambda lets a function
/// return: a row is at most 280 bytes there, with a product's longest id.
pub(crate) const MAX_ROWS: usize = 20_000;

/// The property by which a summary groups orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, StringEnum)]
pub(crate) enum SummaryKey {
    /// Each day in UTC.
    #[default]
    Day,
    /// Each product.
    Product,
    /// Each status.
    Status,
}

/// Which orders are summarized, and how.
#[derive(Debug, FromQuery)]
pub(crate) struct SummaryQuery {
    /// When the orders were placed.
    pub period: Period,
    /// What the summary has a row for.
    pub by: SummaryKey,
}

/// The default is the day.
impl FromParameter for SummaryKey {
    fn from_parameter(name: &str, query: &mut Query, errors: &mut FieldErrors) -> Option<Self> {
        query
            .take_parsed(name, errors)
            .map(Option::unwrap_or_default)
    }

    fn describe(name: &str, description: &str, operation: &mut Operation) {
        let mut schema = operation.request_schema::<Self>();
        if let Some(schema) = schema.as_object_mut() {
            schema.insert("default".to_owned(), Self::default().as_str().into());
        }
        operation.query_parameter(name, description, &schema);
    }
}

/// A summary of the orders.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Schema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OrderSummary {
    /// What the rows are for.
    pub by: SummaryKey,
    /// One row per key and currency, ordered by key.
    pub rows: Vec<SummaryRow>,
}

/// A row of a summary. Of `day`, `product` and `status`, only the one that `by`
/// names is present.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Schema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SummaryRow {
    /// The key, as a member with the name of its kind.
    #[serde(flatten)]
    pub key: RowKey,
    /// The number of orders.
    pub orders: u64,
    /// The sum of the quantities, exactly.
    pub quantity: u128,
    /// The sum of the prices, exactly.
    pub revenue: Money,
}

/// The key of a [`SummaryRow`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum RowKey {
    /// A day in UTC, such as `2026-11-22`.
    Day(String),
    /// A product.
    Product(ProductId),
    /// A status.
    Status(OrderStatus),
}

impl Schema for RowKey {
    fn schema(_: &mut json::schema::Components) -> json::schema::Json {
        json::schema::json!({ "type": "object" })
    }

    fn members(object: &mut json::schema::ObjectSchema, components: &mut json::schema::Components) {
        let day = json::schema::json!({
            "type": "string", "format": "date", "description": "A day in UTC.",
        });
        object.insert("day", day, false);
        object.insert("product", ProductId::schema(components), false);
        object.insert("status", OrderStatus::schema(components), false);
    }
}
