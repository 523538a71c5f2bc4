//! What can go wrong, and the one place where it becomes a problem.

use chassis::{Problem, client::CallError};
use dto::{Faults, order::OrderStatus, problem::ProblemType};
use http::StatusCode;
use mysql_async::{DriverError, Error as MysqlError};
use tokio::time::error::Elapsed;

/// When to try again after a 503, in seconds.
const RETRY_AFTER_S: u64 = 2;

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
    /// 500: the database answered what this code does not expect.
    #[error("the database failed")]
    Database(#[source] MysqlError),
    /// 500: a row is not what the schema says.
    #[error("a row cannot be read: {0}")]
    Row(&'static str),
    /// 500: what was to be answered cannot be, which is a bug.
    #[error("the answer cannot be written")]
    Answer(#[from] serde_json::Error),
    /// 503: the database cannot be reached, broke off or takes no work.
    #[error("the database is away")]
    Away(#[source] MysqlError),
    /// 503: the database did not answer in time.
    #[error("the database did not answer in time")]
    Slow(#[from] Elapsed),
    /// 503: other transactions were in the way, each time it was tried.
    #[error("other transactions were in the way")]
    Contended(#[source] MysqlError),
    /// 503: the connection broke while a transaction was being committed, so
    /// nobody here knows whether it was.
    #[error("it is not known whether the transaction was committed")]
    Uncertain(#[source] MysqlError),
    /// 503: the catalogue gave no prices.
    #[error("the catalogue gave no prices")]
    Catalogue(#[from] CatalogueError),
}

/// Why the catalogue gave no answer that is of use.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// It did not answer.
    #[error("it did not answer")]
    Call(#[from] CallError),
    /// It answered something other than 200.
    #[error("it answered {0}")]
    Status(StatusCode),
    /// Its answer is not JSON of the agreed form.
    #[error("its answer cannot be read")]
    Unreadable(#[from] serde_json::Error),
    /// Its answer breaks what the two services agreed on.
    #[error("its answer is not sound: {0}")]
    Unsound(&'static str),
}

impl Error {
    /// Whether the same work may succeed on another connection, and is sure to
    /// have done nothing so far.
    pub(crate) fn is_passing(&self) -> bool {
        matches!(self, Self::Away(_) | Self::Contended(_))
    }

    /// What became of a transaction whose `COMMIT` gave `error`. Where the
    /// server answered, it answered that nothing was committed.
    pub(crate) fn of_commit(error: MysqlError) -> Self {
        match error {
            MysqlError::Server(_) => error.into(),
            _ => Self::Uncertain(error),
        }
    }
}

impl From<MysqlError> for Error {
    fn from(error: MysqlError) -> Self {
        match kind(&error) {
            Kind::Away => Self::Away(error),
            Kind::Contended => Self::Contended(error),
            Kind::Other => Self::Database(error),
        }
    }
}

enum Kind {
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
            | DriverError::PoolDisconnected
            | DriverError::PacketOutOfOrder
            | DriverError::UnexpectedPacket { .. }
            | DriverError::CantParseServerVersion { .. },
        ) => Kind::Away,
        MysqlError::Server(error) => match error.code {
            // A record changed since it was read, lock wait time-out, deadlock.
            1020 | 1205 | 1213 => Kind::Contended,
            // It, the host or the user has too many connections, which it says
            // before it speaks of states; its disk is full; it is out of memory
            // or threads; it is read-only, as during a failover; a connection
            // or a query was killed.
            1040 | 1129 | 1203 | 1226 | 1021 | 1114 | 1037 | 1038 | 1041 | 1135 | 1290 | 1792
            | 1836 | 1317 | 1927 | 1969 | 3024 | 4031 => Kind::Away,
            // It is shutting down, and all else that breaks a connection.
            _ if error.state.starts_with("08") => Kind::Away,
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
            Error::Database(_) | Error::Row(_) | Error::Answer(_) => Self::internal(error),
            Error::Away(_) | Error::Slow(_) => unavailable("The orders' database is away.", error),
            Error::Contended(_) => {
                unavailable("Too many requests are changing the same orders.", error)
            }
            Error::Uncertain(_) => unavailable(
                "The orders' database went away before it said whether the change was made.",
                error,
            ),
            Error::Catalogue(_) => unavailable("The catalogue gave no prices.", error),
        }
    }
}

fn unavailable(detail: &str, error: Error) -> Problem {
    Problem::unavailable(detail, RETRY_AFTER_S).with_source(error)
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

    fn server(code: u16, state: &str) -> MysqlError {
        MysqlError::Server(ServerError {
            code,
            message: "secret".to_owned(),
            state: state.to_owned(),
        })
    }

    fn status(error: impl Into<Error>) -> u16 {
        Problem::from(error.into()).status().as_u16()
    }

    #[test]
    fn a_database_that_is_away_is_503_and_one_that_is_odd_500() {
        let broken = io::Error::from(io::ErrorKind::BrokenPipe);
        assert_eq!(status(MysqlError::from(broken)), 503);
        assert_eq!(status(MysqlError::from(DriverError::ConnectionClosed)), 503);
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
    fn only_what_did_nothing_is_tried_again() {
        let broken = || MysqlError::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert!(Error::from(broken()).is_passing());
        assert!(!Error::of_commit(broken()).is_passing());
        assert!(Error::of_commit(server(1213, "40001")).is_passing());
        assert!(!Error::from(server(1064, "42000")).is_passing());
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
