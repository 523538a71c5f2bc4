//! The protocol between a custom resource and `CloudFormation`
//! (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref.html>):
//! it waits for a response, which is sent by `PUT` to a URL in the event.

use std::time::Duration;

use aws_lambda_events::cloudformation::CloudFormationCustomResourceRequest as Request;
use bytes::Bytes;
use chassis::outbound::Connections;
use http::{Uri, header::CONTENT_LENGTH};
use lambda_runtime::Context;
use serde::Serialize;
use serde_json::Value;
use tokio::time::{sleep, timeout};

use crate::error::{Error, ResponseError};

/// The id of the resource. It is constant, so that an update never deletes
/// another resource.
const PHYSICAL_ID: &str = "orders-schema";

/// The timeout of one attempt to send the response.
const SEND_TIMEOUT: Duration = Duration::from_secs(3);

/// The pause between two attempts to send the response.
const PAUSE: Duration = Duration::from_millis(500);

/// The attempts to send the response until it is accepted.
const ATTEMPTS: u32 = 3;

/// The most bytes of what acknowledges the response.
const MAX_REPLY_BYTES: usize = 64 * 1024;

/// The most bytes of a reason: a response may have 4,096.
const MAX_REASON_BYTES: usize = 2_000;

/// A request of `CloudFormation`.
pub(crate) struct CustomResource {
    request: Request,
}

/// The response.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Response<'a> {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    physical_resource_id: &'static str,
    stack_id: &'a str,
    request_id: &'a str,
    logical_resource_id: &'a str,
}

impl CustomResource {
    /// Reads an event; `None` if it is not that of a custom resource.
    pub(crate) fn read(event: Value) -> Result<Option<Self>, Error> {
        if event.get("ResponseURL").is_none() {
            return Ok(None);
        }
        let request = serde_json::from_value(event)?;
        Ok(Some(Self { request }))
    }

    /// Whether the request is to delete the resource.
    pub(crate) fn is_deleted(&self) -> bool {
        matches!(self.request, Request::Delete(_))
    }

    /// Whether this undoes an update: the code to go back to is older than the code
    /// to leave. The properties have the ARNs of the two versions of this function.
    pub(crate) fn is_rolled_back(&self) -> bool {
        let Request::Update(update) = &self.request else {
            return false;
        };
        let version = |properties: &Value| {
            let (function, version) = properties.get("Code")?.as_str()?.rsplit_once(':')?;
            Some((function.to_owned(), version.parse::<u64>().ok()?))
        };
        let new = version(&update.resource_properties);
        let old = version(&update.old_resource_properties);
        new.zip(old)
            .is_some_and(|((function, new), (same, old))| function == same && new < old)
    }

    /// Sends the result. The reason of a failure is in the stack's events, and in
    /// the log.
    pub(crate) async fn respond(
        &self,
        result: Result<(), &Error>,
        context: &Context,
    ) -> Result<(), ResponseError> {
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
        let reason = result.err().map(|error| {
            let mut reason = chassis::error_chain(error);
            reason.truncate(reason.floor_char_boundary(MAX_REASON_BYTES));
            // The rollback of a new stack deletes the log.
            if matches!(self.request, Request::Create(_)) {
                reason
            } else {
                format!("{reason} (the log is in {})", context.env_config.log_group)
            }
        });
        let response = Response {
            status: if result.is_ok() { "SUCCESS" } else { "FAILED" },
            reason,
            physical_resource_id: PHYSICAL_ID,
            stack_id: stack,
            request_id: request,
            logical_resource_id: resource,
        };
        let response = serde_json::to_vec(&response)?;
        put(url.parse()?, response.into()).await
    }
}

/// Sends `body` by `PUT` to `url`, which is presigned and allows no headers beyond
/// those of every request.
async fn put(url: Uri, body: Bytes) -> Result<(), ResponseError> {
    let connections = Connections::to_public_hosts(SEND_TIMEOUT);
    let mut attempt = 1;
    loop {
        let request = http::Request::put(url.clone())
            .header(CONTENT_LENGTH, body.len())
            .body(body.clone().into());
        let sent = async {
            let sent = connections.send(request, MAX_REPLY_BYTES);
            let reply = timeout(SEND_TIMEOUT, sent).await??;
            match reply.status() {
                status if status.is_success() => Ok(()),
                status => Err(ResponseError::Status(status)),
            }
        };
        match sent.await {
            Err(error) if attempt < ATTEMPTS => {
                let cause = chassis::error_chain(&error);
                tracing::warn!(cause, attempt, "the response was not accepted");
                attempt += 1;
                sleep(PAUSE).await;
            }
            result => return result,
        }
    }
}
