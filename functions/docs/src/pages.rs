//! The document and the two pages that show it.

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

/// `GET /docs`: Swagger UI, to read the API and to try it.
pub async fn docs(input: Input) -> Result<Response, Problem> {
    page(&asset::DOCS, input, DOCS_POLICY)
}

/// `GET /redoc`: ReDoc, to read the API at length.
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
pub async fn openapi_json(input: Input) -> Result<Response, Problem> {
    answer(Ok(&asset::OPENAPI_JSON), input, Cached::Asked)
}

/// `GET /openapi.yaml`: the same document.
pub async fn openapi_yaml(input: Input) -> Result<Response, Problem> {
    answer(Ok(&asset::OPENAPI_YAML), input, Cached::Asked)
}

/// `GET /docs/{asset}`: what the pages are made of, under names that change
/// with what they name. 404 for any other.
pub async fn asset(input: Input) -> Result<Response, Problem> {
    answer(input.id(asset::named), input, Cached::ForEver)
}

/// `GET /favicon.ico`: the icon, for whoever asks for it by the old name, as
/// browsers do that show plain JSON.
pub async fn favicon(input: Input) -> Result<Response, Problem> {
    answer(Ok(&asset::FAVICON), input, Cached::Asked)
}
