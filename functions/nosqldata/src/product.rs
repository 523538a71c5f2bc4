//! `/nosqldata/{id}`: one product.

use axum::{extract::State, response::Response};
use chassis::{Input, JSON, MERGE_PATCH, Problem, idempotency::Answer, reply};
use dto::product::{ProductContent, ProductId, ProductPatch};
use http::{
    StatusCode,
    header::{CONTENT_LOCATION, CONTENT_TYPE, ETAG, HeaderName, LOCATION},
};

use crate::{Catalogue, Error, item::Stored};

/// `GET`: the product, 304 to a client that has it, or 404.
#[cfg_attr(feature = "openapi", utoipa::path(
    get,
    path = "/nosqldata/{id}",
    operation_id = "getProduct",
    summary = "Get a product",
    description = "With `If-None-Match` it is sent only to a client that does not have it.",
    params(crate::openapi::IdParam, chassis::openapi::Conditions),
    responses(
        (
            status = 200,
            description = "The product.",
            body = dto::product::Product,
            headers(("Cache-Control"), ("ETag")),
        ),
        (status = 304, description = "The client has it already.", headers(("Cache-Control"), ("ETag"))),
        (status = 404, response = chassis::openapi::NotFound),
        (status = 412, response = chassis::openapi::PreconditionFailed),
        (status = 422, response = chassis::openapi::InvalidRequest),
        chassis::openapi::Failures,
    ),
))]
pub(crate) async fn read(
    State(catalogue): State<Catalogue>,
    mut input: Input,
) -> Result<Response, Problem> {
    input.params(&[]);
    let id = input.id(ProductId::parse);
    let preconditions = input.preconditions();
    let call = input.call.clone();
    input.finish(Some(()))?;
    let stored = catalogue.get(&id?, &call).await?;
    let stored = stored.ok_or(Error::NotFound)?;
    if !preconditions.matches(Some(&stored.etag)) {
        return Err(Error::PreconditionFailed.into());
    }
    if preconditions.none_match_fails(Some(&stored.etag)) {
        return Ok(reply::not_modified(&stored.etag));
    }
    representation(StatusCode::OK, &stored)
}

/// `PUT`: replaces the product (200) or makes it (201).
#[cfg_attr(feature = "openapi", utoipa::path(
    put,
    path = "/nosqldata/{id}",
    operation_id = "putProduct",
    summary = "Replace a product, or create it under an id of your own",
    description = crate::openapi::PUT,
    params(crate::openapi::IdParam, chassis::openapi::Conditions),
    request_body = dto::openapi::ProductContent,
    responses(
        (
            status = 200,
            description = "The product, as it replaced what was there.",
            body = dto::product::Product,
            headers(("Cache-Control"), ("ETag"), ("Content-Location")),
        ),
        (
            status = 201,
            description = "The product, as it was made.",
            body = dto::product::Product,
            headers(("Cache-Control"), ("Content-Location"), ("ETag"), ("Location")),
            links(
                ("get" = (operation_id = "getProduct", parameters(("id" = "$response.body#/id")), description = "Get it.")),
                ("put" = (operation_id = "putProduct", parameters(("id" = "$response.body#/id")), description = "Replace it.")),
                ("patch" = (operation_id = "patchProduct", parameters(("id" = "$response.body#/id")), description = "Change it.")),
                ("delete" = (operation_id = "deleteProduct", parameters(("id" = "$response.body#/id")), description = "Delete it.")),
            ),
        ),
        (status = 404, response = chassis::openapi::NotFound),
        (status = 412, response = chassis::openapi::PreconditionFailed),
        chassis::openapi::Refusals,
        chassis::openapi::Failures,
    ),
))]
pub(crate) async fn put(
    State(catalogue): State<Catalogue>,
    mut input: Input,
) -> Result<Response, Problem> {
    input.params(&[]);
    let id = input.id(ProductId::parse);
    let preconditions = input.preconditions();
    let content = input.json(JSON, ProductContent::read)?;
    let call = input.call.clone();
    let content = input.finish(content)?;
    let stored = catalogue.put(&id?, content, &preconditions, &call).await?;
    let response = if stored.product.version == 1 {
        created(&stored)?.first()
    } else {
        representation(StatusCode::OK, &stored)?
    };
    let location = location(&stored);
    Ok(reply::with_header(response, CONTENT_LOCATION, &location))
}

/// `PATCH`: merges into the product, or 404.
#[cfg_attr(feature = "openapi", utoipa::path(
    patch,
    path = "/nosqldata/{id}",
    operation_id = "patchProduct",
    summary = "Change a product",
    description = crate::openapi::PATCH,
    params(crate::openapi::IdParam, chassis::openapi::Conditions),
    request_body(content(
        (dto::openapi::ProductPatch = "application/merge-patch+json"),
        (dto::openapi::ProductPatch = "application/json"),
    )),
    responses(
        (
            status = 200,
            description = "The product, as it is now.",
            body = dto::product::Product,
            headers(("Cache-Control"), ("ETag")),
        ),
        (status = 404, response = chassis::openapi::NotFound),
        (status = 412, response = chassis::openapi::PreconditionFailed),
        chassis::openapi::PatchRefusals,
        chassis::openapi::Failures,
    ),
))]
pub(crate) async fn patch(
    State(catalogue): State<Catalogue>,
    mut input: Input,
) -> Result<Response, Problem> {
    input.params(&[]);
    let id = input.id(ProductId::parse);
    let preconditions = input.preconditions();
    let patch = input.json(MERGE_PATCH, ProductPatch::read)?;
    let call = input.call.clone();
    let patch = input.finish(patch)?;
    let stored = catalogue.patch(&id?, &patch, &preconditions, &call).await?;
    representation(StatusCode::OK, &stored)
}

/// `DELETE`: 204, or 404.
#[cfg_attr(feature = "openapi", utoipa::path(
    delete,
    path = "/nosqldata/{id}",
    operation_id = "deleteProduct",
    summary = "Delete a product",
    description = "Orders of it keep the name and price that it had.",
    params(crate::openapi::IdParam, chassis::openapi::Conditions),
    responses(
        (status = 204, description = "It is gone."),
        (status = 404, response = chassis::openapi::NotFound),
        (status = 412, response = chassis::openapi::PreconditionFailed),
        (status = 422, response = chassis::openapi::InvalidRequest),
        chassis::openapi::Failures,
    ),
))]
pub(crate) async fn delete(
    State(catalogue): State<Catalogue>,
    mut input: Input,
) -> Result<Response, Problem> {
    input.params(&[]);
    let id = input.id(ProductId::parse);
    let preconditions = input.preconditions();
    let call = input.call.clone();
    input.finish(Some(()))?;
    catalogue.delete(&id?, &preconditions, &call).await?;
    Ok(reply::no_content())
}

/// 201: the product as it was made, and where it is.
pub(crate) fn created(stored: &Stored) -> Result<Answer, Problem> {
    let header = |name: HeaderName, value: String| (name.as_str().to_owned(), value);
    Ok(Answer {
        status: StatusCode::CREATED.as_u16(),
        headers: vec![
            header(CONTENT_TYPE, "application/json".to_owned()),
            header(ETAG, format!("\"{}\"", stored.etag)),
            header(LOCATION, location(stored)),
        ],
        body: serde_json::to_string(&stored.product).map_err(Problem::internal)?,
    })
}

fn representation(status: StatusCode, stored: &Stored) -> Result<Response, Problem> {
    let response = reply::json(status, &stored.product)?;
    Ok(reply::with_etag(response, &stored.etag))
}

/// An id has nothing in it that a path would have to escape.
fn location(stored: &Stored) -> String {
    format!("/nosqldata/{}", stored.product.id)
}
