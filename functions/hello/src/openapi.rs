//! The service's part of the OpenAPI document.

use utoipa::OpenApi;

#[derive(OpenApi)]
#[openapi(
    paths(crate::greet),
    tags((name = "hello", description = "A greeting: the first thing to try.")),
)]
struct Document;

/// The service's part of the OpenAPI document.
#[must_use]
pub fn document() -> utoipa::openapi::OpenApi {
    chassis::openapi::complete("hello", Document::openapi())
}
