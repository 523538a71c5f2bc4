//! Who may call a route, and who does.

use std::fmt;

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use http::request::Parts;
use sha2::{Digest, Sha256};

use crate::Problem;

/// Who may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everybody, and the handler does not know the caller. Where the service verifies
    /// tokens, one that is not accepted is a 401 here too: a client that sends one expects
    /// it to count.
    Public,
    /// Everybody. The response depends on the caller, if there is a token.
    Optional,
    /// Every caller with a valid token; 401 without.
    Caller,
    /// A caller whose token has one of these scopes; 401 without a token, 403
    /// without such a scope.
    Scope(&'static [&'static str]),
}

impl Access {
    /// Admits a caller, or the request of nobody, or returns the problem: 401 or 403.
    pub(crate) fn admit(self, caller: Option<&Caller>) -> Result<(), Problem> {
        match (self, caller) {
            (Self::Public | Self::Optional, _) | (Self::Caller, Some(_)) => Ok(()),
            (Self::Caller | Self::Scope(_), None) => Err(Problem::unauthorized(None)),
            (Self::Scope(scopes), Some(caller)) => {
                let is_admitted = scopes.iter().any(|scope| caller.has_scope(scope));
                is_admitted
                    .then_some(())
                    .ok_or_else(|| Problem::missing_scope(scopes))
            }
        }
    }
}

/// Who sent a request, according to its verified token.
///
/// A handler takes a `Caller` where the route needs a token, and an
/// `Option<Caller>` where a token is optional ([`Access`]).
#[derive(Clone, PartialEq, Eq)]
pub struct Caller {
    subject: String,
    scopes: Vec<String>,
}

impl Caller {
    /// The caller with this subject and these scopes.
    #[must_use]
    pub fn new(subject: impl Into<String>, scopes: Vec<String>) -> Self {
        Self {
            subject: subject.into(),
            scopes,
        }
    }

    /// The claim `sub`: 1 to 255 bytes, unique for the issuer.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// Whether the token has this scope.
    #[must_use]
    pub fn has_scope(&self, scope: &str) -> bool {
        self.scopes.iter().any(|held| held == scope)
    }

    /// A hash of the subject, to show in its place.
    pub(crate) fn pseudonym(&self) -> String {
        let hash = Sha256::digest(self.subject.as_bytes());
        let hash = u64::from_be_bytes(hash.first_chunk().copied().unwrap_or_default());
        format!("{:012x}", hash >> 16)
    }
}

/// The subject is personal data, so it is not shown.
impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller")
            .field("subject", &self.pseudonym())
            .field("scopes", &self.scopes)
            .finish()
    }
}

/// 401 without a token. A route that needs one has refused the request already.
impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let caller = parts.extensions.get::<Self>().cloned();
        caller.ok_or_else(|| Problem::unauthorized(None))
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for Caller {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(
        parts: &mut Parts,
        _: &S,
    ) -> Result<Option<Self>, std::convert::Infallible> {
        Ok(parts.extensions.get::<Self>().cloned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_does_not_show_the_subject() {
        let caller = Caller::new("ada@example.com", vec!["orders:write".to_owned()]);
        let shown = format!("{caller:?} {}", caller.pseudonym());
        assert!(!shown.contains("ada"), "{shown}");
        assert_eq!(caller.pseudonym().len(), 12);
    }

    #[test]
    fn a_scope_is_compared_as_a_whole() {
        let caller = Caller::new("ada", vec!["orders:write".to_owned()]);
        assert!(caller.has_scope("orders:write"));
        for other in ["orders", "orders:write2", "Orders:write", ""] {
            assert!(!caller.has_scope(other), "{other}");
        }
    }
}
