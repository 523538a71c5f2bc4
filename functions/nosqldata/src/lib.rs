//! `/nosqldata`: the catalogue of products, in `DynamoDB`.

use std::time::Duration;

use axum::routing::get;
use chassis::{Router, health::Check};
use dto::health::HealthStatus;

mod client;
pub mod config;
pub mod error;
mod expression;
mod failure;
pub mod item;
mod once;
#[cfg(feature = "openapi")]
pub mod openapi;
mod pauses;
mod product;
mod products;
pub mod store;

pub use config::Config;
pub use error::Error;
pub use products::MOST_IDS;
pub use store::Catalogue;

/// The routes of `nosqldata`.
#[must_use]
pub fn router(catalogue: Catalogue) -> Router<Catalogue> {
    // Without its tables the catalogue can do nothing at all.
    let dynamodb = catalogue.dynamodb().clone();
    let dynamodb = Check::of(dynamodb, HealthStatus::Fail, Duration::from_secs(1));
    Router::with_state("nosqldata", catalogue)
        .route("/nosqldata", get(products::list).post(products::create))
        .route(
            "/nosqldata/{id}",
            get(product::read)
                .put(product::put)
                .patch(product::patch)
                .delete(product::delete),
        )
        .reads(config::VARIABLES)
        .check(dynamodb)
}
