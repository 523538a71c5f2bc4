//! `/nosqldata`: the products.

use axum::{extract::State, response::Response};
use chassis::{Call, Input, JSON, Params, Problem, cursor::List, negotiate, reply};
use dto::{
    Fault,
    product::{CATEGORY_LENGTH, ProductBatch, ProductContent, ProductId, ProductPage},
    read::{Lines, text_fault},
};
use http::StatusCode;

use crate::{Catalogue, Error, item::Stored, once::Done, product};

/// What a list says first.
const MESSAGE: &str = "NoSql Data";

/// The most ids of one batch.
pub const MOST_IDS: usize = 100;

/// `GET`: a page of products, of all or of a category, or a batch by ids. As
/// plain text it says that the table answers.
#[cfg_attr(feature = "openapi", utoipa::path(
    get,
    path = "/nosqldata",
    operation_id = "listProducts",
    summary = "List products",
    description = crate::openapi::LIST,
    params(crate::openapi::ListParams),
    responses(
        (
            status = 200,
            description = "A page of products, or those asked for by their ids.",
            content((dto::openapi::ProductPage = "application/json"), (String = "text/plain")),
            headers(("Vary")),
        ),
        (status = 422, response = chassis::openapi::InvalidRequest),
        chassis::openapi::Failures,
    ),
))]
pub(crate) async fn list(
    State(catalogue): State<Catalogue>,
    mut input: Input,
) -> Result<Response, Problem> {
    let offers = ["application/json", "text/plain"];
    let plain = negotiate::best(&input.headers, &offers) == Some("text/plain");
    let call = input.call.clone();
    let selection = Selection::read(&mut input);
    let selection = input.finish(Some(selection))?;
    let response = match selection {
        _ if plain => {
            catalogue.ping(&call).await?;
            reply::text("Test NoSQL")
        }
        Selection::Page(page) => {
            reply::json(StatusCode::OK, &page.fetch(&catalogue, &call).await?)?
        }
        Selection::Batch(ids) => {
            reply::json(StatusCode::OK, &batch(ids, &catalogue, &call).await?)?
        }
    };
    Ok(reply::vary_accept(response))
}

/// `POST`: makes a product with an id of its own, and under one
/// `Idempotency-Key` one product.
#[cfg_attr(feature = "openapi", utoipa::path(
    post,
    path = "/nosqldata",
    operation_id = "createProduct",
    summary = "Create a product",
    description = "The service gives it an id: a UUIDv7. To choose one, `PUT` the product.",
    params(chassis::openapi::IdempotencyKey),
    request_body = dto::openapi::ProductContent,
    responses(
        (
            status = 201,
            description = "The product, as it was made.",
            body = dto::product::Product,
            headers(("ETag"), ("Idempotency-Replayed"), ("Location")),
            links(
                ("get" = (operation_id = "getProduct", parameters(("id" = "$response.body#/id")), description = "Get it.")),
                ("put" = (operation_id = "putProduct", parameters(("id" = "$response.body#/id")), description = "Replace it.")),
                ("patch" = (operation_id = "patchProduct", parameters(("id" = "$response.body#/id")), description = "Change it.")),
                ("delete" = (operation_id = "deleteProduct", parameters(("id" = "$response.body#/id")), description = "Delete it.")),
            ),
        ),
        (status = 409, response = chassis::openapi::Conflict),
        chassis::openapi::Refusals,
        chassis::openapi::Failures,
    ),
))]
pub(crate) async fn create(
    State(catalogue): State<Catalogue>,
    mut input: Input,
) -> Result<Response, Problem> {
    input.params(&[]);
    let content = input.json(JSON, ProductContent::read)?;
    let once = input.once();
    let call = input.call.clone();
    let content = input.finish(content)?;
    let stored = Stored::new(ProductId::new(), content);
    let answer = product::created(&stored)?;
    let done = if let Some(once) = once {
        let done = catalogue.create_once(&stored, &once, &answer, &call);
        done.await?
    } else {
        catalogue.create(&stored, &call).await?;
        Done::Now
    };
    Ok(match done {
        Done::Now => answer.first(),
        Done::Before(answer) => answer.again(),
    })
}

/// The products that a `GET` is about.
enum Selection {
    /// Those of a page.
    Page(PageOf),
    /// Those with these ids, each once, in the order asked.
    Batch(Vec<ProductId>),
}

/// Which page.
struct PageOf {
    category: Option<String>,
    limit: u32,
    after: Option<ProductId>,
}

impl Selection {
    /// What the query parameters say, with the faults left in `input`.
    fn read(input: &mut Input) -> Self {
        let params = input.params(&["category", "cursor", "ids", "limit"]);
        if !params.has("ids") {
            return Self::Page(PageOf::read(input, &params));
        }
        for other in ["category", "cursor", "limit"] {
            if params.has(other) {
                let fault = Fault::parameter(other, "may not stand beside ids");
                input.invalid.add(fault);
            }
        }
        Self::Batch(ids(input, &params))
    }
}

impl PageOf {
    fn read(input: &mut Input, params: &Params) -> Self {
        let rule = "must have 1 to 64 characters, and no control characters";
        let category = input.param(params, "category", rule, |text| {
            let fault = text_fault(text, CATEGORY_LENGTH, Lines::One);
            fault.is_none().then(|| text.to_owned())
        });
        let limit = input.limit(params);
        let filters = [("category", params.get("category"))];
        let after = input.cursor(params, &list_of(&filters));
        Self {
            category,
            limit,
            after,
        }
    }

    async fn fetch(&self, catalogue: &Catalogue, call: &Call) -> Result<ProductPage, Problem> {
        let category = self.category.as_deref();
        let page = catalogue
            .page(category, self.limit, self.after.as_ref(), call)
            .await?;
        let filters = [("category", category)];
        let next_cursor = page.last.map(|last| list_of(&filters).seal(&last));
        Ok(ProductPage {
            message: MESSAGE.to_owned(),
            items: page.products,
            next_cursor: next_cursor.transpose().map_err(Problem::internal)?,
        })
    }
}

/// A cursor of this list is the id that its page begins after.
fn list_of<'l>(filters: &'l [(&'l str, Option<&'l str>)]) -> List<'l> {
    List {
        name: "/nosqldata",
        filters,
    }
}

/// The query parameter `ids`: what it lists, repeats folded.
fn ids(input: &mut Input, params: &Params) -> Vec<ProductId> {
    let mut ids = Vec::new();
    for text in params.get("ids").into_iter().flat_map(|ids| ids.split(',')) {
        match ProductId::parse(text) {
            Some(id) if ids.contains(&id) => {}
            Some(id) => ids.push(id),
            None => {
                let fault = format!("has {text:?}, and each id {}", ProductId::RULE);
                input.invalid.add(Fault::parameter("ids", fault));
            }
        }
    }
    if ids.len() > MOST_IDS {
        let fault = format!("must list at most {MOST_IDS} ids");
        input.invalid.add(Fault::parameter("ids", fault));
    }
    ids
}

async fn batch(
    ids: Vec<ProductId>,
    catalogue: &Catalogue,
    call: &Call,
) -> Result<ProductBatch, Error> {
    let mut found = catalogue.batch(&ids, call).await?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_holds_no_id_that_cannot_be() {
        let filters = [("category", Some("coffee"))];
        let list = list_of(&filters);
        let good = ProductId::parse("mug").unwrap();
        assert_eq!(list.open(&list.seal(&good).unwrap()), Some(good.clone()));
        // The checksum needs no secret, so anyone can make one.
        for forged in ["", "-", "a b"] {
            assert_eq!(list.open::<ProductId>(&list.seal(&forged).unwrap()), None);
        }
        let other = [("category", None)];
        let cursor = list_of(&other).seal(&good).unwrap();
        assert_eq!(list.open::<ProductId>(&cursor), None);
    }
}
