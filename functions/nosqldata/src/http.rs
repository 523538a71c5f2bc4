//! The handlers.

pub(crate) mod collection;
pub(crate) mod item;
mod selection;

use chassis::http::Resource;

use crate::product::Product;

/// The path and the entity tag of a product.
impl Resource for Product {
    fn path(&self) -> String {
        format!("/nosqldata/{}", self.id)
    }

    fn etag(&self) -> String {
        self.revision.etag.clone()
    }
}
