//! `/nosqldata`: the catalogue of products, in `DynamoDB`.

use chassis::http::{Router, doc, get};

mod config;
mod error;
mod http;
mod product;
mod store;

pub use config::Config;
pub use store::Catalogue;

use http::{collection, item};

/// The routes of `nosqldata`.
#[must_use]
pub fn router(catalogue: Catalogue) -> Router<Catalogue> {
    let check = catalogue.check();
    Router::new("nosqldata", catalogue)
        .route(
            "/nosqldata",
            get(
                doc("listProducts", "List products").describe(collection::LIST),
                collection::list,
            )
            .post(
                doc("createProduct", "Create a product").describe(collection::CREATE),
                collection::create,
            ),
        )
        .route(
            "/nosqldata/{id}",
            get(
                doc("getProduct", "Get a product").describe(item::FETCH),
                item::fetch,
            )
            .put(
                doc(
                    "putProduct",
                    "Replace a product, or create it under an id of your own",
                )
                .describe(item::PUT),
                item::put,
            )
            .patch(
                doc("patchProduct", "Change a product").describe(item::PATCH),
                item::patch,
            )
            .delete(
                doc("deleteProduct", "Delete a product").describe(item::DELETE),
                item::delete,
            ),
        )
        .cache_control("no-cache")
        .check(check)
}
