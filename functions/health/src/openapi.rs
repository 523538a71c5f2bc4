//! The service's part of the OpenAPI document.

use utoipa::{
    IntoResponses, OpenApi,
    openapi::{HttpMethod, PathItem, Responses, path::OperationBuilder},
};

use chassis::openapi::HealthReport;

#[derive(OpenApi)]
#[openapi(tags((name = "health", description = "How every function is.")))]
struct Document;

/// The service's part of the OpenAPI document. Its one route is answered by
/// the chassis, as each function's own health is.
#[must_use]
pub fn document() -> utoipa::openapi::OpenApi {
    let mut document = Document::openapi();
    let get = OperationBuilder::new()
        .operation_id(Some("getHealth"))
        .summary(Some("Ask how every function is"))
        .description(Some(
            "Each other function is asked for its own health at once. 503 if one fails.",
        ))
        .responses(Responses::from_iter(HealthReport::responses()));
    let item = PathItem::new(HttpMethod::Get, get);
    document.paths.paths.insert("/health".to_owned(), item);
    chassis::openapi::complete("health", document)
}
