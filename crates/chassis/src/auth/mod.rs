//! Who may call a route: bearer tokens (RFC 6750) and the access of each route.
//!
//! A route declares its [`Access`] beside its handler. A service whose routes
//! are not all public has an [`Authenticator`], which verifies the token of
//! every request: a JWT (RFC 7519) with the claims of an access token (RFC 9068). The
//! header `typ` is not checked, because Amazon Cognito does not set it.
//! Without keys every protected route returns 401.

mod access;
#[cfg(feature = "auth")]
mod authenticator;
#[cfg(feature = "auth")]
mod config;
#[cfg(feature = "auth")]
mod keys;
#[cfg(feature = "auth")]
mod signature;

pub use access::{Access, Caller};
#[cfg(feature = "auth")]
pub use authenticator::Authenticator;
#[cfg(feature = "auth")]
pub use config::Config;
#[cfg(feature = "auth")]
pub use keys::{KeySet, KeySource};
