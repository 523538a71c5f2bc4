//! The orders, and the catalogue through them.

mod document;
// region: nosqldata
mod faults;
mod linearizability;
// endregion
mod migrate;
// region: nosqldata
mod outages;
mod plans;
mod summary;
mod sums;
// endregion
