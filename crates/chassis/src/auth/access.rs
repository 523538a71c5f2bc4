//! The access of a route.

use axum::extract::Request;

use super::Caller;
use crate::Problem;

/// Who may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everybody. The handler does not know the caller.
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
    /// Admits a request, or returns the problem that it gets: 401 or 403.
    ///
    /// An admitted request has its [`Caller`] as an extension, if it has a token.
    pub(crate) fn admit(self, request: &mut Request) -> Result<(), Problem> {
        let caller = request.extensions_mut().remove::<Verified>();
        let caller = caller.map(|Verified(caller)| caller);
        match (self, &caller) {
            // Not reached: the router adds no check to a public route.
            (Self::Public, _) => return Ok(()),
            (Self::Optional, _) | (Self::Caller, Some(_)) => {}
            (Self::Caller | Self::Scope(_), None) => return Err(Problem::unauthorized(None)),
            (Self::Scope(scopes), Some(caller)) => {
                if !scopes.iter().any(|scope| caller.has_scope(scope)) {
                    return Err(Problem::missing_scope(scopes));
                }
            }
        }
        if let Some(caller) = caller {
            request.extensions_mut().insert(caller);
        }
        Ok(())
    }
}

/// The caller of a request whose token was verified, before it is admitted.
#[derive(Clone)]
pub(crate) struct Verified(pub(crate) Caller);
