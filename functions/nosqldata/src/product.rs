//! `/nosqldata/{id}`: one product.

use axum::{extract::State, response::Response};
use chassis::{Input, JSON, MERGE_PATCH, Problem, reply};
use dto::product::{ProductContent, ProductId, ProductPatch};
use http::{
    StatusCode,
    header::{CONTENT_LOCATION, LOCATION},
};

use crate::{Catalogue, Error, item::Stored};

/// `GET`: the product, 304 to a client that has it, or 404.
pub(crate) async fn read(
    State(catalogue): State<Catalogue>,
    mut input: Input,
) -> Result<Response, Problem> {
    input.params(&[]);
    let id = input.id(ProductId::parse);
    let preconditions = input.preconditions();
    let deadline = input.call.deadline;
    input.finish(Some(()))?;
    let stored = catalogue.get(&id?, deadline).await?;
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
pub(crate) async fn put(
    State(catalogue): State<Catalogue>,
    mut input: Input,
) -> Result<Response, Problem> {
    input.params(&[]);
    let id = input.id(ProductId::parse);
    let preconditions = input.preconditions();
    let content = input.json(JSON, ProductContent::read)?;
    let deadline = input.call.deadline;
    let content = input.finish(content)?;
    let stored = catalogue
        .put(&id?, content, &preconditions, deadline)
        .await?;
    let response = if stored.product.version == 1 {
        created(&stored)?
    } else {
        representation(StatusCode::OK, &stored)?
    };
    let location = location(&stored);
    Ok(reply::with_header(response, CONTENT_LOCATION, &location))
}

/// `PATCH`: merges into the product, or 404.
pub(crate) async fn patch(
    State(catalogue): State<Catalogue>,
    mut input: Input,
) -> Result<Response, Problem> {
    input.params(&[]);
    let id = input.id(ProductId::parse);
    let preconditions = input.preconditions();
    let patch = input.json(MERGE_PATCH, ProductPatch::read)?;
    let deadline = input.call.deadline;
    let patch = input.finish(patch)?;
    let stored = catalogue
        .patch(&id?, &patch, &preconditions, deadline)
        .await?;
    representation(StatusCode::OK, &stored)
}

/// `DELETE`: 204, or 404.
pub(crate) async fn delete(
    State(catalogue): State<Catalogue>,
    mut input: Input,
) -> Result<Response, Problem> {
    input.params(&[]);
    let id = input.id(ProductId::parse);
    let preconditions = input.preconditions();
    let deadline = input.call.deadline;
    input.finish(Some(()))?;
    catalogue.delete(&id?, &preconditions, deadline).await?;
    Ok(reply::no_content())
}

/// 201: the product as it was made, and where it is.
pub(crate) fn created(stored: &Stored) -> Result<Response, Problem> {
    let response = representation(StatusCode::CREATED, stored)?;
    Ok(reply::with_header(response, LOCATION, &location(stored)))
}

fn representation(status: StatusCode, stored: &Stored) -> Result<Response, Problem> {
    let response = reply::json(status, &stored.product)?;
    Ok(reply::with_etag(response, &stored.etag))
}

/// An id has nothing in it that a path would have to escape.
fn location(stored: &Stored) -> String {
    format!("/nosqldata/{}", stored.product.id)
}
