//! What a service with a `MySQL` store needs.
//!
//! | item | what it has |
//! |---|---|
//! | [`Config`] | where the database is, whom to trust and how to sign in, from the environment |
//! | [`Database`] | operations and transactions, with a circuit breaker and health |
//! | [`Session`] | the statements of one attempt, each with its line in the log |
//! | [`KeyTable`] | idempotency keys: a request is executed once |
//! | [`Conditions`], [`insert`], [`placeholders`] | SQL whose values are bound, never part of the text |
//! | [`Columns`] | a row of many columns |
//! | [`Error`] | why an operation failed, and its response |
//!
//! `cargo xtask new` generates a whole service.
//!
//! An operation may be attempted again when the outcome of an attempt is
//! unknown, for example because the connection broke during `COMMIT`. It must
//! change nothing, or recognize its own change even if another has followed.

mod config;
mod connections;
mod database;
mod error;
mod idempotency;
mod roots;
mod session;
mod sql;

pub use config::{Config, default_policy};
pub use database::Database;
pub use error::{AttemptError, Error, TransactionError};
pub use idempotency::KeyTable;
pub use mysql_async::Value;
pub use session::Session;
pub use sql::{Columns, Conditions, from_datetime, insert, placeholders, to_datetime};
