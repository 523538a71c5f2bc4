//! The authenticator of a service.

use std::sync::Arc;

use axum::{
    extract::Request,
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, header::AUTHORIZATION};

use super::{
    Caller, Config,
    access::Verified,
    keys::Keys,
    signature,
    token::{self, TokenError},
};
use crate::{Problem, RequestContext};

/// Verifies the tokens of a service's requests. Clones share the issuer's keys.
#[derive(Clone)]
pub struct Authenticator {
    issuer: Option<Arc<(Config, Keys)>>,
}

impl Authenticator {
    /// The authenticator of this configuration. It fetches the keys if they come
    /// from a URL, bounded in time: a function starts even if they are
    /// unavailable. Without a configuration no token is accepted.
    pub async fn open(config: Option<Config>) -> Self {
        signature::install();
        let issuer = match config {
            None => None,
            Some(config) => {
                let keys = Keys::open(config.keys.clone()).await;
                Some(Arc::new((config, keys)))
            }
        };
        Self { issuer }
    }

    /// The caller of a request with these headers; `None` without a token.
    ///
    /// # Errors
    ///
    /// A 401 problem if the token is not accepted, also on a public route: a
    /// client that sends one expects it to count. 503 if the issuer's keys cannot
    /// be fetched.
    pub async fn caller(
        &self,
        headers: &HeaderMap,
        ctx: &RequestContext,
    ) -> Result<Option<Caller>, Problem> {
        let invalid = |reason| Err(Problem::unauthorized(Some(reason)));
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let Some(value) = values.next() else {
            return Ok(None);
        };
        let value = value.to_str().ok().filter(|_| values.next().is_none());
        let Some(token) = value.and_then(bearer) else {
            return invalid("the header Authorization must be Bearer and one token");
        };
        let Some(issuer) = &self.issuer else {
            return invalid("no issuer is configured");
        };
        let (config, keys) = &**issuer;
        match token::verify(token, config, keys, ctx).await {
            Ok(caller) => Ok(Some(caller)),
            Err(TokenError::Invalid(reason)) => invalid(reason),
            Err(TokenError::Unavailable(retry_after)) => Err(Problem::unavailable(
                "The keys that verify tokens are unavailable.",
                retry_after,
            )),
        }
    }

    /// Verifies the token of a request before its handler runs.
    pub(crate) async fn authenticate(self, mut request: Request, next: Next) -> Response {
        let ctx = RequestContext::of_extensions(request.extensions());
        match self.caller(request.headers(), &ctx).await {
            Err(problem) => problem.into_response(),
            Ok(caller) => {
                if let Some(caller) = caller {
                    ctx.record.set_caller(caller.pseudonym());
                    request.extensions_mut().insert(Verified(caller));
                }
                next.run(request).await
            }
        }
    }
}

/// The token of `Bearer TOKEN` (RFC 6750 §2.1; the scheme is in any case).
fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.trim().split_once(' ')?;
    let token = token.trim_start_matches(' ');
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-._~+/=".contains(&b);
    let is_token = !token.is_empty() && token.bytes().all(allowed);
    (scheme.eq_ignore_ascii_case("Bearer") && is_token).then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_the_scheme_and_one_token() {
        for good in ["Bearer a.b-c_d", "bearer a.b-c_d", "BEARER  a.b-c_d "] {
            assert_eq!(bearer(good), Some("a.b-c_d"), "{good}");
        }
        for bad in [
            "",
            "Bearer",
            "Bearer ",
            "a.b.c",
            "Basic a.b.c",
            "Bearer a b",
            "Bearer a,b",
            "Bearer a, Bearer b",
            "Bearer\ta",
        ] {
            assert_eq!(bearer(bad), None, "{bad}");
        }
    }
}
