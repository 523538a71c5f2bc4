//! Why an operation of the catalogue failed, and its response.

use chassis::Problem;
use json::FieldErrors;

/// The error of an operation of the catalogue.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// 422: the patched product would not be valid.
    #[error("the patched product would not be valid")]
    Invalid(FieldErrors),
    /// 404, 409, 412, 422, 500 or 503: each variant of [`dynamodb::Error`]
    /// documents its status.
    #[error(transparent)]
    Store(#[from] dynamodb::Error),
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Invalid(errors) => Self::invalid(errors),
            Error::Store(error) => error.into(),
        }
    }
}
