//! What tests do to the catalogue.

use serde_json::json;

use crate::{Client, Response};

impl Client {
    /// Creates or replaces a product of this price.
    pub async fn put_product(&self, id: &str, amount: i64, currency: &str) -> Response {
        let price = json!({"amount": amount, "currency": currency});
        let product = json!({"name": format!("The {id}"), "category": "c", "price": price});
        self.put(&format!("/nosqldata/{id}"), &product).await
    }
}
