//! What can go wrong in the catalogue, and what each becomes.

use aws_sdk_dynamodb::error::BoxError;
use chassis::{
    Problem,
    idempotency::Refused,
    resilience::{CallError, Classify, Failure},
};
use dto::{Faults, problem::ProblemType};

use crate::{
    failure::{self, Failed},
    item::Malformed,
};

/// What a client knows the store as.
const STORE: &str = "The catalogue's store";

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
    /// 409 or 422: the request's key is in use, or was sent with another.
    #[error(transparent)]
    Key(#[from] Refused),
    /// 503: others wrote each time between, for as long as there was time.
    #[error("others write the same product")]
    Contended,
    /// 503: a response of the store was lost, and the write may have been done
    /// and overwritten since, so it is not repeated.
    #[error("it is not known whether the write was done")]
    Unknown,
    /// 503: the store cannot be reached, is not there yet, has more to do than
    /// it takes on, or does not answer in time or not as `DynamoDB` does.
    #[error("the store is away")]
    Away(#[source] CallError<Failed>),
    /// 500: the store refuses a request that should not have been made, or it
    /// could not even be put together.
    #[error("the store refuses")]
    Refused(#[source] BoxError),
    /// 500: what a table holds is not what is written there.
    #[error("the store holds what it should not")]
    Malformed(#[from] Malformed),
}

impl Error {
    /// 500: what only a mistake in the code can bring about.
    pub(crate) fn bug(error: impl Into<BoxError>) -> Self {
        Self::Refused(error.into())
    }
}

/// What has become of a call to the store, its retries included.
impl From<CallError<Failed>> for Error {
    fn from(error: CallError<Failed>) -> Self {
        let Some(failed) = failure::last(&error) else {
            return Self::Away(error);
        };
        match failed.failure() {
            Failure::Answered => Self::bug(error),
            Failure::Conflict if failed.lost => Self::Unknown,
            Failure::Conflict => Self::Contended,
            Failure::Transient(_) | Failure::Broken => Self::Away(error),
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
            Error::Key(refused) => refused.into(),
            Error::Contended => {
                Self::unavailable("Others write the same product. Nothing has changed.", 1)
            }
            Error::Unknown => Self::unavailable(
                "The store's response was lost. Whether the product was written is not known: get \
                 it and see.",
                1,
            ),
            Error::Away(error) => error.into_problem(STORE),
            Error::Refused(_) | Error::Malformed(_) => Self::internal(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use aws_sdk_dynamodb::{
        config::http::HttpResponse,
        error::{ErrorMetadata, SdkError},
        operation::get_item::GetItemError,
    };

    use super::*;

    fn answered(code: &str) -> Problem {
        let meta = ErrorMetadata::builder().code(code).build();
        let response = http::Response::builder().status(400).body("".into());
        let response = HttpResponse::try_from(response.unwrap()).unwrap();
        let error = SdkError::service_error(GetItemError::generic(meta), response);
        Error::from(CallError::Failed {
            name: "dynamodb",
            error: Failed::of(error, false),
        })
        .into()
    }

    #[test]
    fn what_the_store_says_has_its_status() {
        for (code, answer) in [
            ("ThrottlingException", 503),
            ("TransactionConflictException", 503),
            ("ResourceNotFoundException", 503),
            ("AccessDeniedException", 503),
            ("ValidationException", 500),
        ] {
            assert_eq!(answered(code).status(), answer, "{code}");
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
}
