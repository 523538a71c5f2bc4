//! Tokens: JWTs (RFC 7519), verified as access tokens.

use std::time::Duration;

use jsonwebtoken::{Validation, decode, decode_header, errors::ErrorKind};
use serde::Deserialize;

use super::{Caller, Config, keys::Keys};
use crate::RequestContext;

/// The longest token. API Gateway accepts 10,240 bytes of headers.
const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// The longest subject, in bytes (`OpenID` Connect Core §2).
const MAX_SUBJECT_BYTES: usize = 255;

/// How far the clocks of the issuer and of the function may differ.
const LEEWAY_S: u64 = 60;

/// Why a token is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenError {
    /// 401, for this reason.
    Invalid(&'static str),
    /// 503: the issuer's keys cannot be fetched. They are fetched again after this
    /// time.
    Unavailable(Duration),
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
pub(super) async fn verify(
    token: &str,
    config: &Config,
    keys: &Keys,
    ctx: &RequestContext,
) -> Result<Caller, TokenError> {
    use TokenError::Invalid;

    if token.len() > MAX_TOKEN_BYTES {
        return Err(Invalid("it is too long"));
    }
    let header = decode_header(token).map_err(|_| Invalid("it is malformed"))?;
    // An extension that is not understood must not be ignored (RFC 7515 §4.1.11).
    if header.crit.is_some() {
        return Err(Invalid("it has a critical header"));
    }
    let id = header.kid.ok_or(Invalid("its header has no kid"))?;
    let key = keys
        .find(&id, ctx)
        .await
        .map_err(TokenError::Unavailable)?
        .ok_or(Invalid("its key is unknown"))?;
    let mut validation = Validation::new(key.algorithm);
    validation.leeway = LEEWAY_S;
    validation.validate_nbf = true;
    // Checked below, like the issuer, of which there is one: the audience of Amazon
    // Cognito is another claim.
    validation.validate_aud = false;
    validation.set_required_spec_claims(&["exp", "iss", "sub"]);
    let claims = decode::<Claims>(token, &key.decoding, &validation)
        .map_err(|error| Invalid(reason(error.kind())))?
        .claims;
    if claims.iss != config.issuer {
        return Err(Invalid("its issuer is not the configured one"));
    }
    if !config.audiences.iter().any(|it| is_for(&claims, it)) {
        return Err(Invalid("its audience is not accepted"));
    }
    let subject = claims.sub;
    if !(1..=MAX_SUBJECT_BYTES).contains(&subject.len()) || subject.contains(char::is_control) {
        return Err(Invalid("its subject is malformed"));
    }
    let scopes = claims.scope.split(' ');
    let scopes = scopes.filter_map(|scope| scope.strip_prefix(&config.scope_prefix));
    let scopes = scopes.filter(|scope| !scope.is_empty());
    Ok(Caller::new(subject, scopes.map(str::to_owned).collect()))
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
