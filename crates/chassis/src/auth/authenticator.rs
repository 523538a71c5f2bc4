//! The authenticator of a service: who sent a request, by its token, a JWT (RFC 7519)
//! that is verified as an access token.

use std::sync::Arc;

use axum::{
    extract::Request,
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, header::AUTHORIZATION};
use jsonwebtoken::{Validation, decode, decode_header, errors::ErrorKind};
use serde::Deserialize;

use super::{Access, Caller, Config, keys::Keys, signature};
use crate::{Problem, RequestContext};

/// The longest token. API Gateway accepts 10,240 bytes of headers.
const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// The longest subject, in bytes (`OpenID` Connect Core §2).
const MAX_SUBJECT_BYTES: usize = 255;

/// How far the clocks of the issuer and of the function may differ.
const LEEWAY_S: u64 = 60;

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
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let Some(value) = values.next() else {
            return Ok(None);
        };
        let value = value.to_str().ok().filter(|_| values.next().is_none());
        let Some(token) = value.and_then(bearer) else {
            return Err(invalid(
                "the header Authorization must be Bearer and one token",
            ));
        };
        let Some(issuer) = &self.issuer else {
            return Err(invalid("no issuer is configured"));
        };
        let (config, keys) = &**issuer;
        verify(token, config, keys, ctx).await.map(Some)
    }

    /// Calls the handler if the route's access admits the caller of the request, who is
    /// an extension then.
    pub(crate) async fn admit(self, access: Access, mut request: Request, next: Next) -> Response {
        let ctx = RequestContext::of_extensions(request.extensions());
        let caller = match self.caller(request.headers(), &ctx).await {
            Ok(caller) => caller,
            Err(problem) => return problem.into_response(),
        };
        if let Some(caller) = &caller {
            ctx.record.set_caller(caller.pseudonym());
        }
        if let Err(problem) = access.admit(caller.as_ref()) {
            return problem.into_response();
        }
        if access != Access::Public
            && let Some(caller) = caller
        {
            request.extensions_mut().insert(caller);
        }
        next.run(request).await
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

/// The claims that are read.
#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Option<Audience>,
    /// Amazon Cognito's audience of an access token.
    client_id: Option<String>,
    /// Amazon Cognito's kind of a token: `access` or `id`.
    token_use: Option<String>,
    #[serde(default)]
    scope: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Audience {
    fn has(&self, audience: &str) -> bool {
        match self {
            Self::One(one) => one == audience,
            Self::Several(several) => several.iter().any(|one| one == audience),
        }
    }
}

/// Verifies a token and returns its caller.
async fn verify(
    token: &str,
    config: &Config,
    keys: &Keys,
    ctx: &RequestContext,
) -> Result<Caller, Problem> {
    if token.len() > MAX_TOKEN_BYTES {
        return Err(invalid("it is too long"));
    }
    let header = decode_header(token).map_err(|_| invalid("it is malformed"))?;
    // An extension that is not understood must not be ignored (RFC 7515 §4.1.11).
    if header.crit.is_some() {
        return Err(invalid("it has a critical header"));
    }
    let id = header.kid.ok_or_else(|| invalid("its header has no kid"))?;
    let key = keys
        .find(&id, ctx)
        .await
        .map_err(|error| {
            let detail = "The keys that verify tokens are unavailable.";
            Problem::unavailable(detail, error.retry_after).with_source(error)
        })?
        .ok_or_else(|| invalid("its key is unknown"))?;
    let mut validation = Validation::new(key.algorithm);
    validation.leeway = LEEWAY_S;
    validation.validate_nbf = true;
    // Checked below, like the issuer, of which there is one: the audience of Amazon
    // Cognito is another claim.
    validation.validate_aud = false;
    validation.set_required_spec_claims(&["exp", "iss", "sub"]);
    let claims = decode::<Claims>(token, &key.decoding, &validation)
        .map_err(|error| invalid(reason(error.kind())))?
        .claims;
    if claims.iss != config.issuer {
        return Err(invalid("its issuer is not the configured one"));
    }
    if !config.audiences.iter().any(|it| is_for(&claims, it)) {
        return Err(invalid("its audience is not accepted"));
    }
    let subject = claims.sub;
    if !(1..=MAX_SUBJECT_BYTES).contains(&subject.len()) || subject.contains(char::is_control) {
        return Err(invalid("its subject is malformed"));
    }
    let scopes = claims.scope.split(' ');
    let scopes = scopes.filter_map(|scope| scope.strip_prefix(&config.scope_prefix));
    let scopes = scopes.filter(|scope| !scope.is_empty());
    Ok(Caller::new(subject, scopes.map(str::to_owned).collect()))
}

/// 401: the token is not accepted.
fn invalid(reason: &'static str) -> Problem {
    Problem::unauthorized(Some(reason))
}

/// Whether a token is an access token for this audience.
fn is_for(claims: &Claims, audience: &str) -> bool {
    match (&claims.aud, claims.token_use.as_deref()) {
        (Some(aud), None | Some("access")) => aud.has(audience),
        (None, Some("access")) => claims.client_id.as_deref() == Some(audience),
        _ => false,
    }
}

fn reason(error: &ErrorKind) -> &'static str {
    match error {
        ErrorKind::ExpiredSignature => "it has expired",
        ErrorKind::ImmatureSignature => "it is not valid yet",
        ErrorKind::InvalidSignature => "its signature is not valid",
        ErrorKind::InvalidAlgorithm => "its algorithm is not that of its key",
        ErrorKind::MissingRequiredClaim(_) => "it lacks exp, iss or sub",
        _ => "it is malformed",
    }
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
