//! The catalogue.

mod costs;
mod document;
mod extremes;
mod failures;
mod idempotency;
mod permissions;
mod races;
mod walks;
