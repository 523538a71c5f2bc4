//! The access of a route.

use axum::extract::Request;
use dto::problem::ProblemType;
use http::{HeaderValue, header::WWW_AUTHENTICATE};

use super::Caller;
use crate::http::Problem;

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
    /// What is admitted knows its caller, unless the route is public.
    pub(crate) fn admit(self, request: &mut Request) -> Result<(), Problem> {
        let caller = request.extensions_mut().remove::<Verified>();
        let caller = caller.map(|Verified(caller)| caller);
        match (self, &caller) {
            (Self::Public, _) => return Ok(()),
            (Self::Optional, _) | (Self::Caller, Some(_)) => {}
            (Self::Caller | Self::Scope(_), None) => return Err(unauthorized(None)),
            (Self::Scope(scopes), Some(caller)) => {
                if !scopes.iter().any(|scope| caller.has_scope(scope)) {
                    return Err(forbidden(scopes));
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

/// 401 (RFC 6750 §3). `invalid` is what is wrong with the token; `None` if there
/// is no token.
pub(crate) fn unauthorized(invalid: Option<&'static str>) -> Problem {
    let (detail, challenge) = match invalid {
        None => (
            "This needs a bearer token in the header Authorization.".to_owned(),
            "Bearer realm=\"api\"".to_owned(),
        ),
        Some(invalid) => (
            format!("The bearer token is not accepted: {invalid}."),
            format!(
                "Bearer realm=\"api\", error=\"invalid_token\", error_description=\"{invalid}\""
            ),
        ),
    };
    challenged(ProblemType::Unauthorized, detail, &challenge)
}

/// 403: the token has none of these scopes, of which one is enough.
pub(crate) fn forbidden(scopes: &[&str]) -> Problem {
    let detail = format!("The token lacks the scope {}.", scopes.join(" or "));
    let challenge = format!(
        "Bearer realm=\"api\", error=\"insufficient_scope\", scope=\"{}\"",
        scopes.join(" ")
    );
    challenged(ProblemType::Forbidden, detail, &challenge)
}

fn challenged(kind: ProblemType, detail: String, challenge: &str) -> Problem {
    let problem = Problem::new(kind, detail);
    match HeaderValue::from_str(challenge) {
        Ok(challenge) => problem.with_header(WWW_AUTHENTICATE, challenge),
        Err(_) => problem,
    }
}
