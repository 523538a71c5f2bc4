//! Why an operation of the store failed, and its response.

use aws_sdk_dynamodb::error::BoxError;
use chassis::{
    Problem,
    http::KeyConflict,
    outbound::{CallError, Classify, Failure},
};

use crate::attempt::{AttemptError, last_attempt};

/// The error of an operation of a store in `DynamoDB`.
///
/// The text of a variant is public; its source is only for the log.
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
            Error::Rejected(_) | Error::Malformed(_) => Self::internal(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::attempt::tests::attempt;

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
