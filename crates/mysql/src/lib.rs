//! What a service with a `MySQL` store needs.
//!
//! | item | what it has |
//! |---|---|
//! | [`Database`] | where the database is, whom to trust and how to sign in |
//! | [`Client`] | operations within the request's deadline: retries, circuit breaker, transactions |
//! | [`Session`] | the statements of one attempt, each with its line in the log |
//! | [`IdempotentWrite`] | writes that are executed once per `Idempotency-Key` |
//! | [`Conditions`], [`insert`], [`placeholders`] | SQL whose values are bound, never part of the text |
//!
//! An operation may be attempted again when the outcome of an attempt is
//! unknown, for example because the connection broke during `COMMIT`. It must
//! change nothing, or recognize its own change.

mod client;
mod connections;
mod database;
mod error;
mod idempotency;
mod roots;
mod session;
mod sql;
mod token;

pub use client::{Client, default_policy};
pub use database::Database;
pub use error::{AttemptError, Error, TransactionError};
pub use idempotency::IdempotentWrite;
pub use mysql_async::Value;
pub use session::Session;
pub use sql::{Conditions, from_datetime, insert, placeholders, to_datetime};
pub use token::TokenError;
