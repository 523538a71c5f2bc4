//! Products and orders of them.

use serde_json::{Value, json};

use crate::{Client, Response};

/// The lists of the data services.
pub const LISTS: &[&str] = &[
    "/nosqldata",
    // region: mysqldata
    "/mysqldata",
    // endregion
];

/// A product of this name, in a category of the same name.
pub fn product(name: &str) -> Value {
    json!({"name": name, "category": name, "price": {"amount": 100, "currency": "DKK"}})
}

// region: mysqldata
/// An order of two of each of these products.
pub fn order(customer: &str, products: &[impl AsRef<str>]) -> Value {
    let lines = products.iter().map(AsRef::as_ref);
    let lines: Vec<_> = lines
        .map(|id: &str| json!({"productId": id, "quantity": 2}))
        .collect();
    json!({"customer": customer, "lines": lines})
}
// endregion

impl Client {
    /// Creates or replaces a product of this price, and checks that this succeeds.
    pub async fn put_product(&self, id: &str, amount: i64, currency: &str) -> Response {
        let mut product = product(&format!("The {id}"));
        product["price"] = json!({"amount": amount, "currency": currency});
        let put = self.put(&format!("/nosqldata/{id}"), &product).await;
        assert!(put.status.is_success(), "{put}");
        put
    }
}
