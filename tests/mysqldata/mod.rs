//! The orders, and the catalogue through them.

// region: nosqldata
mod alarms;
// endregion
mod document;
// region: nosqldata
mod faults;
mod linearizability;
// endregion
mod migrate;
// region: nosqldata
mod outages;
mod plans;
mod retries;
pub mod sums;
// endregion
