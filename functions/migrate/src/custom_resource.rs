//! The protocol between a custom resource and `CloudFormation`
//! (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref.html>):
//! it waits for an answer, which is put to a URL that came with the event.

use std::time::Duration;

use aws_lambda_events::cloudformation::CloudFormationCustomResourceRequest as Request;
use bytes::Bytes;
use http::{Method, StatusCode, Uri, header::CONTENT_LENGTH};
use http_body_util::Full;
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use lambda_runtime::Context;
use serde::Serialize;
use serde_json::Value;
use tokio::time::timeout;

use crate::{Report, error::Error};

/// The name of the resource: one and the same, so that an update never becomes
/// the deletion of another.
const PHYSICAL_ID: &str = "orders-schema";

/// How long `CloudFormation` may take to hear one attempt.
const HEAR: Duration = Duration::from_secs(3);

/// How often it is told until it has heard.
const ATTEMPTS: u32 = 3;

/// The longest reason that is given, in bytes: an answer may have 4,096.
const REASON: usize = 2_000;

/// What `CloudFormation` asks.
pub struct CustomResource {
    request: Request,
}

/// What it is told.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Answer<'a> {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    physical_resource_id: &'static str,
    stack_id: &'a str,
    request_id: &'a str,
    logical_resource_id: &'a str,
}

/// Why it could not be told.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    /// The answer cannot be written.
    #[error("the answer cannot be written")]
    Json(#[from] serde_json::Error),
    /// The URL is no URL.
    #[error("its URL is malformed")]
    Url(#[from] http::uri::InvalidUri),
    /// The request cannot be put together.
    #[error("the answer cannot be put together")]
    Request(#[from] http::Error),
    /// It could not be reached.
    #[error("it could not be reached")]
    Connection(#[from] hyper_util::client::legacy::Error),
    /// It took too long.
    #[error("it did not answer in time")]
    Elapsed(#[from] tokio::time::error::Elapsed),
    /// It did not take it.
    #[error("it answered {0}")]
    Status(StatusCode),
}

impl CustomResource {
    /// Reads an event; `None` where it is not a custom resource's.
    pub fn read(event: Value) -> Result<Option<Self>, Error> {
        if event.get("ResponseURL").is_none() {
            return Ok(None);
        }
        let request = serde_json::from_value(event)?;
        Ok(Some(Self { request }))
    }

    /// Whether the resource is to go.
    pub fn goes(&self) -> bool {
        matches!(self.request, Request::Delete(_))
    }

    /// Tells what became of it. What failed is told with its reason, which
    /// stands in the stack's events; the log has the same.
    pub async fn answer(
        &self,
        done: &Result<Report, Error>,
        context: &Context,
    ) -> Result<(), AnswerError> {
        let (url, stack, request, resource) = match &self.request {
            Request::Create(r) => (
                &r.response_url,
                &r.stack_id,
                &r.request_id,
                &r.logical_resource_id,
            ),
            Request::Update(r) => (
                &r.response_url,
                &r.stack_id,
                &r.request_id,
                &r.logical_resource_id,
            ),
            Request::Delete(r) => (
                &r.response_url,
                &r.stack_id,
                &r.request_id,
                &r.logical_resource_id,
            ),
            _ => return Ok(()),
        };
        let reason = done.as_ref().err().map(|error| {
            let mut reason = error.chain();
            reason.truncate(reason.floor_char_boundary(REASON));
            format!("{reason} (the log is in {})", context.env_config.log_group)
        });
        let answer = Answer {
            status: if done.is_ok() { "SUCCESS" } else { "FAILED" },
            reason,
            physical_resource_id: PHYSICAL_ID,
            stack_id: stack,
            request_id: request,
            logical_resource_id: resource,
        };
        let answer = serde_json::to_vec(&answer)?;
        put(url.parse()?, answer.into()).await
    }
}

/// Puts `body` to `url`, which is presigned: with no header but those that every
/// request has.
async fn put(url: Uri, body: Bytes) -> Result<(), AnswerError> {
    let connector = HttpsConnectorBuilder::new()
        .with_webpki_roots()
        .https_or_http()
        .enable_http1()
        .build();
    let client = Client::builder(TokioExecutor::new()).build(connector);
    let mut attempt = 1;
    loop {
        let request = http::Request::builder()
            .method(Method::PUT)
            .uri(url.clone())
            .header(CONTENT_LENGTH, body.len())
            .body(Full::new(body.clone()))?;
        let told = async {
            let answer = timeout(HEAR, client.request(request)).await??;
            match answer.status() {
                status if status.is_success() => Ok(()),
                status => Err(AnswerError::Status(status)),
            }
        };
        match told.await {
            Err(error) if attempt < ATTEMPTS => {
                tracing::warn!(%error, attempt, "CloudFormation was not told yet");
                attempt += 1;
            }
            result => return result,
        }
    }
}
