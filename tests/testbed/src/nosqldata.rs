//! Products, and what tests do to the catalogue.

use serde_json::{Value, json};

use crate::{Client, Response};

/// A product of this name, in a category of the same name.
pub fn product(name: &str) -> Value {
    json!({"name": name, "category": name, "price": {"amount": 100, "currency": "DKK"}})
}

impl Client {
    /// Creates or replaces a product of this price.
    pub async fn put_product(&self, id: &str, amount: i64, currency: &str) -> Response {
        let mut product = product(&format!("The {id}"));
        product["price"] = json!({"amount": amount, "currency": currency});
        self.put(&format!("/nosqldata/{id}"), &product).await
    }
}
