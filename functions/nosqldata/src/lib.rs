//! `/nosqldata`: the catalogue of products, in `DynamoDB`.

use chassis::{
    auth::{Access, Authenticator},
    http::{Router, doc, get},
};

mod config;
mod error;
mod http;
mod product;
mod store;

pub use config::Config;
pub use store::Catalogue;

/// The scope of callers who write products.
const WRITE: Access = Access::Scope(&["catalogue:write"]);

/// The routes of `nosqldata`.
#[must_use]
pub fn router(catalogue: Catalogue, authenticator: Authenticator) -> Router<Catalogue> {
    let check = catalogue.check();
    Router::new("nosqldata", catalogue)
        .authenticate(authenticator)
        .route(
            "/nosqldata",
            get(
                doc("listProducts", "List products", Access::Public).describe(http::LIST),
                http::list,
            )
            .post(
                doc("createProduct", "Create a product", WRITE).describe(http::CREATE),
                http::create,
            ),
        )
        .route(
            "/nosqldata/{id}",
            get(
                doc("getProduct", "Get a product", Access::Public).describe(http::FETCH),
                http::fetch,
            )
            .put(
                doc(
                    "putProduct",
                    "Replace a product, or create it under an id of your own",
                    WRITE,
                )
                .describe(http::PUT),
                http::put,
            )
            .patch(
                doc("patchProduct", "Change a product", WRITE).describe(http::PATCH),
                http::patch,
            )
            .delete(
                doc("deleteProduct", "Delete a product", WRITE).describe(http::DELETE),
                http::delete,
            ),
        )
        .cache_control("no-cache")
        .check(check)
}
