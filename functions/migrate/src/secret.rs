//! The secret that RDS keeps the first user's password in, and renews.

use aws_sdk_secretsmanager::{
    Client,
    config::{BehaviorVersion, Credentials, Region},
    error::SdkError,
    operation::get_secret_value::GetSecretValueError,
};
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode};
use chassis::{AMAZON_ROOTS, config::Role};
use serde::Deserialize;

/// A secret, and how to read it. The function reads it once for each event: it
/// is renewed from time to time.
#[derive(Clone)]
pub struct Secret {
    client: Client,
    arn: String,
}

/// What is in it. RDS writes it so.
#[derive(Deserialize)]
pub struct Login {
    /// The user.
    pub username: String,
    /// Its password.
    pub password: String,
}

/// Why the secret is not known.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// Secrets Manager did not give it.
    #[error("Secrets Manager did not give the secret")]
    Get(#[from] Box<SdkError<GetSecretValueError>>),
    /// It is not the secret of a database.
    #[error("the secret is not the JSON that RDS writes")]
    Unreadable,
}

impl Secret {
    /// The secret of this ARN. It is asked for over IPv6 or IPv4, as there is a
    /// way: the function's subnets have none out but IPv6.
    #[must_use]
    pub fn new(arn: String, role: Role, endpoint: Option<String>) -> Self {
        let trusted = TrustStore::empty().with_pem_certificate(AMAZON_ROOTS);
        let tls = TlsContext::builder().with_trust_store(trusted).build();
        let http = aws_smithy_http_client::Builder::new()
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .tls_context(tls.unwrap_or_default())
            .build_https();
        let mut config = aws_sdk_secretsmanager::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(http)
            .region(Region::new(role.region))
            .credentials_provider(Credentials::new(
                role.access_key_id,
                role.secret_access_key,
                role.session_token,
                None,
                "environment",
            ));
        config = match endpoint {
            Some(endpoint) => config.endpoint_url(endpoint),
            None => config.use_dual_stack(true),
        };
        let client = Client::from_conf(config.build());
        Self { client, arn }
    }

    /// Reads it; the SDK tries three times.
    pub(crate) async fn read(&self) -> Result<Login, SecretError> {
        let asked = self.client.get_secret_value().secret_id(&self.arn).send();
        let secret = asked.await.map_err(Box::new)?;
        let text = secret.secret_string().ok_or(SecretError::Unreadable)?;
        // What serde would say of it might repeat it.
        serde_json::from_str(text).map_err(|_| SecretError::Unreadable)
    }
}
