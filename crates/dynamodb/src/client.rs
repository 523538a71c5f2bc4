//! The client: the operations of the AWS SDK, without the machinery around them.
//!
//! The SDK defines each operation, its JSON and its errors. Its orchestrator, which
//! resolves an endpoint, an identity, retries and interceptors again for each
//! request, took most of the time of a call (docs/decisions/0021).

use std::{error::Error as StdError, fmt::Debug, sync::OnceLock};

use aws_sdk_dynamodb::{
    config::http::HttpResponse,
    error::{BoxError, ProvideErrorMetadata, SdkError},
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
use aws_smithy_runtime_api::client::{
    interceptors::context::Input,
    result::ConnectorError,
    runtime_plugin::RuntimePlugin,
    ser_de::{
        DeserializeResponse, SerializeRequest, SharedRequestSerializer, SharedResponseDeserializer,
    },
};
use aws_smithy_types::{
    body::SdkBody,
    config_bag::{ConfigBag, FrozenLayer},
};
use chassis::outbound::aws::{Api, Protocol};
use http_body_util::BodyExt;

use crate::Config;

/// How `DynamoDB` is called.
const PROTOCOL: Protocol = Protocol {
    service: "dynamodb",
    target: "DynamoDB_20120810",
    media_type: "application/x-amz-json-1.0",
};

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
pub(crate) struct Client(Api);

impl Client {
    /// A client that has opened no connection yet.
    ///
    /// It makes one attempt without a timeout of its own, but for opening a
    /// connection: the dependency knows the request's deadline and counts the
    /// attempts.
    pub(crate) fn new(config: &Config) -> Self {
        let host = format!("dynamodb.{}.amazonaws.com", config.role.region);
        Self(Api::new(
            PROTOCOL,
            config.endpoint.clone(),
            &host,
            config.role.clone(),
            config.policy.connect,
        ))
    }

    /// Opens a connection ahead of the first request.
    pub(crate) async fn connect(&self) -> Result<(), Box<dyn StdError + Send + Sync>> {
        self.0.connect().await
    }

    /// Sends a request, and reads its response.
    pub(crate) async fn send<O: Operation>(
        &self,
        input: O::Input,
    ) -> Result<O::Output, SdkError<O::Error, HttpResponse>> {
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
        let body = request.take_body().collect().await;
        let body = body.map_err(SdkError::construction_failure)?.to_bytes();
        let failed =
            |error: BoxError| SdkError::dispatch_failure(ConnectorError::other(error, None));
        let called = self.0.call(O::NAME, body).await;
        let called = called.map_err(|error| failed(error.into()))?;
        // If this failed, which it does not today, the request would have been executed.
        let response = HttpResponse::try_from(called.map(SdkBody::from));
        let response = response.map_err(|error| failed(error.into()))?;
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
