//! The catalogue, as the orders see it: what is sold, and for how much.

use std::collections::{HashMap, HashSet};

use chassis::{
    Call,
    client::Client,
    resilience::{CallError, Dependency, Policy},
};
use dto::{
    Money,
    money::MOST_AMOUNT,
    product::{NAME_LENGTH, Product, ProductBatch, ProductId},
    read::{Lines, text_fault},
};
use http::StatusCode;

use crate::error::CatalogueError;

/// Where the catalogue tells of its products.
pub const PRODUCTS: &str = "/nosqldata";

/// Where it tells of its health.
pub const HEALTH: &str = "/health/nosqldata";

/// A client of the catalogue; clones share its breaker.
#[derive(Clone)]
pub struct Catalogue {
    client: Client,
    dependency: Dependency,
}

/// What the catalogue offers a product for: what an order keeps of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The product's name.
    pub name: String,
    /// What one costs.
    pub price: Money,
}

/// Offers by product. A product that is not in it does not exist.
pub type Offers = HashMap<ProductId, Offer>;

impl Catalogue {
    /// The catalogue behind this client's API.
    pub fn new(client: Client, policy: Policy) -> Self {
        let probed = client.clone();
        let probe = move |call: Call| {
            let client = probed.clone();
            async move {
                let answer = client.get(&call, HEALTH).await;
                answer.is_ok_and(|answer| answer.status.is_success())
            }
        };
        Self {
            client,
            dependency: Dependency::service("catalogue", policy, probe),
        }
    }

    /// What its breaker and its policy are kept in.
    pub fn dependency(&self) -> &Dependency {
        &self.dependency
    }

    /// What the catalogue offers these products for, in one call, as the policy
    /// of the catalogue has it.
    ///
    /// # Errors
    ///
    /// [`CallError`] if it does not say.
    pub async fn offers<'p>(
        &self,
        call: &Call,
        products: impl Iterator<Item = &'p ProductId> + Clone + Send + Sync,
    ) -> Result<Offers, CallError<CatalogueError>> {
        let ids: Vec<_> = products.clone().map(ProductId::as_str).collect();
        let target = format!("{PRODUCTS}?ids={}", ids.join(","));
        let attempt = async |deadline| {
            let answer = self.client.get(&call.by(deadline), &target).await?;
            if answer.status != StatusCode::OK {
                return Err(CatalogueError::Status {
                    status: answer.status,
                    retry_after: answer.retry_after(),
                });
            }
            read(&answer.body, products.clone())
        };
        self.dependency.call(call, attempt).await
    }
}

/// Reads the answer about `asked`. What is kept in an order has to be what the
/// catalogue promises, whoever answered in its name.
fn read<'p>(
    body: &[u8],
    asked: impl Iterator<Item = &'p ProductId>,
) -> Result<Offers, CatalogueError> {
    let batch: ProductBatch = serde_json::from_slice(body)?;
    if !batch.items.iter().all(is_sound) {
        return Err(CatalogueError::Unsound("a product is out of bounds"));
    }
    let offers: Offers = batch.items.into_iter().map(offer).collect();
    let missing: HashSet<_> = batch.missing.into_iter().collect();
    for id in asked {
        if offers.contains_key(id) == missing.contains(id) {
            return Err(CatalogueError::Unsound(
                "a product must be found or missing",
            ));
        }
    }
    Ok(offers)
}

fn is_sound(product: &Product) -> bool {
    let Money { amount, currency } = &product.price;
    text_fault(&product.name, NAME_LENGTH, Lines::One).is_none()
        && (0..=MOST_AMOUNT).contains(amount)
        && currency.len() == 3
        && currency.bytes().all(|b| b.is_ascii_uppercase())
}

fn offer(product: Product) -> (ProductId, Offer) {
    let Product {
        id, name, price, ..
    } = product;
    (id, Offer { name, price })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_body(body: &str) -> Result<Offers, CatalogueError> {
        let asked = ["cup", "pot"].map(|id| ProductId::parse(id).unwrap());
        read(body.as_bytes(), asked.iter())
    }

    fn body(amount: i64, currency: &str, missing: &str) -> String {
        format!(
            r#"{{"message":"NoSql Data","items":[{{"id":"cup","name":"Cup","category":"c",
            "price":{{"amount":{amount},"currency":"{currency}"}},"attributes":{{"deep":[1.50]}},
            "version":1,"createdAt":"2026-11-22T10:00:00.000Z",
            "updatedAt":"2026-11-22T10:00:00.000Z","new":true}}],
            "missing":[{missing}],"nextCursor":null}}"#
        )
    }

    #[test]
    fn what_is_found_and_what_is_missing_is_read() {
        let offers = read_body(&body(1999, "DKK", r#""pot""#)).unwrap();
        assert_eq!(offers.len(), 1);
        let cup = &offers[&ProductId::parse("cup").unwrap()];
        assert_eq!((cup.name.as_str(), cup.price.amount), ("Cup", 1999));
    }

    #[test]
    fn an_answer_that_breaks_the_agreement_is_no_answer() {
        for body in [
            body(-1, "DKK", r#""pot""#),
            body(MOST_AMOUNT + 1, "DKK", r#""pot""#),
            body(1, "kr.", r#""pot""#),
            body(1, "DKK", ""),
            body(1, "DKK", r#""pot","cup""#),
            "<html>".to_owned(),
            "{}".to_owned(),
            String::new(),
        ] {
            assert!(read_body(&body).is_err(), "{body}");
        }
    }
}
