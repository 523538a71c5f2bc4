//! The client: the operations of the AWS SDK, without the machinery around them.
//!
//! The SDK defines each operation, its JSON and its errors. Its orchestrator, which
//! resolves an endpoint, an identity, retries and interceptors again for each
//! request, took most of the time of a call (docs/decisions/0021).

use std::{error::Error as StdError, fmt::Debug, sync::Arc, sync::OnceLock, time::Duration};

use aws_sdk_dynamodb::{
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
    operation::{
        batch_get_item::{BatchGetItem, BatchGetItemError, BatchGetItemInput, BatchGetItemOutput},
        get_item::{GetItem, GetItemError, GetItemInput, GetItemOutput},
        put_item::{PutItem, PutItemError, PutItemInput, PutItemOutput},
        query::{Query, QueryError, QueryInput, QueryOutput},
        scan::{Scan, ScanError, ScanInput, ScanOutput},
        transact_write_items::{
            TransactWriteItems, TransactWriteItemsError, TransactWriteItemsInput,
            TransactWriteItemsOutput,
        },
        update_item::{UpdateItem, UpdateItemError, UpdateItemInput, UpdateItemOutput},
    },
};
use aws_smithy_http_client::{
    Connector,
    tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::{
    http::{HttpConnector, HttpConnectorSettings},
    interceptors::context::Input,
    runtime_plugin::RuntimePlugin,
    ser_de::{
        DeserializeResponse, SerializeRequest, SharedRequestSerializer, SharedResponseDeserializer,
    },
};
use aws_smithy_types::{
    body::SdkBody,
    config_bag::{ConfigBag, FrozenLayer},
};
use chassis::outbound::AMAZON_ROOTS;
use dto::Timestamp;
use http::{Uri, uri::Scheme};
use http_body_util::BodyExt;

use crate::{Config, signer::Signer};

/// An operation of the SDK.
pub(crate) trait Operation {
    /// Its name.
    const NAME: &'static str;
    /// Its request.
    type Input: Debug + Send + Sync + 'static;
    /// Its response.
    type Output: Debug + Send + Sync + 'static;
    /// Its error.
    type Error: StdError + ProvideErrorMetadata + Send + Sync + 'static;

    /// What writes the request and reads the response.
    fn codec() -> Option<&'static FrozenLayer>;
}

macro_rules! operations {
    ($($name:ident { $input:ident, $output:ident, $error:ident })*) => {$(
        impl Operation for $name {
            const NAME: &'static str = stringify!($name);
            type Input = $input;
            type Output = $output;
            type Error = $error;

            fn codec() -> Option<&'static FrozenLayer> {
                static CODEC: OnceLock<Option<FrozenLayer>> = OnceLock::new();
                CODEC.get_or_init(|| $name::new().config()).as_ref()
            }
        }
    )*};
}

operations! {
    BatchGetItem { BatchGetItemInput, BatchGetItemOutput, BatchGetItemError }
    GetItem { GetItemInput, GetItemOutput, GetItemError }
    PutItem { PutItemInput, PutItemOutput, PutItemError }
    Query { QueryInput, QueryOutput, QueryError }
    Scan { ScanInput, ScanOutput, ScanError }
    TransactWriteItems { TransactWriteItemsInput, TransactWriteItemsOutput, TransactWriteItemsError }
    UpdateItem { UpdateItemInput, UpdateItemOutput, UpdateItemError }
}

/// The client. Clones share its connections.
#[derive(Debug, Clone)]
pub(crate) struct Client(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    connector: Connector,
    endpoint: Uri,
    signer: Signer,
}

impl Client {
    /// A client that has opened no connection yet.
    ///
    /// It makes one attempt without a timeout of its own, but for opening a
    /// connection: the dependency knows the request's deadline and counts the
    /// attempts.
    pub(crate) fn new(config: &Config) -> Self {
        let region = &config.role.region;
        let endpoint = config.endpoint.clone().unwrap_or_else(|| {
            // A region is not a valid host only if Lambda sets a malformed one.
            let host = format!("https://dynamodb.{region}.amazonaws.com");
            host.parse().unwrap_or_default()
        });
        let host = endpoint.authority().map_or("", |it| it.as_str()).to_owned();
        Self(Arc::new(Inner {
            connector: connector(config.endpoint.as_ref(), config.policy.connect),
            signer: Signer::new(config.role.clone(), host, endpoint.path().to_owned()),
            endpoint,
        }))
    }

    /// Sends a request, and reads its response.
    pub(crate) async fn send<O: Operation>(
        &self,
        input: O::Input,
    ) -> Result<O::Output, SdkError<O::Error, HttpResponse>> {
        let Inner {
            connector,
            endpoint,
            signer,
        } = &*self.0;
        let codec = O::codec();
        let (Some(serializer), Some(deserializer)) = (
            codec.and_then(|it| it.load::<SharedRequestSerializer>()),
            codec.and_then(|it| it.load::<SharedResponseDeserializer>()),
        ) else {
            return Err(SdkError::construction_failure("it has no codec"));
        };
        let mut settings = ConfigBag::base();
        let request = serializer.serialize_input(Input::erase(input), &mut settings);
        let mut request = request.map_err(SdkError::construction_failure)?;
        let set = request.set_uri(endpoint.clone());
        set.map_err(SdkError::construction_failure)?;
        let body = request.body().bytes().unwrap_or_default();
        let signature = signer.sign(O::NAME, body, Timestamp::now());
        for (name, value) in signature {
            request.headers_mut().insert(name, value);
        }

        let response = connector.call(request).await;
        let mut response = response.map_err(SdkError::dispatch_failure)?;
        match response.take_body().collect().await {
            Ok(body) => *response.body_mut() = SdkBody::from(body.to_bytes()),
            Err(error) => return Err(SdkError::response_error(error, response)),
        }
        let error = match deserializer.deserialize_nonstreaming_with_config(&response, &settings) {
            Ok(output) => {
                let output = output.downcast::<O::Output>();
                return output.map_err(|_| SdkError::response_error("another type", response));
            }
            Err(error) => error,
        };
        let mut reported = None;
        let other = error.map_operation_error(|error| {
            reported = error.downcast::<O::Error>().ok();
            std::fmt::Error
        });
        Err(match reported {
            Some(error) => SdkError::service_error(error, response),
            None => SdkError::response_error(other, response),
        })
    }
}

/// The connections. AWS's endpoints are verified by the embedded roots, because
/// loading the machine's costs a cold start milliseconds; another https endpoint
/// is verified by the machine's.
fn connector(endpoint: Option<&Uri>, connect: Duration) -> Connector {
    let roots = match endpoint {
        Some(endpoint) if endpoint.scheme() == Some(&Scheme::HTTPS) => TrustStore::default(),
        _ => TrustStore::empty().with_pem_certificate(AMAZON_ROOTS),
    };
    let tls = TlsContext::builder().with_trust_store(roots).build();
    let settings = HttpConnectorSettings::builder().connect_timeout(connect);
    Connector::builder()
        .connector_settings(settings.build())
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .tls_context(tls.unwrap_or_default())
        .build()
}

#[cfg(test)]
mod tests {
    use chassis::runtime::environment::Role;

    use super::*;

    /// The roots are read when the first connection is opened, and malformed
    /// ones would panic.
    #[tokio::test]
    async fn the_embedded_roots_are_valid() {
        let role = Role {
            region: "eu-north-1".to_owned(),
            access_key_id: "id".to_owned(),
            secret_access_key: "secret".to_owned(),
            session_token: None,
        };
        let client = Client(Arc::new(Inner {
            connector: connector(None, Duration::from_secs(1)),
            endpoint: Uri::from_static("https://127.0.0.1:1"),
            signer: Signer::new(role, String::new(), String::new()),
        }));
        let input = GetItemInput::builder().build().unwrap();
        let response = client.send::<GetItem>(input).await;
        assert!(
            matches!(response, Err(SdkError::DispatchFailure(_))),
            "{response:?}"
        );
    }
}
