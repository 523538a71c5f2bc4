//! The service's part of the OpenAPI document.

use utoipa::OpenApi;

#[derive(OpenApi)]
#[openapi(
    paths(crate::check),
    tags((name = "oscheck", description = "The machine that a function runs on.")),
)]
struct Document;

/// The service's part of the OpenAPI document.
#[must_use]
pub fn document() -> utoipa::openapi::OpenApi {
    chassis::openapi::complete("oscheck", Document::openapi())
}
