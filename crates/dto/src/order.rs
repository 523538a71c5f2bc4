//! The orders.

use std::{collections::BTreeSet, fmt, ops::RangeInclusive};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    Faults, Money, MoneySum, Pointer, Timestamp,
    json::Value,
    product::ProductId,
    read::{Fields, Lines, integer, text},
};

/// The length of a customer's name, in characters.
pub const CUSTOMER_LENGTH: RangeInclusive<usize> = 1..=200;

/// The most lines of one order.
pub const MOST_LINES: usize = 100;

/// The most of one product in one order.
pub const MOST_QUANTITY: i64 = 999;

/// An order, as the service answers it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Order {
    /// A `UUIDv7` of the time it was placed.
    pub id: Uuid,
    /// Who ordered: 1–200 characters.
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 200))]
    pub customer: String,
    /// Where in its life it is.
    pub status: OrderStatus,
    /// What was ordered: 1–100 lines, each product once.
    #[cfg_attr(feature = "openapi", schema(min_items = 1, max_items = 100))]
    pub lines: Vec<OrderLine>,
    /// The sum of its lines, exactly.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::openapi::Total))]
    pub total: Money,
    /// Where the prices came from.
    pub pricing: Pricing,
    /// 1 when it is placed, and one more with every change.
    #[cfg_attr(feature = "openapi", schema(minimum = 1))]
    pub version: i64,
    /// When it was placed.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// A line of an order. It keeps the name and price that the product had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OrderLine {
    /// Which product.
    pub product_id: ProductId,
    /// What it was called when it was ordered.
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 200))]
    pub name: String,
    /// How many: 1–999.
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 999))]
    pub quantity: i64,
    /// What one cost when it was ordered.
    pub unit_price: Money,
}

/// The life of an order: placed → paid → shipped; placed or paid → cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum OrderStatus {
    /// It ended before it was shipped.
    Cancelled,
    /// It is paid and not yet shipped.
    Paid,
    /// It is new.
    Placed,
    /// It is on its way, and done here.
    Shipped,
}

impl OrderStatus {
    /// Every status, by the alphabet.
    pub const ALL: [Self; 4] = [Self::Cancelled, Self::Paid, Self::Placed, Self::Shipped];

    /// The statuses that an order may move to from this one.
    #[must_use]
    pub fn next(self) -> &'static [Self] {
        match self {
            Self::Placed => &[Self::Paid, Self::Cancelled],
            Self::Paid => &[Self::Shipped, Self::Cancelled],
            Self::Shipped | Self::Cancelled => &[],
        }
    }

    /// The status as it travels.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cancelled => "cancelled",
            Self::Paid => "paid",
            Self::Placed => "placed",
            Self::Shipped => "shipped",
        }
    }

    /// Reads a status as it travels.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }

    /// What a status must be, in words for the person who sent another.
    pub const RULE: &'static str = "must be placed, paid, shipped or cancelled";
}

impl fmt::Display for OrderStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where an order's prices came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Pricing {
    /// From the catalogue, when the order was placed.
    Live,
    /// The catalogue was away: the last prices that the orders service had seen.
    Snapshot,
}

impl Pricing {
    /// The word as it travels.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Snapshot => "snapshot",
        }
    }

    /// Reads the word as it travels.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Live, Self::Snapshot]
            .into_iter()
            .find(|pricing| pricing.as_str() == text)
    }
}

/// What a client says to place an order, by `POST`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewOrder {
    /// 1–200 characters without control characters.
    pub customer: String,
    /// 1–100 lines, each product once.
    pub lines: Vec<NewOrderLine>,
}

/// A line of a [`NewOrder`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewOrderLine {
    /// Which product.
    pub product_id: ProductId,
    /// How many: 1–999.
    pub quantity: i64,
}

impl NewOrder {
    /// Reads an order from a request's body.
    pub fn read(value: &Value, faults: &mut Faults) -> Option<Self> {
        let root = Pointer::root();
        let mut fields = Fields::of(value, &root, faults)?;
        let customer = fields.required("customer", faults, |value, at, faults| {
            text(value, at, faults, CUSTOMER_LENGTH, Lines::One)
        });
        let lines = fields.required("lines", faults, Self::read_lines);
        let set_by_the_service = [
            "id",
            "status",
            "total",
            "pricing",
            "version",
            "createdAt",
            "updatedAt",
        ];
        fields.finish(&["customer", "lines"], &set_by_the_service, faults);
        Some(Self {
            customer: customer?,
            lines: lines?,
        })
    }

    fn read_lines(
        value: &Value,
        at: &Pointer<'_>,
        faults: &mut Faults,
    ) -> Option<Vec<NewOrderLine>> {
        let Value::Array(items) = value else {
            faults.body(at, format!("must be an array, not {}", value.kind()));
            return None;
        };
        let enough = (1..=MOST_LINES).contains(&items.len());
        if !enough {
            faults.body(at, format!("must have 1 to {MOST_LINES} lines"));
        }
        let mut products = BTreeSet::new();
        let mut lines = Vec::new();
        for (index, item) in items.iter().take(MOST_LINES).enumerate() {
            let at = at.item(index);
            let line = NewOrderLine::read(item, &at, faults, &mut products);
            lines.extend(line);
        }
        (enough && lines.len() == items.len()).then_some(lines)
    }
}

impl NewOrderLine {
    fn read(
        value: &Value,
        at: &Pointer<'_>,
        faults: &mut Faults,
        products: &mut BTreeSet<ProductId>,
    ) -> Option<Self> {
        let mut fields = Fields::of(value, at, faults)?;
        let product_id = fields.required("productId", faults, |value, at, faults| {
            let id = ProductId::read(value, at, faults)?;
            if products.insert(id.clone()) {
                Some(id)
            } else {
                faults.body(at, "stands in an earlier line: each product may stand once");
                None
            }
        });
        let quantity = fields.required("quantity", faults, |value, at, faults| {
            integer(value, at, faults, 1..=MOST_QUANTITY)
        });
        fields.finish(&["productId", "quantity"], &["name", "unitPrice"], faults);
        Some(Self {
            product_id: product_id?,
            quantity: quantity?,
        })
    }
}

/// What a client says to move an order on, by `PATCH`: `{"status": "paid"}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrderPatch {
    /// Where to.
    pub status: OrderStatus,
}

impl OrderPatch {
    /// Reads a patch from a request's body.
    pub fn read(value: &Value, faults: &mut Faults) -> Option<Self> {
        let root = Pointer::root();
        let mut fields = Fields::of(value, &root, faults)?;
        let status = fields.required("status", faults, |value, at, faults| {
            let status = match value {
                Value::String(text) => OrderStatus::parse(text),
                _ => None,
            };
            if status.is_none() {
                faults.body(at, OrderStatus::RULE);
            }
            status
        });
        let set_by_the_service = [
            "id",
            "customer",
            "lines",
            "total",
            "pricing",
            "version",
            "createdAt",
            "updatedAt",
        ];
        fields.finish(&["status"], &set_by_the_service, faults);
        Some(Self { status: status? })
    }
}

/// A page of the orders: the answer of `GET /mysqldata`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OrderPage {
    /// `MySql Data`.
    pub message: String,
    /// The orders of this page, newest first.
    #[cfg_attr(feature = "openapi", schema(max_items = 100))]
    pub items: Vec<Order>,
    /// Where the next page begins; `null` at the end.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub next_cursor: Option<String>,
}

/// What a summary has a row for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum SummaryKey {
    /// Each day, in UTC.
    Day,
    /// Each product.
    Product,
    /// Each status.
    Status,
}

impl SummaryKey {
    /// Reads the word as it travels.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "day" => Some(Self::Day),
            "product" => Some(Self::Product),
            "status" => Some(Self::Status),
            _ => None,
        }
    }
}

/// The answer of `GET /mysqldata/summary`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OrderSummary {
    /// What its rows are for.
    pub by: SummaryKey,
    /// One row a key and currency, in order of the key.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<crate::openapi::SummaryRow>))]
    pub rows: Vec<SummaryRow>,
}

/// A row of an [`OrderSummary`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SummaryRow {
    /// The key, under the name of what it is: `"day": "2026-11-22"`,
    /// `"product": "espresso-cups"` or `"status": "paid"`.
    #[serde(flatten)]
    pub key: RowKey,
    /// How many orders.
    pub orders: i64,
    /// The number of pieces in them.
    pub quantity: i128,
    /// The sum of what they cost.
    pub revenue: MoneySum,
}

/// The key of a [`SummaryRow`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RowKey {
    /// A day in UTC, `2026-11-22`.
    Day(String),
    /// A product's id.
    Product(ProductId),
    /// A status.
    Status(OrderStatus),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults_of<T>(text: &str, read: impl Fn(&Value, &mut Faults) -> Option<T>) -> Vec<String> {
        let mut faults = Faults::new();
        let value = Value::parse(text.as_bytes(), &mut faults).unwrap();
        let read = read(&value, &mut faults);
        assert_eq!(read.is_none(), !faults.is_empty());
        let faults = serde_json::to_value(faults.into_vec()).unwrap();
        let pointers = faults.as_array().unwrap().iter();
        pointers
            .map(|f| f["pointer"].as_str().unwrap().to_owned())
            .collect()
    }

    #[test]
    fn every_fault_of_an_order_is_found_at_once() {
        let faults = faults_of(
            r#"{"customer":"","status":"paid","lines":[{"productId":"a","quantity":0},
                {"productId":"a","quantity":1000,"unitPrice":1},{"productId":"-","q":1},7]}"#,
            NewOrder::read,
        );
        assert_eq!(
            faults,
            [
                "/customer",
                "/lines/0/quantity",
                "/lines/1/productId",
                "/lines/1/quantity",
                "/lines/1/unitPrice",
                "/lines/2/productId",
                "/lines/2/quantity",
                "/lines/2/q",
                "/lines/3",
                "/status"
            ],
        );
        assert_eq!(faults_of("{}", NewOrder::read), ["/customer", "/lines"]);
    }

    #[test]
    fn an_order_has_1_to_100_lines() {
        let order = |lines: usize| {
            let lines: Vec<_> = (0..lines)
                .map(|i| format!(r#"{{"productId":"p{i}","quantity":1}}"#))
                .collect();
            faults_of(
                &format!(r#"{{"customer":"c","lines":[{}]}}"#, lines.join(",")),
                NewOrder::read,
            )
        };
        assert_eq!(order(0), ["/lines"]);
        assert!(order(1).is_empty() && order(100).is_empty());
        assert_eq!(order(101), ["/lines"]);
    }

    #[test]
    fn a_patch_of_an_order_takes_its_status_alone() {
        assert!(faults_of(r#"{"status":"paid"}"#, OrderPatch::read).is_empty());
        assert_eq!(faults_of("{}", OrderPatch::read), ["/status"]);
        assert_eq!(
            faults_of(r#"{"status":null}"#, OrderPatch::read),
            ["/status"]
        );
        let faults = faults_of(r#"{"status":"lost","lines":[],"x":1}"#, OrderPatch::read);
        assert_eq!(faults, ["/status", "/lines", "/x"]);
    }

    #[test]
    fn a_summary_row_names_its_key_by_what_it_is() {
        let row = SummaryRow {
            key: RowKey::Status(OrderStatus::Paid),
            orders: 1,
            quantity: 2,
            revenue: MoneySum {
                amount: 3,
                currency: "DKK".to_owned(),
            },
        };
        let json = serde_json::to_string(&row).unwrap();
        assert!(json.starts_with(r#"{"status":"paid","orders":1"#), "{json}");
    }

    #[test]
    fn sums_beyond_64_bits_are_written_and_read_as_integers() {
        let row = SummaryRow {
            key: RowKey::Day("2026-11-22".to_owned()),
            orders: i64::MAX,
            quantity: i128::from(u64::MAX) + 1,
            revenue: MoneySum {
                amount: i128::MAX,
                currency: "DKK".to_owned(),
            },
        };
        let json = serde_json::to_string(&row).unwrap();
        assert_eq!(
            json,
            r#"{"day":"2026-11-22","orders":9223372036854775807,"quantity":18446744073709551616,"revenue":{"amount":170141183460469231731687303715884105727,"currency":"DKK"}}"#
        );
        assert_eq!(serde_json::from_str::<SummaryRow>(&json).unwrap(), row);
    }
}
