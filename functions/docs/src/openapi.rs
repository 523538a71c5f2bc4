//! The service's part of the OpenAPI document.

use utoipa::OpenApi;

#[derive(OpenApi)]
#[openapi(
    paths(
        crate::pages::architecture,
        crate::pages::docs,
        crate::pages::asset,
        crate::pages::favicon,
        crate::pages::openapi_json,
        crate::pages::openapi_yaml,
        crate::problems::list,
        crate::problems::explain,
        crate::pages::redoc,
    ),
    tags((name = "docs", description = "What the API is, and what its problems mean.")),
)]
struct Document;

/// The service's part of the OpenAPI document.
#[must_use]
pub fn document() -> utoipa::openapi::OpenApi {
    chassis::openapi::complete("docs", Document::openapi())
}
