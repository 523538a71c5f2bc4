//! The document, the two pages that show it, and the page of the diagrams.

use axum::response::Response;
use chassis::{Input, Problem, reply};
use http::header::CONTENT_SECURITY_POLICY;

use crate::asset::{self, Asset, Cached, answer};

/// What each page may do: nothing with another origin, no inline script, no
/// `eval`, and no other page may hold it in a frame.
macro_rules! policy {
    ($($also:literal),* $(,)?) => {
        concat!(
            "default-src 'none'; script-src 'self'; connect-src 'self'; base-uri 'none'; ",
            "form-action 'none'; frame-ancestors 'none'",
            $("; ", $also),*
        )
    };
}

/// Swagger UI draws its icons as `data:` images.
const DOCS_POLICY: &str = policy!("style-src 'self'", "img-src 'self' data:");

/// ReDoc makes style elements that are empty, or hold one rule, and fills them
/// by script: the hashes are those of these two texts. It searches in a worker.
const REDOC_POLICY: &str = policy!(
    "style-src 'self' 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=' \
     'sha256-QMIg+bpjm3JdElJ388KYke01izlUW0UoNOeKjpMxdgc='",
    "img-src 'self' data:",
    "worker-src blob:",
);

/// Pictures of ours, and the script that makes them larger.
const ARCHITECTURE_POLICY: &str = policy!("style-src 'self'", "img-src 'self'");

/// `GET /architecture`: the diagrams.
#[cfg_attr(feature = "openapi", utoipa::path(
    get,
    path = "/architecture",
    operation_id = "getArchitecture",
    summary = "See how it is put together",
    description = "A page for a browser: the system in UML, drawn from what it is made of and what it does.",
    params(chassis::openapi::Conditions),
    responses(
        (
            status = 200,
            description = "The page.",
            body = String, content_type = "text/html",
            headers(("Cache-Control"), ("ETag"), ("Vary")),
        ),
        (status = 304, description = "The client has it already.", headers(("Cache-Control"), ("ETag"), ("Vary"))),
        (status = 412, response = chassis::openapi::PreconditionFailed),
        chassis::openapi::Failures,
    ),
))]
pub async fn architecture(input: Input) -> Result<Response, Problem> {
    page(&asset::ARCHITECTURE, input, ARCHITECTURE_POLICY)
}

/// `GET /docs`: Swagger UI, to read the API and to try it.
#[cfg_attr(feature = "openapi", utoipa::path(
    get,
    path = "/docs",
    operation_id = "getDocs",
    summary = "Try the API",
    description = "A page for a browser: Swagger UI.",
    params(chassis::openapi::Conditions),
    responses(
        (
            status = 200,
            description = "The page.",
            body = String, content_type = "text/html",
            headers(("Cache-Control"), ("ETag"), ("Vary")),
        ),
        (status = 304, description = "The client has it already.", headers(("Cache-Control"), ("ETag"), ("Vary"))),
        (status = 412, response = chassis::openapi::PreconditionFailed),
        chassis::openapi::Failures,
    ),
))]
pub async fn docs(input: Input) -> Result<Response, Problem> {
    page(&asset::DOCS, input, DOCS_POLICY)
}

/// `GET /redoc`: ReDoc, to read the API at length.
#[cfg_attr(feature = "openapi", utoipa::path(
    get,
    path = "/redoc",
    operation_id = "getRedoc",
    summary = "Read the API at length",
    description = "A page for a browser: ReDoc.",
    params(chassis::openapi::Conditions),
    responses(
        (
            status = 200,
            description = "The page.",
            body = String, content_type = "text/html",
            headers(("Cache-Control"), ("ETag"), ("Vary")),
        ),
        (status = 304, description = "The client has it already.", headers(("Cache-Control"), ("ETag"), ("Vary"))),
        (status = 412, response = chassis::openapi::PreconditionFailed),
        chassis::openapi::Failures,
    ),
))]
pub async fn redoc(input: Input) -> Result<Response, Problem> {
    page(&asset::REDOC, input, REDOC_POLICY)
}

fn page(page: &Asset, input: Input, policy: &str) -> Result<Response, Problem> {
    let response = answer(Ok(page), input, Cached::Asked)?;
    Ok(reply::with_header(
        response,
        CONTENT_SECURITY_POLICY,
        policy,
    ))
}

/// `GET /openapi.json`: the document.
#[cfg_attr(feature = "openapi", utoipa::path(
    get,
    path = "/openapi.json",
    operation_id = "getOpenApiJson",
    summary = "Get this document",
    description = "In JSON.",
    params(chassis::openapi::Conditions),
    responses(
        (
            status = 200,
            description = "The document.",
            body = Object,
            headers(("Cache-Control"), ("ETag"), ("Vary")),
        ),
        (status = 304, description = "The client has it already.", headers(("Cache-Control"), ("ETag"), ("Vary"))),
        (status = 412, response = chassis::openapi::PreconditionFailed),
        chassis::openapi::Failures,
    ),
))]
pub async fn openapi_json(input: Input) -> Result<Response, Problem> {
    answer(Ok(&asset::OPENAPI_JSON), input, Cached::Asked)
}

/// `GET /openapi.yaml`: the same document.
#[cfg_attr(feature = "openapi", utoipa::path(
    get,
    path = "/openapi.yaml",
    operation_id = "getOpenApiYaml",
    summary = "Get this document in YAML",
    description = "The same as `/openapi.json`.",
    params(chassis::openapi::Conditions),
    responses(
        (
            status = 200,
            description = "The document.",
            body = Object, content_type = "application/yaml",
            headers(("Cache-Control"), ("ETag"), ("Vary")),
        ),
        (status = 304, description = "The client has it already.", headers(("Cache-Control"), ("ETag"), ("Vary"))),
        (status = 412, response = chassis::openapi::PreconditionFailed),
        chassis::openapi::Failures,
    ),
))]
pub async fn openapi_yaml(input: Input) -> Result<Response, Problem> {
    answer(Ok(&asset::OPENAPI_YAML), input, Cached::Asked)
}

/// `GET /docs/{asset}`: what the pages are made of, under names that change
/// with what they name. 404 for any other.
#[cfg_attr(feature = "openapi", utoipa::path(
    get,
    path = "/docs/{asset}",
    operation_id = "getAsset",
    summary = "Get an asset of the pages",
    description = "Script, style, image or the source of one, under a name that changes with what it names.",
    params(("asset" = String, Path, description = "Its name, as the pages have it.", example = "docs.css"), chassis::openapi::Conditions),
    responses(
        (
            status = 200,
            description = "The asset.",
            content((String = "text/css"), (String = "text/javascript"), (String = "text/plain"), (String = "image/svg+xml")),
            headers(("Cache-Control"), ("ETag"), ("Vary")),
        ),
        (status = 304, description = "The client has it already.", headers(("Cache-Control"), ("ETag"), ("Vary"))),
        (status = 404, response = chassis::openapi::NotFound),
        (status = 412, response = chassis::openapi::PreconditionFailed),
        chassis::openapi::Failures,
    ),
))]
pub async fn asset(input: Input) -> Result<Response, Problem> {
    answer(input.id(asset::named), input, Cached::ForEver)
}

/// `GET /favicon.ico`: the icon, for whoever asks for it by the old name, as
/// browsers do that show plain JSON.
#[cfg_attr(feature = "openapi", utoipa::path(
    get,
    path = "/favicon.ico",
    operation_id = "getIcon",
    summary = "Get the icon",
    description = "Browsers ask for it here.",
    params(chassis::openapi::Conditions),
    responses(
        (
            status = 200,
            description = "The icon.",
            body = String, content_type = "image/svg+xml",
            headers(("Cache-Control"), ("ETag"), ("Vary")),
        ),
        (status = 304, description = "The client has it already.", headers(("Cache-Control"), ("ETag"), ("Vary"))),
        (status = 412, response = chassis::openapi::PreconditionFailed),
        chassis::openapi::Failures,
    ),
))]
pub async fn favicon(input: Input) -> Result<Response, Problem> {
    answer(Ok(&asset::FAVICON), input, Cached::Asked)
}
