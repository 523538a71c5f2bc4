//! An order, its states, and what a client sends about it.

use std::{collections::BTreeSet, fmt, str::FromStr};

use dto::{ProductId, Timestamp, catalogue::ProductName};
use json::{FieldErrors, FromJson, Int, Pointer, Schema, StringEnum, Text, Value};
use serde::{Deserialize, Serialize};
use uuid::{NoContext, Uuid};

use crate::money::Money;

/// The most lines of an order.
const MAX_LINES: usize = 100;

/// A customer: 1 to 200 characters, none of them a control character.
pub(crate) type Customer = Text<1, 200>;

/// How many of a product.
pub(crate) type Quantity = Int<1, 999>;

/// The number of an order's state: 1 when it is placed, one more with each
/// change.
pub(crate) type Version = Int<1, { i64::MAX }>;

/// An order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Schema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Order {
    /// The order's id: a `UUIDv7` of the time when it was placed.
    pub id: OrderId,
    /// Who ordered.
    pub customer: Customer,
    /// The present status.
    pub status: OrderStatus,
    /// The ordered products, 1 to 100, each once.
    pub lines: Vec<OrderLine>,
    /// The sum of the lines, exactly.
    pub total: Money,
    /// The source of the prices.
    pub pricing: Pricing,
    /// 1 when the order is placed, one more with each change.
    pub version: Version,
    /// When the order was placed.
    pub created_at: Timestamp,
    /// When the order was last changed.
    pub updated_at: Timestamp,
}

/// A line of an order. It keeps the name and the price that the product had, even
/// if they exceed the current bounds of new orders.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Schema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OrderLine {
    /// The product.
    pub product_id: ProductId,
    /// The product's name when it was ordered.
    pub name: ProductName,
    /// How many.
    pub quantity: Int<1, { i64::MAX }>,
    /// The price of one when it was ordered.
    pub unit_price: Money,
}

/// The status of an order: placed → paid → shipped; placed or paid → cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, StringEnum)]
pub enum OrderStatus {
    /// Ended before it was shipped.
    Cancelled,
    /// Paid and not yet shipped.
    Paid,
    /// New.
    Placed,
    /// Shipped. The order is complete.
    Shipped,
}

impl OrderStatus {
    /// The statuses that may follow this one.
    #[must_use]
    pub fn next(self) -> &'static [Self] {
        match self {
            Self::Placed => &[Self::Paid, Self::Cancelled],
            Self::Paid => &[Self::Shipped, Self::Cancelled],
            Self::Shipped | Self::Cancelled => &[],
        }
    }
}

/// The source of an order's prices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, StringEnum)]
pub(crate) enum Pricing {
    /// The catalogue, when the order was placed.
    Live,
    /// Snapshot prices: the catalogue was unavailable.
    Snapshot,
}

/// What a client sends to place an order.
#[derive(Debug, Clone, PartialEq, Eq, FromJson, Schema)]
#[json(read_only(
    "id",
    "status",
    "total",
    "pricing",
    "version",
    "createdAt",
    "updatedAt"
))]
pub(crate) struct NewOrder {
    /// Who orders.
    pub customer: Customer,
    /// The products to order, 1 to 100, each once, all priced in one currency.
    pub lines: UniqueLines,
}

/// A line of a new order.
#[derive(Debug, Clone, PartialEq, Eq, FromJson, Schema)]
#[json(read_only("name", "unitPrice"))]
pub(crate) struct NewOrderLine {
    /// The product.
    pub product_id: ProductId,
    /// How many.
    pub quantity: Quantity,
}

/// What a client sends to change an order's status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromJson, Schema)]
#[json(read_only(
    "id",
    "customer",
    "lines",
    "total",
    "pricing",
    "version",
    "createdAt",
    "updatedAt"
))]
pub(crate) struct OrderPatch {
    /// The new status: a placed order may be paid or cancelled, a paid one shipped
    /// or cancelled.
    pub status: OrderStatus,
}

/// An order's status does not allow the requested transition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an order that is {from} cannot become {to}")]
pub struct TransitionError {
    /// The present status.
    pub from: OrderStatus,
    /// The requested status.
    pub to: OrderStatus,
}

impl Order {
    /// Changes the status at the time `now`.
    ///
    /// # Errors
    ///
    /// If `to` may not follow the present status.
    pub(crate) fn transition(
        &mut self,
        to: OrderStatus,
        now: Timestamp,
    ) -> Result<(), TransitionError> {
        let from = self.status;
        if !from.next().contains(&to) {
            return Err(TransitionError { from, to });
        }
        self.status = to;
        let next = self.version.get().saturating_add(1);
        self.version = Version::new(next).unwrap_or(self.version);
        // The clock of the machine that wrote it may be ahead of this one's.
        self.updated_at = now.max(self.updated_at);
        Ok(())
    }
}

/// An order's id. It is read in either case and written in lower case (RFC 9562
/// §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct OrderId(pub Uuid);

impl OrderId {
    /// Generates an id that sorts by `at`.
    #[must_use]
    pub(crate) fn generate(at: Timestamp) -> Self {
        let at = at.utc();
        let seconds = u64::try_from(at.unix_timestamp()).unwrap_or_default();
        let at = uuid::Timestamp::from_unix(NoContext, seconds, at.nanosecond());
        Self(Uuid::new_v7(at))
    }
}

/// Parses an id with hyphens.
impl FromStr for OrderId {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let id = Uuid::try_parse(text).ok();
        id.filter(|id| id.to_string().eq_ignore_ascii_case(text))
            .map(Self)
            .ok_or("must be a UUID with hyphens")
    }
}

impl fmt::Display for OrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Schema for OrderId {
    fn schema(_: &mut json::schema::Components) -> json::schema::Json {
        let hex = |digits| format!("[0-9A-Fa-f]{{{digits}}}");
        let pattern = [8, 4, 4, 4, 12].map(hex).join("-");
        json::schema::json!({
            "type": "string",
            "description": "The order's id: a UUID, in either case.",
            "format": "uuid",
            "pattern": format!("^{pattern}$"),
        })
    }
}

/// The lines of a new order: 1 to 100, each of another product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UniqueLines(Vec<NewOrderLine>);

impl UniqueLines {
    /// The lines.
    pub(crate) fn as_slice(&self) -> &[NewOrderLine] {
        &self.0
    }

    /// The products of the lines.
    pub(crate) fn products(&self) -> Vec<&ProductId> {
        self.0.iter().map(|line| &line.product_id).collect()
    }
}

impl FromJson for UniqueLines {
    fn from_json(value: Value, at: &Pointer<'_>, errors: &mut FieldErrors) -> Option<Self> {
        let Value::Array(items) = value else {
            errors.add(at, format!("must be an array, not {}", value.kind()));
            return None;
        };
        let count = items.len();
        let mut valid = (1..=MAX_LINES).contains(&count);
        if !valid {
            errors.add(at, format!("must have 1 to {MAX_LINES} lines"));
        }
        let mut products = BTreeSet::new();
        let mut lines = Vec::new();
        for (index, item) in items.into_iter().take(MAX_LINES).enumerate() {
            let at = at.item(index);
            if let Some(product) = product_of(&item)
                && !products.insert(product)
            {
                let rule = "is in an earlier line: each product may be in one line only";
                errors.add(&at.member("productId"), rule);
                valid = false;
            }
            lines.extend(NewOrderLine::from_json(item, &at, errors));
        }
        (valid && lines.len() == count).then_some(Self(lines))
    }
}

/// The product of a line that may be invalid.
fn product_of(line: &Value) -> Option<ProductId> {
    let Value::Object(line) = line else {
        return None;
    };
    match line.get("productId") {
        Some(Value::String(id)) => ProductId::parse(id).ok(),
        _ => None,
    }
}

impl Schema for UniqueLines {
    fn schema(components: &mut json::schema::Components) -> json::schema::Json {
        let line = NewOrderLine::schema(components);
        json::schema::json!({
            "type": "array", "items": line, "minItems": 1, "maxItems": MAX_LINES,
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use OrderStatus::{Paid, Placed};
    use json::Location;

    use super::*;

    pub(crate) fn order() -> Order {
        let at = Timestamp::parse_time_or_date("2026-11-22").unwrap();
        let currency: dto::Currency = "DKK".parse().unwrap();
        let line = OrderLine {
            product_id: "cup".parse().unwrap(),
            name: "Cup".parse().unwrap(),
            quantity: Int::new(1).unwrap(),
            unit_price: Money {
                amount: 1,
                currency: currency.clone(),
            },
        };
        Order {
            id: OrderId::generate(at),
            customer: "Ann".parse().unwrap(),
            status: Placed,
            lines: vec![line],
            total: Money {
                amount: 1,
                currency,
            },
            pricing: Pricing::Live,
            version: Version::new(7).unwrap(),
            created_at: at,
            updated_at: at,
        }
    }

    fn pointers_of<T: FromJson>(text: &str) -> Vec<String> {
        let mut errors = FieldErrors::new();
        let value = Value::parse(text.as_bytes(), &mut errors).unwrap();
        let read = json::read::<T>(value, &mut errors);
        assert_eq!(read.is_none(), !errors.is_empty());
        let pointer = |error: json::FieldError| match error.at {
            Location::Pointer(pointer) => pointer,
            other => panic!("{other:?}"),
        };
        errors.into_vec().into_iter().map(pointer).collect()
    }

    #[test]
    fn every_error_of_an_order_is_reported() {
        let pointers = pointers_of::<NewOrder>(
            r#"{"customer":"","status":"paid","lines":[{"productId":"a","quantity":0},
                {"productId":"a","quantity":1000,"unitPrice":1},{"productId":"-","q":1},7]}"#,
        );
        assert_eq!(
            pointers,
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
        assert_eq!(pointers_of::<NewOrder>("{}"), ["/customer", "/lines"]);
    }

    #[test]
    fn a_patch_has_the_status_only() {
        assert!(pointers_of::<OrderPatch>(r#"{"status":"paid"}"#).is_empty());
        assert_eq!(pointers_of::<OrderPatch>("{}"), ["/status"]);
        assert_eq!(pointers_of::<OrderPatch>(r#"{"status":null}"#), ["/status"]);
        let pointers = pointers_of::<OrderPatch>(r#"{"status":"lost","lines":[],"x":1}"#);
        assert_eq!(pointers, ["/status", "/lines", "/x"]);
    }

    #[test]
    fn an_update_is_never_earlier_than_the_previous_one() {
        let mut order = order();
        let past = Timestamp::parse_time_or_date("2026-11-21").unwrap();
        order.transition(Paid, past).unwrap();
        assert_eq!(order.updated_at, order.created_at);
    }

    #[test]
    fn an_id_is_read_in_either_case_and_with_hyphens_only() {
        let id = "019aacd4-3b7f-7cc1-8a53-0123456789ab";
        for same in [id, &id.to_uppercase(), &id.replace('a', "A")] {
            assert_eq!(same.parse::<OrderId>().unwrap().to_string(), id);
        }
        for other in [
            "",
            "x",
            "019aacd43b7f7cc18a530123456789ab",
            "{019aacd4-3b7f-7cc1-8a53-0123456789ab}",
            "urn:uuid:019aacd4-3b7f-7cc1-8a53-0123456789ab",
        ] {
            assert!(other.parse::<OrderId>().is_err(), "{other}");
        }
    }
}
