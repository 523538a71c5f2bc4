//! `/nosqldata/{id}`: one product.

use axum::extract::State;
use chassis::{
    Problem, RequestContext,
    http::{Fetched, Id, Json, MergePatch, NoContent, Preconditions, Request, Tagged, Written},
};
use dto::ProductId;

use crate::{
    Catalogue,
    product::{Product, ProductContent},
};

/// The documentation of [`fetch`].
pub(crate) const FETCH: &str =
    "With `If-None-Match`, a client that has the state already gets 304.";

/// The documentation of [`put`].
pub(crate) const PUT: &str = "\
Without a precondition the last writer wins. `If-Match` with an `ETag` replaces only the state that \
has it; `If-None-Match: *` only creates. A write that changes nothing still creates a version.";

/// The documentation of [`patch`].
pub(crate) const PATCH: &str = "\
A merge patch (RFC 7396): members replace those of the product, at every level, and `null` removes. \
No concurrent write is lost. The patched product must be valid, else the response is 422.";

/// The documentation of [`delete`].
pub(crate) const DELETE: &str = "Orders keep the name and the price that the product had.";

/// `GET`: the product.
pub(crate) async fn fetch(
    State(catalogue): State<Catalogue>,
    ctx: RequestContext,
    Request((Id(id), preconditions)): Request<(Id<ProductId>, Preconditions)>,
) -> Result<Fetched<Product>, Problem> {
    let product = catalogue.get(&ctx, &id).await?;
    preconditions.fetch(product)
}

/// `PUT`: replaces the product or creates it.
pub(crate) async fn put(
    State(catalogue): State<Catalogue>,
    ctx: RequestContext,
    Request((Id(id), preconditions, Json(content))): Request<(
        Id<ProductId>,
        Preconditions,
        Json<ProductContent>,
    )>,
) -> Result<Written<Product>, Problem> {
    let product = catalogue.put(&ctx, &id, &content, &preconditions).await?;
    Ok(if product.revision.is_first() {
        Written::Created(product)
    } else {
        Written::Replaced(product)
    })
}

/// `PATCH`: merges into the product.
pub(crate) async fn patch(
    State(catalogue): State<Catalogue>,
    ctx: RequestContext,
    Request((Id(id), preconditions, patch)): Request<(
        Id<ProductId>,
        Preconditions,
        MergePatch<ProductContent>,
    )>,
) -> Result<Tagged<Product>, Problem> {
    let product = catalogue.patch(&ctx, &id, &patch, &preconditions).await?;
    Ok(Tagged(product))
}

/// `DELETE`: deletes the product.
pub(crate) async fn delete(
    State(catalogue): State<Catalogue>,
    ctx: RequestContext,
    Request((Id(id), preconditions)): Request<(Id<ProductId>, Preconditions)>,
) -> Result<NoContent, Problem> {
    catalogue.delete(&ctx, &id, &preconditions).await?;
    Ok(NoContent)
}
