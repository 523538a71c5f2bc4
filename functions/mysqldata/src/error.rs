//! The service's errors and the problems that they become.

use chassis::{Problem, outbound::CallError};
use dto::problem::ProblemType;
use json::FieldErrors;

use crate::{
    catalogue::CatalogueError,
    order::{OrderStatus, TransitionError},
    permission::MANAGE,
    summary::MAX_ROWS,
};

/// Why an operation of the service failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// 403: the caller may read the order and not change it.
    #[error("the order is another caller's")]
    Forbidden,
    /// 404: no order has this id, or the caller may not read it.
    #[error("no order has this id")]
    NotFound,
    /// 409: the order's status does not allow the transition.
    #[error(transparent)]
    Transition(#[from] TransitionError),
    /// 412: `If-Match` or `If-None-Match` does not hold.
    #[error("a precondition does not hold")]
    PreconditionFailed,
    /// 422: products do not exist or have different currencies.
    #[error("the lines cannot be ordered")]
    InvalidLines(FieldErrors),
    /// 422: a summary would have more rows than a response can hold.
    #[error("the summary is too long")]
    TooManyRows,
    /// 409, 422, 500 or 503: each variant of [`mysql::Error`] documents its status.
    #[error(transparent)]
    Store(#[from] mysql::Error),
    /// 503: the catalogue is unavailable, and the snapshot prices are missing or
    /// too old; or the caller left too little time for the catalogue to respond.
    #[error("there are no prices")]
    PricesUnavailable(#[source] CallError<CatalogueError>),
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Forbidden => Self::missing_scope(&[MANAGE]),
            Error::NotFound => Self::not_found(),
            Error::Transition(error) => error.into(),
            Error::PreconditionFailed => Self::precondition_failed(),
            Error::InvalidLines(errors) => Self::invalid(errors),
            Error::TooManyRows => {
                let detail =
                    format!("the summary has more than {MAX_ROWS} rows: choose a shorter period");
                let mut errors = FieldErrors::new();
                errors.add_parameter("from", detail);
                Self::invalid(errors)
            }
            Error::Store(error) => error.into(),
            Error::PricesUnavailable(error) => error.into_problem("The catalogue"),
        }
    }
}

impl From<TransitionError> for Problem {
    fn from(TransitionError { from, to }: TransitionError) -> Self {
        let next: Vec<_> = from.next().iter().map(OrderStatus::as_str).collect();
        let detail = if next.is_empty() {
            format!("An order that is {from} cannot change.")
        } else {
            let next = next.join(" or ");
            format!("An order that is {from} can become {next}, not {to}.")
        };
        Self::new(ProblemType::Conflict, detail)
    }
}
