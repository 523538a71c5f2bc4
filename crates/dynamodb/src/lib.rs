//! What every service with a store in `DynamoDB` needs.
//!
//! A service implements [`Entity`] for what it stores, and has a [`Table`] of
//! it. The stored item is derived from the entity's content, so that a field is
//! stated once: in the type of the content. `cargo xtask new` generates a whole
//! service.
//!
//! | item of this crate | what it has |
//! |---|---|
//! | [`Config`] | the endpoint and the credentials, from the environment |
//! | [`Database`] | the client, with its circuit breaker and its health |
//! | [`Table`] | entities: read, listed page by page, written under preconditions |
//! | [`KeyTable`] | idempotency keys: a request is executed once |
//! | [`Error`] | why an operation failed, and its response |
//!
//! A write whose response is lost is sent again, but not executed twice. Every
//! write has an entity tag of its own, by which a retry recognizes what an
//! earlier attempt has done. A deletion leaves no entity tag, so it is a
//! transaction, which has a token. If other requests may have overwritten or
//! deleted what the earlier attempt wrote, the retry fails with
//! [`Error::Unknown`].
//!
//! One case remains: if the creation of an item with a generated id is executed,
//! its response lost, and the item found in a list and deleted before the retry
//! arrives, it is created again. A request with an idempotency key does not have
//! this case.

mod client;
mod config;
mod database;
mod entity;
mod error;
mod expression;
mod idempotency;
mod item;
mod table;
mod value;
mod write;

pub use config::Config;
pub use database::Database;
pub use entity::{Entity, Revision};
pub use error::Error;
pub use idempotency::KeyTable;
pub use table::{Index, Page, Table};
