//! The errors of one attempt and of an operation.

use std::{error::Error as StdError, fmt, iter, time::Duration};

use aws_sdk_dynamodb::{
    Error as StoreError,
    error::{BoxError, ProvideErrorMetadata, SdkError},
    types::{CancellationReason, error::ConditionalCheckFailedException},
};
use chassis::{
    Problem,
    http::KeyConflict,
    outbound::{CallError, Classify, Failure, SendError},
};
use http::header::RETRY_AFTER;

/// The error of one attempt.
#[derive(Debug)]
pub struct AttemptError {
    failure: Failure,
    /// Whether this attempt, or an earlier one of the same call, may have been
    /// executed: its response was lost.
    pub(crate) lost: bool,
    error: Box<StoreError>,
}

impl AttemptError {
    /// The error of an attempt; `lost` is whether an earlier one of the same
    /// call may have been executed.
    pub(crate) fn of<E>(error: SdkError<E>, lost: bool) -> Self
    where
        E: ProvideErrorMetadata,
        StoreError: From<SdkError<E>>,
    {
        let response = error.raw_response();
        let status = response.map_or(0, |response| response.status().as_u16());
        let retry_after = response
            .and_then(|response| response.headers().get(RETRY_AFTER.as_str()))
            .and_then(|seconds| seconds.parse().ok())
            .map(Duration::from_secs);
        // Only a 4xx with a code is DynamoDB's own response to the request.
        let is_own_response = (400..500).contains(&status) && error.code().is_some();
        let unsent = matches!(error, SdkError::ConstructionFailure(_));
        let error = Box::new(StoreError::from(error));
        let failure = match (status, &*error) {
            _ if unsent => Failure::Unsent,
            (413, _) => Failure::Rejected,
            (429, _) => Failure::Transient(retry_after),
            (401 | 403, _) => Failure::Broken,
            (_, StoreError::TransactionCanceledException(cancelled)) if is_own_response => {
                classify_cancellation(cancelled.cancellation_reasons())
            }
            (_, error) if is_own_response => classify_code(error.code(), retry_after),
            _ => Failure::Transient(retry_after),
        };
        let not_executed = is_own_response || unsent || status == 429 || is_unconnected(&error);
        Self {
            failure,
            lost: lost || !not_executed,
            error,
        }
    }

    /// The reason of each write of a cancelled transaction, in order, if a condition
    /// failed.
    pub(crate) fn reasons_if_condition_failed(&self) -> Option<&[CancellationReason]> {
        match &*self.error {
            StoreError::TransactionCanceledException(cancelled) => {
                let reasons = cancelled.cancellation_reasons();
                reasons.iter().any(is_failed_condition).then_some(reasons)
            }
            _ => None,
        }
    }
}

impl Classify for AttemptError {
    fn failure(&self) -> Failure {
        self.failure
    }
}

/// For the log alone.
impl fmt::Display for AttemptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.error.code() {
            Some(code) => write!(f, "{code}: {}", self.error.message().unwrap_or_default()),
            None => f.write_str("no valid response"),
        }
    }
}

impl StdError for AttemptError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        // The code and its message are all that DynamoDB returns.
        self.error.source().filter(|_| self.error.code().is_none())
    }
}

/// The error of an operation of a store in `DynamoDB`.
///
/// The text of a variant is for the log; the detail of its problem is for clients.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// 404: no item has this id.
    #[error("no item has this id")]
    NotFound,
    /// 412: `If-Match` or `If-None-Match` does not hold.
    #[error("a precondition does not hold")]
    PreconditionFailed,
    /// 409 or 422: the idempotency key is in use, or was used with another body.
    #[error(transparent)]
    Key(#[from] KeyConflict),
    /// 503: other requests wrote the same item each time until the deadline.
    #[error("other requests are writing the same item")]
    Contended(#[source] Option<CallError<AttemptError>>),
    /// 503: a response was lost, and the write may have been executed and then
    /// overwritten or deleted by other requests, so it is not repeated.
    #[error("it is unknown whether the write was executed")]
    Unknown(#[source] Option<CallError<AttemptError>>),
    /// 503: `DynamoDB` cannot be reached, is overloaded, has no such table, or
    /// does not respond in time or in its protocol.
    #[error("the store is unavailable")]
    Unavailable(#[source] CallError<AttemptError>),
    /// 503: `DynamoDB` left keys of a batch unprocessed in each response until the
    /// deadline, as it does while it throttles.
    #[error("keys remained unprocessed")]
    Unprocessed,
    /// 500: `DynamoDB` rejected a request as invalid, or it could not be built.
    #[error("the store rejected the request")]
    Rejected(#[source] BoxError),
    /// 500: a table has an item that is not what the service writes.
    #[error("the store has a malformed item")]
    Malformed(#[from] MalformedItem),
}

/// An item that is not what the service writes.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("the item \"{id}\" is malformed: {reason}")]
pub struct MalformedItem {
    pub(crate) id: String,
    pub(crate) reason: String,
}

impl Error {
    /// 500: what only a bug can cause.
    pub(crate) fn bug(error: impl Into<BoxError>) -> Self {
        Self::Rejected(error.into())
    }
}

impl From<CallError<AttemptError>> for Error {
    fn from(error: CallError<AttemptError>) -> Self {
        let Some(attempt) = last_attempt(&error) else {
            return Self::Unavailable(error);
        };
        match attempt.failure() {
            Failure::Answered | Failure::Rejected | Failure::Unsent => Self::bug(error),
            Failure::Conflict if attempt.lost => Self::Unknown(Some(error)),
            Failure::Conflict => Self::Contended(Some(error)),
            Failure::Transient(_) | Failure::Late(_) | Failure::Broken => Self::Unavailable(error),
        }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound => Self::not_found(),
            Error::PreconditionFailed => Self::precondition_failed(),
            Error::Key(conflict) => conflict.into(),
            Error::Contended(_) => Self::contended().with_source(error),
            Error::Unknown(_) => Self::outcome_unknown().with_source(error),
            Error::Unavailable(error) => error.into_problem("The store"),
            Error::Unprocessed => {
                let detail = "The store did not respond in time.";
                Self::unavailable(detail, Duration::ZERO).with_source(error)
            }
            Error::Rejected(_) | Error::Malformed(_) => Self::internal(error),
        }
    }
}

/// The error of the last attempt of a call, if there was one.
pub(crate) fn last_attempt(error: &CallError<AttemptError>) -> Option<&AttemptError> {
    match error {
        CallError::Failed { error, .. } => Some(error),
        CallError::Hurried { error, .. } => error.as_ref(),
        CallError::Open { .. } | CallError::Elapsed { .. } => None,
    }
}

/// The last attempt of a call, with its failed condition, if that is the reason.
pub(crate) fn failed_condition(
    error: &CallError<AttemptError>,
) -> Option<(&AttemptError, &ConditionalCheckFailedException)> {
    let attempt = last_attempt(error)?;
    match &*attempt.error {
        StoreError::ConditionalCheckFailedException(failed) => Some((attempt, failed)),
        _ => None,
    }
}

/// Whether the condition of this write failed, which cancelled its transaction.
pub(crate) fn is_failed_condition(reason: &CancellationReason) -> bool {
    reason.code() == Some("ConditionalCheckFailed")
}

/// Whether no connection could be opened, so that nothing was sent.
fn is_unconnected(error: &StoreError) -> bool {
    let chain = iter::successors(Some(error as &dyn StdError), |&error| error.source());
    let mut errors = chain.filter_map(|error| error.downcast_ref::<SendError>());
    errors.any(SendError::is_unsent)
}

/// Classifies a 4xx by its code.
/// Source: Amazon DynamoDB Developer Guide, "Error handling with DynamoDB".
fn classify_code(code: Option<&str>, retry_after: Option<Duration>) -> Failure {
    match code.unwrap_or_default() {
        "ProvisionedThroughputExceededException"
        | "RequestLimitExceeded"
        | "ThrottlingException" => Failure::Transient(retry_after),
        "ReplicatedWriteConflictException"
        | "TransactionConflictException"
        | "TransactionInProgressException" => Failure::Conflict,
        // A table that is being created does not exist yet, and a role that may
        // not use it will not be allowed to within seconds.
        "AccessDeniedException"
        | "ExpiredTokenException"
        | "IncompleteSignatureException"
        | "InvalidSignatureException"
        | "MissingAuthenticationTokenException"
        | "ResourceNotFoundException"
        | "UnrecognizedClientException" => Failure::Broken,
        "ConditionalCheckFailedException" => Failure::Answered,
        _ => Failure::Rejected,
    }
}

/// Classifies a cancelled transaction. A failed condition takes precedence over
/// other reasons: it is a response to the request.
fn classify_cancellation(reasons: &[CancellationReason]) -> Failure {
    let any = |codes: &[&str]| {
        let mut given = reasons.iter().filter_map(CancellationReason::code);
        given.any(|code| codes.contains(&code))
    };
    if reasons.iter().any(is_failed_condition) {
        Failure::Answered
    } else if any(&["ProvisionedThroughputExceeded", "ThrottlingError"]) {
        Failure::Transient(None)
    } else if any(&["TransactionConflict"]) {
        Failure::Conflict
    } else {
        Failure::Rejected
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::{
        config::http::HttpResponse,
        error::ErrorMetadata,
        operation::{
            get_item::{GetItem, GetItemError, GetItemInput},
            transact_write_items::TransactWriteItemsError,
        },
        types::error::TransactionCanceledException,
    };
    use aws_smithy_runtime_api::client::result::ConnectorError;
    use tokio::{io::AsyncReadExt, net::TcpListener};

    use super::*;
    use crate::{Config, client::Client};

    fn response(status: u16, retry_after: Option<&str>) -> HttpResponse {
        let mut response = http::Response::builder().status(status);
        if let Some(seconds) = retry_after {
            response = response.header(RETRY_AFTER, seconds);
        }
        HttpResponse::try_from(response.body("".into()).unwrap()).unwrap()
    }

    /// The error of an attempt with this response.
    fn attempt(
        status: u16,
        code: Option<&str>,
        retry_after: Option<&str>,
        lost: bool,
    ) -> AttemptError {
        let metadata = ErrorMetadata::builder().message("a message");
        let metadata = match code {
            Some(code) => metadata.code(code).build(),
            None => metadata.build(),
        };
        let error = GetItemError::generic(metadata);
        let error = SdkError::service_error(error, response(status, retry_after));
        AttemptError::of(error, lost)
    }

    #[test]
    fn responses_are_classified() {
        let transient = Failure::Transient(None);
        for (status, code, failure, lost) in [
            (
                400,
                Some("ProvisionedThroughputExceededException"),
                transient,
                false,
            ),
            (400, Some("ThrottlingException"), transient, false),
            (400, Some("RequestLimitExceeded"), transient, false),
            (429, None, transient, false),
            (
                400,
                Some("TransactionConflictException"),
                Failure::Conflict,
                false,
            ),
            (
                400,
                Some("TransactionInProgressException"),
                Failure::Conflict,
                false,
            ),
            (
                400,
                Some("ConditionalCheckFailedException"),
                Failure::Answered,
                false,
            ),
            (400, Some("ValidationException"), Failure::Rejected, false),
            (413, None, Failure::Rejected, true),
            (
                400,
                Some("ResourceNotFoundException"),
                Failure::Broken,
                false,
            ),
            (400, Some("AccessDeniedException"), Failure::Broken, false),
            (403, None, Failure::Broken, true),
            (500, Some("InternalServerError"), transient, true),
            (503, None, transient, true),
            (200, None, transient, true),
            (404, None, transient, true),
        ] {
            let error = attempt(status, code, None, false);
            assert_eq!(
                (error.failure(), error.lost),
                (failure, lost),
                "{status} {code:?}"
            );
        }
    }

    #[test]
    fn a_request_that_cannot_be_built_is_unsent() {
        let unsent: SdkError<GetItemError> = SdkError::construction_failure("no");
        let unsent = AttemptError::of(unsent, false);
        assert_eq!((unsent.failure(), unsent.lost), (Failure::Unsent, false));
    }

    /// The error of an attempt at this endpoint.
    async fn attempt_at(endpoint: &str) -> AttemptError {
        let input = GetItemInput::builder().build().unwrap();
        let response = Client::new(&Config::local(endpoint))
            .send::<GetItem>(input)
            .await;
        AttemptError::of(response.unwrap_err(), false)
    }

    #[tokio::test]
    async fn an_attempt_whose_connection_was_refused_is_not_lost() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let error = attempt_at(&format!("http://127.0.0.1:{port}")).await;
        assert_eq!(
            (error.failure(), error.lost),
            (Failure::Transient(None), false)
        );
    }

    #[tokio::test]
    async fn an_attempt_without_a_connection_in_time_is_not_lost() {
        // It accepts connections, but no TLS session starts.
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("https://{}", listener.local_addr().unwrap());
        let error = attempt_at(&endpoint).await;
        assert_eq!(
            (error.failure(), error.lost),
            (Failure::Transient(None), false)
        );
    }

    #[tokio::test]
    async fn an_attempt_whose_connection_broke_is_lost() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let server = async {
            let (mut connection, _) = listener.accept().await.unwrap();
            connection.read_u8().await.unwrap();
        };
        let (error, ()) = tokio::join!(attempt_at(&endpoint), server);
        assert_eq!(
            (error.failure(), error.lost),
            (Failure::Transient(None), true)
        );
    }

    #[test]
    fn retry_after_is_read() {
        let busy = attempt(503, None, Some("3"), false);
        let wait = Duration::from_secs(3);
        assert_eq!(busy.failure(), Failure::Transient(Some(wait)));
    }

    #[test]
    fn a_cancelled_transaction_has_one_reason() {
        for (codes, failure) in [
            (["None", "ConditionalCheckFailed"], Failure::Answered),
            (
                ["TransactionConflict", "ConditionalCheckFailed"],
                Failure::Answered,
            ),
            (["None", "TransactionConflict"], Failure::Conflict),
            (
                ["TransactionConflict", "ThrottlingError"],
                Failure::Transient(None),
            ),
            (["ValidationError", "None"], Failure::Rejected),
        ] {
            let reasons = codes.map(|code| CancellationReason::builder().code(code).build());
            let cancelled = TransactionCanceledException::builder()
                .set_cancellation_reasons(Some(reasons.into()))
                .meta(
                    ErrorMetadata::builder()
                        .code("TransactionCanceledException")
                        .build(),
                );
            let error = TransactWriteItemsError::TransactionCanceledException(cancelled.build());
            let error =
                AttemptError::of(SdkError::service_error(error, response(400, None)), false);
            assert_eq!(error.failure(), failure, "{codes:?}");
            let condition = codes.contains(&"ConditionalCheckFailed");
            assert_eq!(
                error.reasons_if_condition_failed().is_some(),
                condition,
                "{codes:?}"
            );
        }
    }

    #[test]
    fn a_lost_attempt_stays_lost() {
        assert!(attempt(400, Some("ValidationException"), None, true).lost);
    }

    #[test]
    fn the_log_has_the_cause() {
        let rejected = attempt(400, Some("ValidationException"), None, false);
        assert_eq!(
            chassis::error_chain(&rejected),
            "ValidationException: a message"
        );
        let broken = ConnectorError::other("at 10.0.0.1".into(), None);
        let broken: SdkError<GetItemError> = SdkError::dispatch_failure(broken);
        let broken = AttemptError::of(broken, false);
        assert!(chassis::error_chain(&broken).contains("10.0.0.1"));
    }

    fn problem(code: &str, lost: bool) -> Problem {
        let error = attempt(400, Some(code), None, lost);
        let name = "dynamodb";
        Error::from(CallError::Failed { name, error }).into()
    }

    #[test]
    fn every_code_of_dynamodb_has_its_status() {
        for (code, status) in [
            ("ThrottlingException", 503),
            ("TransactionConflictException", 503),
            ("ResourceNotFoundException", 503),
            ("AccessDeniedException", 503),
            ("ValidationException", 500),
            ("ConditionalCheckFailedException", 500),
        ] {
            assert_eq!(problem(code, false).status(), status, "{code}");
        }
        let retry_after = Duration::from_secs(2);
        let name = "dynamodb";
        for error in [
            CallError::Open { name, retry_after },
            CallError::Elapsed { name },
        ] {
            assert_eq!(Problem::from(Error::from(error)).status(), 503);
        }
    }

    #[test]
    fn a_conflict_after_a_lost_response_leaves_the_outcome_unknown() {
        let code = "TransactionConflictException";
        assert!(
            problem(code, false)
                .detail()
                .contains("Nothing has changed")
        );
        assert!(problem(code, true).detail().contains("was lost"));
    }
}
