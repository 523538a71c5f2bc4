//! The orders, and the catalogue through them.

mod document;
// region: nosqldata
mod faults;
mod linearizability;
// endregion
mod migrate;
mod plans;
// region: nosqldata
mod outages;
mod summary;
mod sums;
// endregion
