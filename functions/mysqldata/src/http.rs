//! The handlers.

pub(crate) mod collection;
pub(crate) mod item;
pub(crate) mod summary;

use chassis::http::Resource;

use crate::order::Order;

/// The path and the entity tag of an order. An order is never deleted, so its
/// version is never reused.
impl Resource for Order {
    fn path(&self) -> String {
        format!("/mysqldata/{}", self.id)
    }

    fn etag(&self) -> String {
        self.version.get().to_string()
    }
}
