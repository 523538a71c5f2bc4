//! The service's part of the OpenAPI document.

use dto::product::ProductId;
use utoipa::{IntoParams, OpenApi};

#[derive(OpenApi)]
#[openapi(
    paths(
        crate::products::list,
        crate::products::create,
        crate::product::read,
        crate::product::put,
        crate::product::patch,
        crate::product::delete,
    ),
    tags((name = "nosqldata", description = "The catalogue: products, in DynamoDB.")),
)]
struct Document;

/// The service's part of the OpenAPI document.
#[must_use]
pub fn document() -> utoipa::openapi::OpenApi {
    chassis::openapi::complete("nosqldata", Document::openapi())
}

pub(crate) const LIST: &str = "\
Page by page, of all products or of one category: pass `nextCursor` as `cursor`, with the same \
`category`, until it is `null`. A page may be shorter than its `limit` before that. A walk sees \
every product that was there throughout exactly once.

With `ids`, and then with no other parameter, the products with these ids, in that order; `missing` \
lists those that do not exist.

As `text/plain` it is `Test NoSQL`, and only when the table has answered.";

pub(crate) const PUT: &str = "\
Without a condition the last writer wins. `If-Match` with an `ETag` replaces only the state that it \
is of; `If-None-Match: *` only creates. Replacing a product by what it is already is a new version \
of it all the same.";

pub(crate) const PATCH: &str = "\
A merge patch (RFC 7396): members replace what is there, at every level, and `null` removes. Nothing \
that others write meanwhile is lost. What the product becomes must be valid, else 422.";

/// Which product.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "only its parameters are used")]
pub(crate) struct IdParam {
    /// The product's id: 1–64 of `A-Z a-z 0-9 . _ -`, beginning with a letter
    /// or a digit.
    #[param(example = "espresso-cups")]
    id: ProductId,
}

/// Which products.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only its parameters are used")]
pub(crate) struct ListParams {
    /// Only products of this category, exactly.
    #[param(
        nullable = false,
        min_length = 1,
        max_length = 64,
        pattern = r"^[^\u0000-\u001F\u007F-\u009F]*$"
    )]
    category: Option<String>,
    /// The most products of the page.
    #[param(nullable = false, minimum = 1, maximum = 100, default = 20)]
    limit: Option<i32>,
    /// Where the page begins: `nextCursor` of the page before.
    #[param(nullable = false)]
    cursor: Option<String>,
    /// Up to 100 ids, separated by commas, such as `espresso-cups,moka-pot`;
    /// repeats are folded.
    #[param(
        nullable = false,
        pattern = "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}(,[A-Za-z0-9][A-Za-z0-9._-]{0,63})*$"
    )]
    ids: Option<String>,
}
