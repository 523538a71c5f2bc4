//! `/nosqldata`: the catalogue of products, in `DynamoDB`.

use std::time::Duration;

use axum::routing::get;
use chassis::{Call, Router, health::Check};
use dto::health::HealthStatus;

pub mod config;
pub mod error;
mod expression;
pub mod item;
#[cfg(feature = "openapi")]
pub mod openapi;
mod product;
mod products;
pub mod store;

pub use config::Config;
pub use error::Error;
pub use store::Catalogue;

/// The routes of `nosqldata`.
#[must_use]
pub fn router(catalogue: Catalogue) -> Router<Catalogue> {
    let dynamodb = dynamodb(catalogue.clone());
    Router::with_state("nosqldata", catalogue)
        .route("/nosqldata", get(products::list).post(products::create))
        .route(
            "/nosqldata/{id}",
            get(product::read)
                .put(product::put)
                .patch(product::patch)
                .delete(product::delete),
        )
        .check(dynamodb)
}

/// Without its table the catalogue can do nothing at all.
fn dynamodb(catalogue: Catalogue) -> Check {
    let patience = Duration::from_secs(1);
    Check::new(
        "dynamodb",
        HealthStatus::Fail,
        patience,
        move |call: Call| {
            let catalogue = catalogue.clone();
            async move {
                let answered = catalogue.ping(call.deadline).await;
                answered.map_err(|error| error.to_string())?;
                Ok(HealthStatus::Pass)
            }
        },
    )
}
