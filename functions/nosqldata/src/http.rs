//! The handlers.

use std::collections::HashSet;

use axum::extract::State;
use chassis::{
    Problem, RequestContext,
    http::{
        Accept, Created, Fetched, FromQuery, Id, Idempotent, Incoming, Json, Listing, MergePatch,
        NoContent, Page, Paged, Part, Preconditions, Replayable, Request, RequestErrors, Resource,
        Tagged, Written, openapi::Operation,
    },
};
use dto::{ProductId, catalogue::ProductBatch};
use serde::Serialize;

use crate::{
    Catalogue,
    error::Error,
    product::{Category, Product, ProductContent},
};

/// The list's name.
const MESSAGE: &str = "NoSql Data";

/// The most ids of one batch.
const MAX_IDS: usize = 100;

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

/// The path and the entity tag of a product.
impl Resource for Product {
    fn path(&self) -> String {
        format!("/nosqldata/{}", self.id)
    }

    fn etag(&self) -> String {
        self.revision.etag.clone()
    }
}

/// `GET /nosqldata`: a page of products or a batch of them.
pub(crate) async fn list(
    State(catalogue): State<Catalogue>,
    ctx: RequestContext,
    accept: Accept,
    Request(selection): Request<Selection>,
) -> Result<Listing<ProductList>, Problem> {
    if accept.prefers_text() {
        catalogue.ping(&ctx).await?;
        return Ok(Listing::Text("Test NoSQL"));
    }
    let list = match selection {
        Selection::Page(paged) => {
            let (category, after) = (paged.filter.category.as_ref(), paged.after.as_ref());
            let page = catalogue.page(&ctx, category, paged.limit, after).await?;
            ProductList::Page(paged.page(MESSAGE, page.items, page.last.as_ref())?)
        }
        Selection::Batch(ids) => ProductList::Batch(batch(&catalogue, &ctx, ids).await?),
    };
    Ok(Listing::Json(list))
}

/// `POST /nosqldata`: creates a product.
pub(crate) async fn create(
    State(catalogue): State<Catalogue>,
    ctx: RequestContext,
    Request(Idempotent { body, key }): Request<Idempotent<ProductContent>>,
) -> Result<Replayable<Created<Product>>, Problem> {
    let created = Created(Product::create(body));
    let response = created.to_stored().map_err(Problem::internal)?;
    let outcome = catalogue
        .create(&ctx, &created.0, key.as_ref(), &response)
        .await?;
    Ok(Replayable::new(response, outcome))
}

/// `GET /nosqldata/{id}`: the product.
pub(crate) async fn fetch(
    State(catalogue): State<Catalogue>,
    ctx: RequestContext,
    Request((Id(id), preconditions)): Request<(Id<ProductId>, Preconditions)>,
) -> Result<Fetched<Product>, Problem> {
    let product = catalogue.get(&ctx, &id).await?;
    preconditions.fetch(product)
}

/// `PUT /nosqldata/{id}`: replaces the product or creates it.
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

/// `PATCH /nosqldata/{id}`: merges into the product.
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

/// `DELETE /nosqldata/{id}`: deletes the product.
pub(crate) async fn delete(
    State(catalogue): State<Catalogue>,
    ctx: RequestContext,
    Request((Id(id), preconditions)): Request<(Id<ProductId>, Preconditions)>,
) -> Result<NoContent, Problem> {
    catalogue.delete(&ctx, &id, &preconditions).await?;
    Ok(NoContent)
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

/// Which products a list has.
#[derive(Debug)]
pub(crate) enum Selection {
    /// A page of all products or of one category.
    Page(Paged<Filter, ProductId>),
    /// The products with these ids, each once, in the requested order.
    Batch(Vec<ProductId>),
}

/// Which products the pages of a list have.
#[derive(Debug, FromQuery)]
pub(crate) struct Filter {
    /// Only products of this category, exactly.
    pub(crate) category: Option<Category>,
}

impl Part for Selection {
    fn read(request: &mut Incoming, errors: &mut RequestErrors) -> Option<Self> {
        if !request.query.has("ids") {
            return Paged::read(request, errors).map(Self::Page);
        }
        let ids = request.query.take("ids", &mut errors.invalid);
        let others = request.query.names();
        // What a page needs is read all the same, so that its errors are reported.
        let mut is_alone = Paged::<Filter, ProductId>::read(request, errors).is_some();
        for other in others.difference(&request.query.names()) {
            let detail = "must not be given together with ids";
            errors.invalid.add_parameter(other, detail);
            is_alone = false;
        }
        let ids = read_ids(&ids??, errors)?;
        is_alone.then_some(Self::Batch(ids))
    }

    fn describe(operation: &mut Operation) {
        Paged::<Filter, ProductId>::describe(operation);
        operation.query_parameter(
            "ids",
            "Up to 100 ids, separated by commas, such as `espresso-cups,moka-pot`; repeated ids \
             count once.",
            &json::schema::json!({
                "type": "string",
                "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}(,[A-Za-z0-9][A-Za-z0-9._-]{0,63})*$",
            }),
        );
    }
}

/// Reads a list of ids, each once.
///
/// Returns `None` if and only if it has added an error to `errors`.
fn read_ids(list: &str, errors: &mut RequestErrors) -> Option<Vec<ProductId>> {
    let (mut ids, mut known) = (Vec::new(), HashSet::new());
    let mut valid = true;
    for (index, text) in list.split(',').enumerate() {
        match ProductId::parse(text) {
            Ok(id) => {
                if known.insert(id.clone()) {
                    ids.push(id);
                }
            }
            Err(rule) => {
                let detail = format!("id {} in the list {rule}", index + 1);
                errors.invalid.add_parameter("ids", detail);
                valid = false;
            }
        }
    }
    if ids.len() > MAX_IDS {
        let detail = format!("must list at most {MAX_IDS} ids");
        errors.invalid.add_parameter("ids", detail);
        valid = false;
    }
    valid.then_some(ids)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(list: &str) -> Result<Vec<String>, Vec<String>> {
        let mut errors = RequestErrors::default();
        let ids = read_ids(list, &mut errors);
        let details = errors.invalid.into_vec().into_iter();
        ids.map(|ids| ids.iter().map(ToString::to_string).collect())
            .ok_or_else(|| details.map(|error| error.detail).collect())
    }

    #[test]
    fn repeated_ids_count_once() {
        assert_eq!(read("b,a,b").unwrap(), ["b", "a"]);
        let hundred: Vec<_> = (0..100).map(|n| n.to_string()).collect();
        let list = [hundred.join(","), hundred.join(",")].join(",");
        assert_eq!(read(&list).unwrap(), hundred);
    }
}
