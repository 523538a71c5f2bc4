//! `/nosqldata`: the products.

use axum::extract::State;
use chassis::{
    Problem, RequestContext,
    http::{Accept, Created, Idempotent, Listing, Page, Replayable, Request},
};
use dto::{ProductId, catalogue::ProductBatch};
use serde::Serialize;

use super::selection::Selection;
use crate::{
    Catalogue,
    error::Error,
    product::{Product, ProductContent},
};

/// The list's name.
const MESSAGE: &str = "NoSql Data";

/// The documentation of [`list`].
pub(crate) const LIST: &str = "\
A page of all products or of those of one category. To get the next page, send `nextCursor` as `cursor` with \
the same `category`, until it is `null`. A page may be shorter than its `limit` before the end. All pages \
together have every product that existed throughout exactly once.

With `ids`, and no other parameter, the products with these ids, in that order; `missing` lists the \
ids that no product has.

As `text/plain` the response is `Test NoSQL`, if the table responds.";

/// The documentation of [`create`].
pub(crate) const CREATE: &str =
    "The service generates the id, a UUIDv7. To choose an id, `PUT` the product.";

/// `GET`: a page of products or a batch of them.
pub(crate) async fn list(
    State(catalogue): State<Catalogue>,
    ctx: RequestContext,
    Request((accept, selection)): Request<(Accept, Selection)>,
) -> Result<Listing<ProductList>, Problem> {
    if accept.prefers_text() {
        catalogue.ping(&ctx).await?;
        return Ok(Listing::Text("Test NoSQL"));
    }
    let list = match selection {
        Selection::Page(request) => {
            let (category, after) = (request.filter.category.as_ref(), request.after.as_ref());
            let page = catalogue.page(&ctx, category, request.limit, after).await?;
            ProductList::Page(request.page(MESSAGE, page.items, page.last.as_ref())?)
        }
        Selection::Batch(ids) => ProductList::Batch(batch(&catalogue, &ctx, ids).await?),
    };
    Ok(Listing::Json(list))
}

/// `POST`: creates a product.
pub(crate) async fn create(
    State(catalogue): State<Catalogue>,
    ctx: RequestContext,
    Request(Idempotent { body, key }): Request<Idempotent<ProductContent>>,
) -> Result<Replayable<Created<Product>>, Problem> {
    let created = Created(Product::create(body));
    let response = created.store().map_err(Problem::internal)?;
    let outcome = catalogue
        .create(&ctx, &created.0, key.as_ref(), &response)
        .await?;
    Ok(Replayable::new(response, outcome))
}

/// The products with these ids, and the ids that no product has.
async fn batch(
    catalogue: &Catalogue,
    ctx: &RequestContext,
    ids: Vec<ProductId>,
) -> Result<ProductBatch<Product>, Error> {
    let mut found = catalogue.batch(ctx, &ids).await?;
    let mut batch = ProductBatch {
        message: MESSAGE.to_owned(),
        items: Vec::new(),
        missing: Vec::new(),
        next_cursor: None,
    };
    for id in ids {
        match found.remove(&id) {
            Some(product) => batch.items.push(product),
            None => batch.missing.push(id),
        }
    }
    Ok(batch)
}

/// The products of a list.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum ProductList {
    /// A page.
    Page(Page<Product>),
    /// A batch by ids.
    Batch(ProductBatch<Product>),
}

/// The schema of a page, with the member that only a batch has.
#[cfg(feature = "openapi")]
impl json::Schema for ProductList {
    fn schema(components: &mut json::schema::Components) -> json::schema::Json {
        let missing = Vec::<ProductId>::schema(components);
        let missing =
            json::schema::described(missing, "Only with `ids`: the ids that no product has.");
        let page = Page::<Product>::schema(components);
        let properties = components.schemas.get_mut("ProductPage");
        let properties = properties.and_then(|page| page.pointer_mut("/properties"));
        if let Some(properties) = properties.and_then(json::schema::Json::as_object_mut) {
            properties.insert("missing".to_owned(), missing);
        }
        page
    }
}
