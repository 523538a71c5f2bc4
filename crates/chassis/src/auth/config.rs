//! The configuration of authentication.

use super::KeySource;
use crate::{Environment, environment::parse_url};

/// Whose tokens are accepted.
#[derive(Debug, Clone)]
pub struct Config {
    /// The issuer: the claim `iss`.
    pub issuer: String,
    /// The audiences, of which one is enough: the claim `aud`, or `client_id` in an
    /// access token of Amazon Cognito.
    pub audiences: Vec<String>,
    /// What the issuer writes before each scope, such as `kea/`. It is removed,
    /// and scopes without it are ignored.
    pub scope_prefix: String,
    /// Where the issuer's keys come from.
    pub keys: KeySource,
}

impl Config {
    /// Reads the environment. `Some(None)` if no keys are configured: then no
    /// token is accepted, and every protected route returns 401. `None` if a
    /// variable is missing or malformed.
    pub fn read(environment: &mut Environment) -> Option<Option<Self>> {
        let text = str::parse::<String>;
        let issuer = environment.optional(
            "AUTH_ISSUER",
            "the issuer of the tokens, such as https://issuer.example.com",
            text,
        );
        let audiences = environment.optional(
            "AUTH_AUDIENCE",
            "the audiences of the tokens, separated by commas: the claim aud, or client_id of \
             Amazon Cognito",
            |text| {
                let audiences = text.split(',').map(str::trim).filter(|it| !it.is_empty());
                let audiences: Vec<_> = audiences.map(str::to_owned).collect();
                (!audiences.is_empty())
                    .then_some(audiences)
                    .ok_or("there is none")
            },
        );
        let scope_prefix = environment.optional(
            "AUTH_SCOPE_PREFIX",
            "what the issuer writes before each scope, such as kea/, or empty",
            text,
        );
        let inline = environment.optional(
            "AUTH_JWKS",
            "the issuer's keys as a JSON Web Key Set",
            |text| text.parse().map(KeySource::Inline),
        );
        let url = environment.optional(
            "AUTH_JWKS_URL",
            "the URL of the issuer's JSON Web Key Set, or its path in this API",
            |text| {
                // Some issuers select the keys by a query.
                let (address, _) = text.split_once('?').unwrap_or((text, ""));
                if !address.starts_with('/') {
                    parse_url(address)?;
                }
                let url = text.parse().map_err(|_| "it is not a URL or a path");
                Ok::<_, String>(KeySource::Url(url?))
            },
        );
        let (issuer, audiences, scope_prefix) = (issuer?, audiences?, scope_prefix?);
        let (inline, url) = (inline?, url?);
        if inline.is_some() && url.is_some() {
            environment.reject("AUTH_JWKS and AUTH_JWKS_URL are both set: set one of them");
            return None;
        }
        let Some(keys) = inline.or(url) else {
            return Some(None);
        };
        let (Some(issuer), Some(audiences)) = (issuer, audiences) else {
            environment.reject(
                "AUTH_ISSUER and AUTH_AUDIENCE must be set if AUTH_JWKS or AUTH_JWKS_URL is set",
            );
            return None;
        };
        Some(Some(Self {
            issuer,
            audiences,
            scope_prefix: scope_prefix.unwrap_or_default(),
            keys,
        }))
    }
}
