//! What can go wrong in the catalogue, and what each becomes.

use std::error::Error as StdError;

use aws_sdk_dynamodb::error::{BoxError, ProvideErrorMetadata, SdkError};
use chassis::Problem;
use dto::{Faults, problem::ProblemType};

use crate::item::Malformed;

/// Why the catalogue did not do what it was asked.
///
/// Anyone may read what a variant displays; its source is for the log alone.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// 404: no product has this id.
    #[error("there is nothing by this id")]
    NotFound,
    /// 412: `If-Match` or `If-None-Match` does not hold.
    #[error("a precondition does not hold")]
    PreconditionFailed,
    /// 422: a patch would make the product one that none may be.
    #[error("the product would not be valid")]
    Invalid(Faults),
    /// 503: others wrote each time between, for as long as there was time.
    #[error("others write the same product")]
    Contended,
    /// 503: the store cannot be reached, is not there yet, or does not answer
    /// in time or not as `DynamoDB` does.
    #[error("the store is away")]
    Away(#[source] BoxError),
    /// 503: the store has more to do than it takes on.
    #[error("the store is busy")]
    Busy(#[source] BoxError),
    /// 500: the store refuses a request that should not have been made.
    #[error("the store refuses")]
    Refused(#[source] BoxError),
    /// 500: what the table holds is no product.
    #[error("the store holds what is no product")]
    Malformed(#[from] Malformed),
}

impl Error {
    /// What it is and what caused it, for the log.
    pub(crate) fn cause(&self) -> String {
        let first: &dyn StdError = self;
        let causes = std::iter::successors(Some(first), |&error| error.source());
        causes
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(": ")
    }
}

/// What has become of a call to the store, its own retries included.
impl<E> From<SdkError<E>> for Error
where
    E: StdError + ProvideErrorMetadata + Send + Sync + 'static,
{
    fn from(error: SdkError<E>) -> Self {
        let answer = error.raw_response();
        let refused = answer.is_some_and(|answer| answer.status().is_client_error());
        match (error.code(), &error) {
            (Some(code), _) if refused => {
                let message = error.message().unwrap_or_default();
                let cause = format!("{code}: {message}").into();
                match code {
                    "ProvisionedThroughputExceededException"
                    | "RequestLimitExceeded"
                    | "ThrottlingException"
                    | "TransactionConflictException"
                    | "TransactionInProgressException" => Self::Busy(cause),
                    // A table that is being made is none yet.
                    "ResourceNotFoundException" => Self::Away(cause),
                    _ => Self::Refused(cause),
                }
            }
            (_, SdkError::ConstructionFailure(_)) => Self::Refused(error.into()),
            _ => Self::Away(error.into()),
        }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound => Self::new(ProblemType::NotFound, "There is nothing by this id."),
            Error::PreconditionFailed => Self::new(
                ProblemType::PreconditionFailed,
                "The product is not as If-Match or If-None-Match demands. Nothing has changed.",
            ),
            Error::Invalid(faults) => Self::invalid(faults),
            Error::Contended => {
                Self::unavailable("Others write the same product. Nothing has changed.", 1)
            }
            Error::Away(_) => {
                Self::unavailable("The catalogue's store is away.", 1).with_source(error)
            }
            Error::Busy(_) => {
                Self::unavailable("The catalogue's store is busy.", 1).with_source(error)
            }
            Error::Refused(_) | Error::Malformed(_) => Self::internal(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::{
        config::http::HttpResponse, error::ErrorMetadata, operation::get_item::GetItemError,
    };

    use super::*;

    fn answered(status: u16, code: Option<&str>) -> Problem {
        let meta = ErrorMetadata::builder().message("of the store's own");
        let meta = match code {
            Some(code) => meta.code(code).build(),
            None => meta.build(),
        };
        let response = http::Response::builder().status(status).body("".into());
        let response = HttpResponse::try_from(response.unwrap()).unwrap();
        let error = SdkError::service_error(GetItemError::generic(meta), response);
        Error::from(error).into()
    }

    #[test]
    fn what_the_store_says_has_its_status() {
        for (status, code, answer) in [
            (400, Some("ProvisionedThroughputExceededException"), 503),
            (400, Some("ThrottlingException"), 503),
            (400, Some("RequestLimitExceeded"), 503),
            (400, Some("TransactionConflictException"), 503),
            (400, Some("ResourceNotFoundException"), 503),
            (500, Some("InternalServerError"), 503),
            (503, None, 503),
            (200, None, 503),
            (404, None, 503),
            (400, Some("ValidationException"), 500),
            (400, Some("AccessDeniedException"), 500),
        ] {
            assert_eq!(answered(status, code).status(), answer, "{status} {code:?}");
        }
        let late: SdkError<GetItemError> = SdkError::timeout_error("late");
        assert_eq!(Problem::from(Error::from(late)).status(), 503);
        let bug: SdkError<GetItemError> = SdkError::construction_failure("no");
        assert_eq!(Problem::from(Error::from(bug)).status(), 500);
    }

    #[test]
    fn the_log_has_what_the_client_has_not() {
        let error: SdkError<GetItemError> = SdkError::timeout_error("at 10.0.0.1");
        let error = Error::from(error);
        assert!(error.cause().contains("10.0.0.1"));
        assert_eq!(error.to_string(), "the store is away");
    }
}
