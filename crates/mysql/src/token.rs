//! The token of a role, used as a password: a presigned request to connect.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::{
    http_request::{
        SignableBody, SignableRequest, SignatureLocation, SigningError, SigningSettings,
        sign as sigv4,
    },
    sign::v4,
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use url::Url;

/// The lifetime of a token: the longest that RDS accepts.
const LIFETIME: Duration = Duration::from_mins(15);

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The host or the user cannot be part of a URL.
    #[error("the database's address is malformed")]
    Address(#[from] url::ParseError),
    /// A parameter of the signature is missing.
    #[error("the token cannot be signed")]
    Parameters(#[from] v4::signing_params::BuildError),
    /// The signature failed.
    #[error("the token cannot be signed")]
    Signature(#[from] SigningError),
}

/// A token for `user` at `host`, as
/// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.IAMDBAuth.Connecting.html>
/// describes it.
pub(crate) fn sign(
    host: &str,
    port: u16,
    user: &str,
    region: &str,
    credentials: &Credentials,
    now: SystemTime,
) -> Result<String, TokenError> {
    let user = utf8_percent_encode(user, NON_ALPHANUMERIC);
    let mut url = Url::parse(&format!(
        "https://{host}:{port}/?Action=connect&DBUser={user}"
    ))?;
    let mut settings = SigningSettings::default();
    settings.expires_in = Some(LIFETIME);
    settings.signature_location = SignatureLocation::QueryParams;
    let identity = credentials.clone().into();
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name("rds-db")
        .time(now)
        .settings(settings)
        .build()?;
    let request = SignableRequest::new(
        "GET",
        url.as_str(),
        std::iter::empty(),
        SignableBody::empty(),
    )?;
    let (signed, _) = sigv4(request, &parameters.into())?.into_parts();
    for (name, value) in signed.params() {
        url.query_pairs_mut().append_pair(name, value);
    }
    // The token is the URL without its scheme.
    Ok(url.as_str().trim_start_matches("https://").to_owned())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The same as boto3's `generate_db_auth_token` returns, whose parameters are
    /// in another order.
    #[test]
    fn a_token_equals_that_of_other_sdks() {
        let credentials = Credentials::new(
            "AKIDEXAMPLE",
            "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
            Some("a/session+token==".to_owned()),
            None,
            "test",
        );
        let at = SystemTime::UNIX_EPOCH + Duration::from_mins(29_923_267);
        let host = "db.abc.eu-north-1.rds.amazonaws.com";
        let token = sign(host, 3306, "orders", "eu-north-1", &credentials, at).unwrap();
        let (address, query) = token.split_once('?').unwrap();
        assert_eq!(address, "db.abc.eu-north-1.rds.amazonaws.com:3306/");
        let expected = BTreeSet::from([
            "Action=connect",
            "DBUser=orders",
            "X-Amz-Algorithm=AWS4-HMAC-SHA256",
            "X-Amz-Credential=AKIDEXAMPLE%2F20261123%2Feu-north-1%2Frds-db%2Faws4_request",
            "X-Amz-Date=20261123T010700Z",
            "X-Amz-Expires=900",
            "X-Amz-Security-Token=a%2Fsession%2Btoken%3D%3D",
            "X-Amz-Signature=8110ac030299b085d450206d6a4a7e760c7d12f6a9ea1d0d7285db3ba45b609b",
            "X-Amz-SignedHeaders=host",
        ]);
        assert_eq!(query.split('&').collect::<BTreeSet<_>>(), expected);
    }
}
