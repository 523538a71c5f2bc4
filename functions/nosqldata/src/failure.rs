//! What the store says or does instead of what it was asked for, and what that
//! means for asking again.

use std::{error::Error as StdError, fmt, time::Duration};

use aws_sdk_dynamodb::{
    Error as StoreError,
    error::{ProvideErrorMetadata, SdkError},
    types::{CancellationReason, error::ConditionalCheckFailedException},
};
use chassis::resilience::{CallError, Classify, Failure};
use http::header::RETRY_AFTER;

/// An attempt that failed.
#[derive(Debug)]
pub struct Failed {
    failure: Failure,
    /// Whether this attempt, or one before it for the same request, may have
    /// been done all the same: its answer was lost.
    pub(crate) lost: bool,
    said: Box<StoreError>,
}

impl Failed {
    /// What has become of an attempt; `lost` is whether one before it may have
    /// been done.
    pub(crate) fn of<E>(error: SdkError<E>, lost: bool) -> Self
    where
        E: ProvideErrorMetadata,
        StoreError: From<SdkError<E>>,
    {
        let answer = error.raw_response();
        let status = answer.map_or(0, |answer| answer.status().as_u16());
        let retry_after = answer
            .and_then(|answer| answer.headers().get(RETRY_AFTER.as_str()))
            .and_then(|seconds| seconds.parse().ok())
            .map(Duration::from_secs);
        // What comes with any other status, or says nothing, is no word of the
        // store's own on the request.
        let refused = (400..500).contains(&status) && error.code().is_some();
        let constructed = !matches!(error, SdkError::ConstructionFailure(_));
        let late = matches!(error, SdkError::TimeoutError(_));
        let said = Box::new(StoreError::from(error));
        let failure = match said.code() {
            _ if !constructed => Failure::Unsent,
            _ if late => Failure::Late(None),
            _ if status == 413 => Failure::Rejected,
            _ if status == 429 => Failure::Transient(retry_after),
            _ if matches!(status, 401 | 403) => Failure::Broken,
            Some(code) if refused => match &*said {
                StoreError::TransactionCanceledException(cancelled) => {
                    cancellation(cancelled.cancellation_reasons())
                }
                _ => refusal(code, retry_after),
            },
            _ => Failure::Transient(retry_after),
        };
        let undone = refused || !constructed || status == 429;
        Self {
            failure,
            lost: lost || !undone,
            said,
        }
    }

    /// Why each write of a transaction was refused, if one was on its condition.
    pub(crate) fn cancelled(&self) -> Option<&[CancellationReason]> {
        match &*self.said {
            StoreError::TransactionCanceledException(cancelled) => {
                let reasons = cancelled.cancellation_reasons();
                reasons.iter().any(is_condition).then_some(reasons)
            }
            _ => None,
        }
    }
}

/// The refusal of a write on its own condition, if that is what a call ended
/// with.
pub(crate) fn refused(
    error: &CallError<Failed>,
) -> Option<(&Failed, &ConditionalCheckFailedException)> {
    let failed = last(error)?;
    match &*failed.said {
        StoreError::ConditionalCheckFailedException(refused) => Some((failed, refused)),
        _ => None,
    }
}

/// The attempt that a call ended with, where there was one.
pub(crate) fn last(error: &CallError<Failed>) -> Option<&Failed> {
    match error {
        CallError::Failed { error, .. } => Some(error),
        CallError::Open { .. } | CallError::Elapsed { .. } => None,
    }
}

/// What happened and what caused it, for the log.
pub(crate) fn causes(error: &Failed) -> String {
    let first: &dyn StdError = error;
    let causes = std::iter::successors(Some(first), |&error| error.source());
    let causes: Vec<_> = causes.map(ToString::to_string).collect();
    causes.join(": ")
}

/// Whether this is why a transaction was cancelled: the condition of a write.
pub(crate) fn is_condition(reason: &CancellationReason) -> bool {
    reason.code() == Some("ConditionalCheckFailed")
}

/// What a 4xx means, by its code.
/// Source: Amazon DynamoDB Developer Guide, "Error handling with DynamoDB".
fn refusal(code: &str, retry_after: Option<Duration>) -> Failure {
    match code {
        "ProvisionedThroughputExceededException"
        | "RequestLimitExceeded"
        | "ThrottlingException" => Failure::Transient(retry_after),
        "ReplicatedWriteConflictException"
        | "TransactionConflictException"
        | "TransactionInProgressException" => Failure::Conflict,
        // A table that is being made is none yet; and whom it does not know, or
        // lets do nothing, it will not serve in the next second either.
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

/// What the end of a transaction means. A condition that does not hold is an
/// answer, whatever else there is; else what has come between goes away.
fn cancellation(reasons: &[CancellationReason]) -> Failure {
    let any = |codes: &[&str]| {
        let mut given = reasons.iter().filter_map(CancellationReason::code);
        given.any(|code| codes.contains(&code))
    };
    if reasons.iter().any(is_condition) {
        Failure::Answered
    } else if any(&["ProvisionedThroughputExceeded", "ThrottlingError"]) {
        Failure::Transient(None)
    } else if any(&["TransactionConflict"]) {
        Failure::Conflict
    } else {
        Failure::Rejected
    }
}

impl Classify for Failed {
    fn failure(&self) -> Failure {
        self.failure
    }
}

/// For the log alone.
impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.said.code() {
            Some(code) => write!(f, "{code}: {}", self.said.message().unwrap_or_default()),
            None => f.write_str("no answer that makes sense"),
        }
    }
}

impl StdError for Failed {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        // A code and its message say all there is.
        self.said.source().filter(|_| self.said.code().is_none())
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::{
        config::http::HttpResponse,
        error::ErrorMetadata,
        operation::{get_item::GetItemError, transact_write_items::TransactWriteItemsError},
        types::error::TransactionCanceledException,
    };

    use super::*;

    fn response(status: u16, retry_after: Option<&str>) -> HttpResponse {
        let mut response = http::Response::builder().status(status);
        if let Some(seconds) = retry_after {
            response = response.header(RETRY_AFTER, seconds);
        }
        HttpResponse::try_from(response.body("".into()).unwrap()).unwrap()
    }

    fn answered(status: u16, code: Option<&str>, retry_after: Option<&str>) -> Failed {
        let meta = ErrorMetadata::builder().message("of the store's own");
        let meta = match code {
            Some(code) => meta.code(code).build(),
            None => meta.build(),
        };
        let error = GetItemError::generic(meta);
        Failed::of(
            SdkError::service_error(error, response(status, retry_after)),
            false,
        )
    }

    #[test]
    fn what_the_store_says_is_told_from_what_befalls_it() {
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
            let failed = answered(status, code, None);
            assert_eq!(
                (failed.failure(), failed.lost),
                (failure, lost),
                "{status} {code:?}"
            );
        }
        let busy = answered(503, None, Some("3"));
        let wait = Duration::from_secs(3);
        assert_eq!(busy.failure(), Failure::Transient(Some(wait)));
        let late: SdkError<GetItemError> = SdkError::timeout_error("late");
        assert_eq!(Failed::of(late, false).failure(), Failure::Late(None));
        let bug: SdkError<GetItemError> = SdkError::construction_failure("no");
        assert_eq!(Failed::of(bug, false).failure(), Failure::Unsent);
    }

    #[test]
    fn a_transaction_ends_for_the_reason_that_counts() {
        let conflict = Failure::Conflict;
        for (codes, failure) in [
            (["None", "ConditionalCheckFailed"], Failure::Answered),
            (
                ["TransactionConflict", "ConditionalCheckFailed"],
                Failure::Answered,
            ),
            (["None", "TransactionConflict"], conflict),
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
            let failed = Failed::of(SdkError::service_error(error, response(400, None)), false);
            assert_eq!(failed.failure(), failure, "{codes:?}");
            let refused = codes.contains(&"ConditionalCheckFailed");
            assert_eq!(failed.cancelled().is_some(), refused, "{codes:?}");
        }
    }

    #[test]
    fn what_was_lost_stays_lost() {
        let error = GetItemError::generic(ErrorMetadata::builder().code("X").build());
        let failed = Failed::of(SdkError::service_error(error, response(400, None)), true);
        assert!(failed.lost);
    }

    #[test]
    fn the_log_has_what_happened() {
        let refused = answered(400, Some("ValidationException"), None);
        assert_eq!(
            refused.to_string(),
            "ValidationException: of the store's own"
        );
        assert!(refused.source().is_none());
        let late: SdkError<GetItemError> = SdkError::timeout_error("at 10.0.0.1");
        assert!(causes(&Failed::of(late, false)).contains("10.0.0.1"));
    }
}
