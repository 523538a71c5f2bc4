//! The secret in which RDS stores and rotates the password of the first user.

use aws_sdk_secretsmanager::{
    Client,
    config::{BehaviorVersion, Credentials, Region},
    error::SdkError,
    operation::get_secret_value::GetSecretValueError,
};
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode};
use chassis::{outbound::AMAZON_ROOTS, runtime::environment::Role};
use serde::Deserialize;

/// A secret. It is read once per event, because RDS rotates it.
#[derive(Clone)]
pub struct Secret {
    client: Client,
    arn: String,
}

/// The content of the secret, as RDS writes it.
#[derive(Deserialize)]
pub struct Login {
    /// The user.
    pub username: String,
    /// Its password.
    pub password: String,
}

/// Why the secret is unknown.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// Secrets Manager did not return it.
    #[error("Secrets Manager did not return the secret")]
    Get(#[from] Box<SdkError<GetSecretValueError>>),
    /// It is not the secret of a database.
    #[error("the secret is not the JSON that RDS writes")]
    Unreadable,
}

impl Secret {
    /// The secret with this ARN. The endpoint of AWS is called over IPv6 or IPv4:
    /// the function's subnets have a route out for IPv6 only.
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

    /// Reads the secret. The SDK makes three attempts.
    pub(crate) async fn read(&self) -> Result<Login, SecretError> {
        let secret = self.client.get_secret_value().secret_id(&self.arn);
        let secret = secret.send().await.map_err(Box::new)?;
        let text = secret.secret_string().ok_or(SecretError::Unreadable)?;
        // The error of serde may contain the secret.
        serde_json::from_str(text).map_err(|_| SecretError::Unreadable)
    }
}
