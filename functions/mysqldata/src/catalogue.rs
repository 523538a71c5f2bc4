//! The catalogue's client: the names and prices of products.

use std::{
    collections::{BTreeMap, HashSet},
    time::Duration,
};

use ::http::StatusCode;
use chassis::{
    RequestContext,
    http::health::Check,
    outbound::{CallError, Classify, Client, Dependency, Failure, GetError, Policy, Reply},
};
use dto::{
    ProductId,
    catalogue::{PricedProduct, ProductBatch},
    health::HealthStatus,
};

/// The path of the catalogue's products.
pub(crate) const PRODUCTS: &str = "/nosqldata";

/// The path of the catalogue's health.
pub(crate) const HEALTH: &str = "/health/nosqldata";

/// The timeout of a health check.
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);

/// Products by id. A product that is not among them does not exist.
pub(crate) type Products = BTreeMap<ProductId, PricedProduct>;

/// A client of the catalogue. Clones share its circuit breaker.
#[derive(Clone)]
pub(crate) struct Catalogue {
    client: Client,
    dependency: Dependency,
}

/// Why one attempt has no products.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// There was no response.
    #[error("the catalogue did not respond")]
    Get(#[from] GetError),
    /// The response has another status than 200.
    #[error("the catalogue responded with {status}")]
    Status {
        /// The status.
        status: StatusCode,
        /// The time after which to retry, if the response contains one.
        retry_after: Option<Duration>,
    },
    /// The response is not a batch of products.
    #[error("the catalogue's response cannot be read")]
    Unreadable(#[from] serde_json::Error),
    /// A requested product is neither found nor missing, or both.
    #[error("the catalogue's response contradicts the request")]
    Contradiction,
}

/// A retry of a request for prices is safe.
impl Classify for CatalogueError {
    fn failure(&self) -> Failure {
        match self {
            Self::Get(error) => error.failure(),
            Self::Status {
                status,
                retry_after,
            } => match status.as_u16() {
                // The request is invalid, or larger than a peer accepts.
                400 | 413 | 414 | 422 | 431 => Failure::Rejected,
                // The catalogue is passed the deadline, and these are its
                // statuses where it cannot respond in time.
                503 | 504 => Failure::Late(*retry_after),
                429 | 500 | 502 => Failure::Transient(*retry_after),
                // Another server responds, not the catalogue.
                _ => Failure::Broken,
            },
            // The response may have been cut off.
            Self::Unreadable(_) => Failure::Transient(None),
            Self::Contradiction => Failure::Broken,
        }
    }
}

impl CatalogueError {
    fn of(reply: &Reply) -> Self {
        Self::Status {
            status: reply.status,
            retry_after: reply.retry_after,
        }
    }
}

impl Catalogue {
    /// The catalogue behind the API of `client`.
    pub(crate) fn new(client: Client, policy: Policy) -> Self {
        let probed = client.clone();
        let probe = move |ctx: RequestContext| {
            let client = probed.clone();
            async move {
                let reply = client.get(&ctx, HEALTH).await?;
                if reply.status.is_success() {
                    Ok(())
                } else {
                    Err(CatalogueError::of(&reply))
                }
            }
        };
        Self {
            client,
            dependency: Dependency::new("catalogue", policy, probe),
        }
    }

    /// Its health check. Without it, orders are placed at snapshot prices.
    pub(crate) fn check(&self) -> Check {
        Check::of(self.dependency.clone(), HealthStatus::Warn, CHECK_TIMEOUT)
    }

    /// Gets these products in one call.
    ///
    /// # Errors
    ///
    /// [`CallError`] if no attempt succeeded.
    pub(crate) async fn products(
        &self,
        ctx: &RequestContext,
        ids: &[&ProductId],
    ) -> Result<Products, CallError<CatalogueError>> {
        let list: Vec<_> = ids.iter().map(|id| id.as_str()).collect();
        let target = format!("{PRODUCTS}?ids={}", list.join(","));
        let attempt = async |ctx: RequestContext| {
            let reply = self.client.get(&ctx, &target).await?;
            match reply.status {
                StatusCode::OK => read(&reply.body, ids),
                _ => Err(CatalogueError::of(&reply)),
            }
        };
        self.dependency.call(ctx, attempt).await
    }
}

/// Reads the response to a request for the products `ids`.
fn read(body: &[u8], ids: &[&ProductId]) -> Result<Products, CatalogueError> {
    let batch: ProductBatch<PricedProduct> = serde_json::from_slice(body)?;
    let products = batch.items.into_iter();
    let products: Products = products.map(|p| (p.id.clone(), p)).collect();
    let missing: HashSet<_> = batch.missing.into_iter().collect();
    if ids
        .iter()
        .all(|&id| products.contains_key(id) != missing.contains(id))
    {
        Ok(products)
    } else {
        Err(CatalogueError::Contradiction)
    }
}

#[cfg(test)]
mod tests {
    use dto::MAX_PRICE;

    use super::*;

    fn read_body(body: &str) -> Result<Products, CatalogueError> {
        let ids = ["cup", "pot"].map(|id| ProductId::parse(id).unwrap());
        read(body.as_bytes(), &ids.each_ref())
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
    fn found_and_missing_products_are_read() {
        let products = read_body(&body(1999, "DKK", r#""pot""#)).unwrap();
        assert_eq!(products.len(), 1);
        let cup = &products[&ProductId::parse("cup").unwrap()];
        assert_eq!((cup.name.as_str(), cup.price.amount.get()), ("Cup", 1999));
    }

    #[test]
    fn an_invalid_response_is_an_error() {
        for body in [
            body(-1, "DKK", r#""pot""#),
            body(MAX_PRICE + 1, "DKK", r#""pot""#),
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

    #[test]
    fn a_status_is_classified_by_what_caused_it() {
        let of = |status, retry_after| CatalogueError::Status {
            status: StatusCode::from_u16(status).unwrap(),
            retry_after,
        };
        let wait = Some(Duration::from_secs(3));
        for status in [429, 500, 502] {
            assert_eq!(of(status, wait).failure(), Failure::Transient(wait));
        }
        for status in [503, 504] {
            assert_eq!(of(status, wait).failure(), Failure::Late(wait));
        }
        for status in [400, 413, 414, 422, 431] {
            assert_eq!(of(status, wait).failure(), Failure::Rejected);
        }
        for status in [201, 301, 403, 404, 501] {
            assert_eq!(of(status, wait).failure(), Failure::Broken);
        }
    }
}
