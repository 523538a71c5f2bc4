//! The documentation of the API: one OpenAPI document, two pages that show it,
//! the problem types and the diagrams. Nothing is loaded from another host.

use chassis::{
    auth::Access,
    http::{Router, doc, get},
};

mod asset;
mod pages;
mod problems;

/// The routes of `docs`.
#[must_use]
pub fn router() -> Router {
    Router::new("docs", ())
        .route("/architecture", get(doc("getArchitecture", "See the architecture", Access::Public)
            .describe("A page for a browser: the system in UML, generated from the system itself."), pages::architecture))
        .route("/docs", get(doc("getDocs", "Try the API", Access::Public)
            .describe("A page for a browser: Swagger UI."), pages::docs))
        .route("/docs/{asset}", get(doc("getAsset", "Get an asset of the pages", Access::Public)
            .describe("A script, style sheet or image. Its name changes with its content."), pages::asset))
        .route("/favicon.ico", get(doc("getIcon", "Get the icon", Access::Public)
            .describe("Browsers request it here."), pages::favicon))
        .route("/openapi.json", get(doc("getOpenApiJson", "Get this document in JSON", Access::Public)
            .describe("OpenAPI 3.1."), pages::openapi_json))
        .route("/openapi.yaml", get(doc("getOpenApiYaml", "Get this document in YAML", Access::Public)
            .describe("The same as `/openapi.json`."), pages::openapi_yaml))
        .route("/problems", get(doc("listProblems", "List the problem types", Access::Public)
            .describe("Every response that is neither 2xx nor 3xx is a problem of one of these types."), problems::list))
        .route("/problems/{type}", get(doc("getProblem", "Explain a problem type", Access::Public)
            .describe("The `type` of a problem refers to this."), problems::explain))
        .route("/redoc", get(doc("getRedoc", "Read the API", Access::Public)
            .describe("A page for a browser: ReDoc."), pages::redoc))
}
