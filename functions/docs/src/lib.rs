//! What the API is: one OpenAPI document, two ways to read it in a browser, what
//! each problem means, and the diagrams of the architecture. Not a byte comes from another host.

use axum::routing::get;
use chassis::Router;

mod asset;
#[cfg(feature = "openapi")]
pub mod openapi;
mod pages;
mod problems;

pub use problems::Meaning;

/// The routes of `docs`.
#[must_use]
pub fn router() -> Router {
    Router::new("docs")
        .route("/architecture", get(pages::architecture))
        .route("/docs", get(pages::docs))
        .route("/docs/{asset}", get(pages::asset))
        .route("/favicon.ico", get(pages::favicon))
        .route("/openapi.json", get(pages::openapi_json))
        .route("/openapi.yaml", get(pages::openapi_yaml))
        .route("/problems", get(problems::list))
        .route("/problems/{type}", get(problems::explain))
        .route("/redoc", get(pages::redoc))
}
