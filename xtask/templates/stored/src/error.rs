//! Why an operation on the @name@ failed, and its response.

use chassis::Problem;

/// The error of an operation on the @name@.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// 404: no @type@ has this id.
    #[error("no @type@ has this id")]
    NotFound,
    /// 409, 422, 500 or 503: each variant of [`@store@::Error`] documents its
    /// status.
    #[error(transparent)]
    Store(#[from] @store@::Error),
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound => Self::not_found(),
            Error::Store(error) => error.into(),
        }
    }
}
