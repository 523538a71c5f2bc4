//! What can go wrong, and the one place where it becomes a problem.

use std::time::Duration;

use chassis::{
    Problem,
    client::GetError,
    idempotency::Refused,
    resilience::{CallError, Classify, Failure},
};
use dto::{Faults, order::OrderStatus, problem::ProblemType};
use http::StatusCode;
use mysql_async::{DriverError, Error as MysqlError};
use rds::TokenError;
use tokio::time::error::Elapsed;

/// A failure of the service.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// 404: there is no order by this id.
    #[error("there is no such order")]
    NotFound,
    /// 409: the order's status may not move to the one that was asked for.
    #[error("an order that is {from} cannot become {to}")]
    NoSuchMove {
        /// The status that it has.
        from: OrderStatus,
        /// The status that was asked for.
        to: OrderStatus,
    },
    /// 412: the order is not, or no longer, what the client took it for.
    #[error("a precondition does not hold")]
    Stale,
    /// 422: the catalogue does not sell what was ordered as it was ordered.
    #[error("the lines cannot be ordered")]
    Lines(Faults),
    /// 422 or 409: the request's key was another's, or its first request is
    /// still running.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// 500: the database answered what this code does not expect. What a single
    /// attempt met otherwise is in [`Error::Away`] once the attempts are over.
    #[error("the database failed")]
    Database(#[from] MysqlError),
    /// 500: a row is not what the schema says.
    #[error("a row cannot be read: {0}")]
    Row(&'static str),
    /// 500: the lines of an order have no sum, which the bounds of a price and
    /// of an order rule out.
    #[error("the prices have no sum")]
    Total,
    /// 500: what was to be answered cannot be, which is a bug.
    #[error("the answer cannot be written")]
    Answer(#[from] serde_json::Error),
    /// 500: there is nothing to sign in to the database with.
    #[error("the function cannot sign in")]
    SignIn(#[from] TokenError),
    /// The database gave no connection in time; [`Error::Away`] in the end.
    #[error("there was no connection in time")]
    Unconnected(#[from] Elapsed),
    /// 503: the database is away, or other transactions were in the way each
    /// time it was tried.
    #[error("the database did not do it")]
    Away(#[source] Box<CallError<Self>>),
    /// 503: a response of the database was lost, and the change may have been
    /// made and been followed by another.
    #[error("it is not known whether the change was made")]
    Unknown,
    /// 503: the catalogue gave no prices, and none that it gave lately serve.
    #[error("the catalogue gave no prices")]
    Catalogue(#[source] Box<CallError<CatalogueError>>),
}

/// Why the catalogue gave no answer that is of use.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// It did not answer.
    #[error("it did not answer")]
    Get(#[from] GetError),
    /// It answered something other than 200.
    #[error("it answered {status}")]
    Status {
        /// What it answered.
        status: StatusCode,
        /// When it said to come back.
        retry_after: Option<Duration>,
    },
    /// Its answer is not JSON of the agreed form.
    #[error("its answer cannot be read")]
    Unreadable(#[from] serde_json::Error),
    /// Its answer breaks what the two services agreed on.
    #[error("its answer is not sound: {0}")]
    Unsound(&'static str),
}

/// To ask for prices is safe to repeat, whatever became of it.
impl Classify for CatalogueError {
    fn failure(&self) -> Failure {
        match self {
            Self::Get(error) => error.failure(),
            Self::Status {
                status,
                retry_after,
            } => match status.as_u16() {
                // It, or something on the way to it, has a bad moment.
                429 | 500 | 502 | 503 | 504 => Failure::Transient(*retry_after),
                // What answers there is not the catalogue as it was agreed on.
                _ => Failure::Broken,
            },
            // Cut off on the way, or from something on the way.
            Self::Unreadable(_) => Failure::Transient(None),
            Self::Unsound(_) => Failure::Broken,
        }
    }
}

/// All that is asked of the database is safe to repeat: see `store::Work`.
impl Classify for Error {
    fn failure(&self) -> Failure {
        match self {
            Self::Database(error) => match kind(error) {
                Kind::Lost | Kind::Away => Failure::Transient(None),
                Kind::Contended => Failure::Conflict,
                Kind::Other => Failure::Answered,
            },
            Self::Unconnected(_) => Failure::Transient(None),
            _ => Failure::Answered,
        }
    }
}

impl Error {
    /// Whether the connection broke, or was broken before.
    pub(crate) fn is_lost(&self) -> bool {
        matches!(self, Self::Database(error) if kind(error) == Kind::Lost)
    }

    /// Whether a row of this key is there already.
    pub(crate) fn is_duplicate(&self) -> bool {
        self.is_answer(1062)
    }

    /// Whether another transaction held a lock for all the time that a
    /// statement waits.
    pub(crate) fn is_lock_wait(&self) -> bool {
        self.is_answer(1205)
    }

    fn is_answer(&self, code: u16) -> bool {
        matches!(self, Self::Database(MysqlError::Server(error)) if error.code == code)
    }
}

/// What the database answered is what there is to say; the rest is that it is
/// away.
impl From<CallError<Self>> for Error {
    fn from(error: CallError<Self>) -> Self {
        match error {
            CallError::Failed { error, .. } if error.failure() == Failure::Answered => error,
            error => Self::Away(Box::new(error)),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Lost,
    Away,
    Contended,
    Other,
}

/// Sorts the server's error codes (those of `MySQL` 8 and `MariaDB` 10.11) and
/// the driver's errors by what can be done about them.
fn kind(error: &MysqlError) -> Kind {
    match error {
        // No connection, one that broke, or something that speaks otherwise.
        MysqlError::Io(_)
        | MysqlError::Driver(
            DriverError::ConnectionClosed
            | DriverError::PacketOutOfOrder
            | DriverError::PacketTooLarge
            | DriverError::UnexpectedPacket { .. }
            | DriverError::UnknownAuthPlugin { .. }
            | DriverError::CantParseServerVersion { .. },
        ) => Kind::Lost,
        MysqlError::Server(error) => match error.code {
            // A record changed since it was read, lock wait time-out, deadlock.
            1020 | 1205 | 1213 => Kind::Contended,
            // The connection was killed, or said nothing for too long.
            1927 | 4031 => Kind::Lost,
            // It, the host or the user has too many connections, which it says
            // before it speaks of states; its disk is full; it is out of memory
            // or threads; it is read-only, as during a failover; a query was
            // killed.
            1040 | 1129 | 1203 | 1226 | 1021 | 1114 | 1037 | 1038 | 1041 | 1135 | 1290 | 1792
            | 1836 | 1317 | 1969 | 3024 => Kind::Away,
            // It is shutting down, and all else that breaks a connection.
            _ if error.state.starts_with("08") => Kind::Lost,
            _ => Kind::Other,
        },
        _ => Kind::Other,
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound => Self::new(ProblemType::NotFound, "There is no order by this id."),
            Error::NoSuchMove { from, to } => {
                let detail = match from.next() {
                    [] => format!("An order that is {from} stays so."),
                    next => {
                        let next: Vec<_> = next.iter().map(|status| status.as_str()).collect();
                        let next = next.join(" or ");
                        format!("An order that is {from} can become {next}, not {to}.")
                    }
                };
                Self::new(ProblemType::Conflict, detail)
            }
            Error::Stale => Self::new(
                ProblemType::PreconditionFailed,
                "The order's present ETag does not meet the request's preconditions.",
            ),
            Error::Lines(faults) => Self::invalid(faults),
            Error::Refused(refused) => refused.into(),
            Error::Database(_)
            | Error::Row(_)
            | Error::Total
            | Error::Answer(_)
            | Error::SignIn(_)
            | Error::Unconnected(_) => Self::internal(error),
            Error::Unknown => Self::unavailable(
                "The database's response was lost. Whether the order was changed is not known: get \
                 it and see.",
                1,
            ),
            Error::Away(error) => match &*error {
                CallError::Failed { error: last, .. } if last.failure() == Failure::Conflict => {
                    let detail = "Too many requests are changing the same orders.";
                    Self::unavailable(detail, error.retry_after_s()).with_source(error)
                }
                _ => error.into_problem("The orders' database"),
            },
            Error::Catalogue(error) => error.into_problem("The catalogue"),
        }
    }
}

/// An error with all that caused it, for the log.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |&error| error.source());
    causes
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}

#[cfg(test)]
mod tests {
    use std::io;

    use mysql_async::ServerError;

    use super::*;

    fn server(code: u16, state: &str) -> Error {
        let message = "secret".to_owned();
        let state = state.to_owned();
        Error::Database(MysqlError::Server(ServerError {
            code,
            message,
            state,
        }))
    }

    fn broken() -> Error {
        MysqlError::from(io::Error::from(io::ErrorKind::BrokenPipe)).into()
    }

    /// The status after the last attempt failed like this.
    fn status(error: Error) -> u16 {
        let name = "mysql";
        let error = Error::from(CallError::Failed { name, error });
        Problem::from(error).status().as_u16()
    }

    #[test]
    fn a_database_that_is_away_is_503_and_one_that_is_odd_500() {
        assert_eq!(status(broken()), 503);
        let closed = MysqlError::from(DriverError::ConnectionClosed);
        assert_eq!(status(closed.into()), 503);
        for (code, state) in [
            (1040, "HY000"),
            (1053, "08S01"),
            (1205, "HY000"),
            (1213, "40001"),
            (1290, "HY000"),
        ] {
            assert_eq!(status(server(code, state)), 503, "{code}");
        }
        for (code, state) in [(1045, "28000"), (1064, "42000"), (1146, "42S02")] {
            assert_eq!(status(server(code, state)), 500, "{code}");
        }
    }

    #[test]
    fn what_the_database_says_of_a_request_is_no_failure_of_its_own() {
        assert_eq!(server(1213, "40001").failure(), Failure::Conflict);
        assert_eq!(server(1040, "08004").failure(), Failure::Transient(None));
        assert_eq!(server(1064, "42000").failure(), Failure::Answered);
        assert_eq!(Error::Stale.failure(), Failure::Answered);
        assert!(broken().is_lost() && server(1927, "70100").is_lost());
        assert!(!server(1040, "08004").is_lost() && !server(1213, "40001").is_lost());
    }

    #[test]
    fn a_catalogue_that_is_another_is_not_asked_again() {
        let of = |status, retry_after| CatalogueError::Status {
            status: StatusCode::from_u16(status).unwrap(),
            retry_after,
        };
        let wait = Some(Duration::from_secs(3));
        for status in [429, 500, 502, 503, 504] {
            assert_eq!(of(status, wait).failure(), Failure::Transient(wait));
        }
        for status in [201, 301, 400, 403, 404, 501] {
            assert_eq!(of(status, wait).failure(), Failure::Broken);
        }
    }

    #[test]
    fn a_move_that_is_refused_says_which_are_not() {
        let refused = |from, to| {
            let problem = Problem::from(Error::NoSuchMove { from, to });
            assert_eq!(problem.status(), StatusCode::CONFLICT);
            format!("{problem:?}")
        };
        let placed = refused(OrderStatus::Placed, OrderStatus::Shipped);
        assert!(placed.contains("placed can become paid or cancelled, not shipped"));
        let shipped = refused(OrderStatus::Shipped, OrderStatus::Cancelled);
        assert!(shipped.contains("shipped stays so"));
    }
}
