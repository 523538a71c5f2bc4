//! Orders.

use serde_json::{Value, json};

/// An order of two of each of these products.
pub fn order(customer: &str, products: &[impl AsRef<str>]) -> Value {
    let lines = products.iter().map(AsRef::as_ref);
    let lines: Vec<_> = lines
        .map(|id: &str| json!({"productId": id, "quantity": 2}))
        .collect();
    json!({"customer": customer, "lines": lines})
}
