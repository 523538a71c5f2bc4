//! The client of the AWS SDK, without the SDK's own retries and timeouts.

use aws_sdk_dynamodb::{
    Client,
    config::{
        BehaviorVersion, Credentials, Region, SharedHttpClient, StalledStreamProtectionConfig,
        retry::RetryConfig, timeout::TimeoutConfig,
    },
};
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode};
use chassis::{outbound::AMAZON_ROOTS, runtime::environment::Role};
use http::{Uri, uri::Scheme};

use crate::Config;

/// Builds a client. It opens no connection yet.
///
/// The client makes one attempt without a timeout of its own: the dependency
/// knows the request's deadline and counts the attempts.
pub(crate) fn client(config: &Config) -> Client {
    let Role {
        region,
        access_key_id,
        secret_access_key,
        session_token,
    } = config.role.clone();
    let credentials = Credentials::new(
        access_key_id,
        secret_access_key,
        session_token,
        None,
        "environment",
    );
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(config.policy.connect)
        .build();
    let mut builder = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(http_client(config.endpoint.as_ref()))
        .region(Region::new(region))
        .credentials_provider(credentials)
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts)
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
    if let Some(endpoint) = &config.endpoint {
        builder = builder.endpoint_url(endpoint.to_string());
    }
    Client::from_conf(builder.build())
}

/// The connections. AWS's endpoints are verified by the embedded roots, because
/// loading the machine's costs a cold start milliseconds; another https endpoint
/// is verified by the machine's.
fn http_client(endpoint: Option<&Uri>) -> SharedHttpClient {
    let roots = match endpoint {
        Some(endpoint) if endpoint.scheme() == Some(&Scheme::HTTPS) => TrustStore::default(),
        _ => TrustStore::empty().with_pem_certificate(AMAZON_ROOTS),
    };
    let tls = TlsContext::builder().with_trust_store(roots).build();
    aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .tls_context(tls.unwrap_or_default())
        .build_https()
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::error::SdkError;

    use super::*;

    /// The roots are read when the first connection is opened, and malformed
    /// ones would panic.
    #[tokio::test]
    async fn the_embedded_roots_are_valid() {
        let config = aws_sdk_dynamodb::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(http_client(None))
            .region(Region::new("eu-north-1"))
            .credentials_provider(Credentials::new("id", "secret", None, None, "test"))
            .retry_config(RetryConfig::disabled())
            .endpoint_url("https://127.0.0.1:1");
        let client = Client::from_conf(config.build());
        let response = client.list_tables().send().await;
        assert!(
            matches!(response, Err(SdkError::DispatchFailure(_))),
            "{response:?}"
        );
    }
}
