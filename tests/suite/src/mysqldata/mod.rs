// region: nosqldata
//! The orders, at prices of the catalogue.

mod authorization;
pub mod cursors;
mod orders;
mod summary;

use crate::Case;

pub fn cases() -> Vec<Case> {
    [
        orders::cases(),
        authorization::cases(),
        cursors::cases(),
        summary::cases(),
    ]
    .concat()
}
// endregion
