//! Requests and responses.
//!
//! A handler's signature is its documentation: it takes the parts of a request
//! that it reads ([`Request`]) and returns a typed response or a [`Problem`](crate::Problem).
//!
//! ```
//! use chassis::{
//!     Problem,
//!     auth::Access,
//!     http::{Id, Representation, Request, Router, doc, get},
//! };
//! use json::{Schema, Text};
//! use serde::Serialize;
//!
//! /// A greeting.
//! #[derive(Serialize, Schema)]
//! struct Greeting {
//!     /// Who is greeted.
//!     name: Text<1, 20>,
//! }
//!
//! async fn greet(
//!     Request(Id(name)): Request<Id<Text<1, 20>>>,
//! ) -> Result<Representation<Greeting>, Problem> {
//!     Ok(Representation(Greeting { name }))
//! }
//!
//! let service = Router::new("greeter", ())
//!     .route("/greetings/{name}", get(doc("greet", "Greet someone", Access::Public), greet))
//!     .into_service();
//! assert_eq!(service.paths(), ["/greetings/{name}", "/health/greeter"]);
//! ```

mod accept;
mod body;
mod cursor;
pub mod health;
mod idempotency;
pub mod openapi;
mod page;
mod preconditions;
mod query;
mod request;
mod response;
mod router;
mod service;
#[cfg(test)]
mod tests;

pub use accept::{Accept, content_coding};
pub use body::{Json, MergePatch, Patch};
pub use derive::FromQuery;
pub use idempotency::{
    Fingerprint, Idempotent, IdempotentRequest, KEY_LIFETIME, KeyConflict, Outcome, StoredResponse,
};
pub use openapi::{Doc, doc};
pub use page::{Limit, Page, Paged};
pub use preconditions::{Preconditions, Tag, Tags};
pub use query::{FromParameter, FromQuery, Query};
pub use request::{AnyQuery, Id, Incoming, Params, Part, Request, RequestErrors};
pub use response::{
    Created, Fetched, Listing, NoContent, Replayable, Representation, Resource, Tagged, Written,
    html, json, text, vary,
};
pub use router::{Methods, Router, get};
pub use service::Service;
