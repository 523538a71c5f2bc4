//! The way to `DynamoDB`: the SDK, with its own resilience off.

use aws_sdk_dynamodb::{
    Client,
    config::{
        BehaviorVersion, SharedHttpClient, StalledStreamProtectionConfig, retry::RetryConfig,
        timeout::TimeoutConfig,
    },
};
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode};
use chassis::AMAZON_ROOTS;
use http::{Uri, uri::Scheme};

use crate::Config;

/// A client of the `DynamoDB` that `config` names. Nothing goes out yet.
///
/// It makes one attempt and sets no time for it: that is the dependency's,
/// which knows the request's deadline and counts what goes out.
pub(crate) fn client(config: &Config) -> Client {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(config.policy.connect)
        .build();
    let mut builder = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(http_client(config.endpoint.as_ref()))
        .region(config.region.clone())
        .credentials_provider(config.credentials.clone())
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts)
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
    if let Some(endpoint) = &config.endpoint {
        builder = builder.endpoint_url(endpoint.to_string());
    }
    Client::from_conf(builder.build())
}

/// A client that speaks http and https. AWS's own endpoints are known by the
/// roots compiled in: loading those of the machine costs a cold start
/// milliseconds. An https endpoint of one's own is known by the machine's.
fn http_client(endpoint: Option<&Uri>) -> SharedHttpClient {
    let trusted = match endpoint {
        Some(endpoint) if endpoint.scheme() == Some(&Scheme::HTTPS) => TrustStore::default(),
        _ => TrustStore::empty().with_pem_certificate(AMAZON_ROOTS),
    };
    let tls = TlsContext::builder().with_trust_store(trusted).build();
    aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .tls_context(tls.unwrap_or_default())
        .build_https()
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::{
        config::{Credentials, Region},
        error::SdkError,
    };

    use super::*;

    /// The roots are read when the first connection is made, and bad ones would
    /// be a panic.
    #[tokio::test]
    async fn the_roots_can_be_read() {
        let config = aws_sdk_dynamodb::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(http_client(None))
            .region(Region::new("eu-north-1"))
            .credentials_provider(Credentials::new("id", "secret", None, None, "test"))
            .retry_config(RetryConfig::disabled())
            .endpoint_url("https://127.0.0.1:1");
        let client = Client::from_conf(config.build());
        let answer = client.list_tables().send().await;
        assert!(
            matches!(answer, Err(SdkError::DispatchFailure(_))),
            "{answer:?}"
        );
    }
}
