// region: nosqldata
//! The orders, at prices of the catalogue.

mod orders;
mod summary;

use crate::Case;

pub fn cases() -> Vec<Case> {
    [orders::cases(), summary::cases()].concat()
}
// endregion
