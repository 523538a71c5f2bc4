//! The errors of one attempt and of an operation.

use std::fmt;

use chassis::{
    Problem,
    http::KeyConflict,
    outbound::{CallError, Classify, Failure},
};
use mysql_async::DriverError;
use tokio::time::error::Elapsed;

/// The failure of one attempt at an operation.
#[derive(Debug, thiserror::Error)]
pub enum AttemptError {
    /// The request's time ran out before there was a connection.
    #[error("no connection in time")]
    NoTimeToConnect(#[source] Elapsed),
    /// No connection was opened within the connect timeout.
    #[error("the database cannot be reached")]
    ConnectTimeout(#[source] Elapsed),
    /// The database refused a connection, for example its sign-in.
    #[error("the database refused a connection")]
    Refused(#[source] mysql_async::Error),
    /// The database or the connection to it failed.
    #[error("the database failed")]
    Database(#[from] mysql_async::Error),
    /// A row does not hold what its columns must hold.
    #[error("a row is not valid: {0}")]
    Row(String),
}

/// Why an operation rolls its transaction back.
#[derive(Debug, thiserror::Error)]
pub enum TransactionError<E> {
    /// The service decided against the transaction.
    #[error("the transaction was aborted")]
    Abort(E),
    /// The attempt failed.
    #[error(transparent)]
    Attempt(#[from] AttemptError),
}

/// Why an operation has no result.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// 409 or 422: the idempotency key is in use, or was used with another body.
    #[error(transparent)]
    Key(#[from] KeyConflict),
    /// 500: the database or a row is not what this code expects.
    #[error("the database responded unexpectedly")]
    Unexpected(#[source] AttemptError),
    /// 503: the last attempt met other requests that write the same data.
    #[error("other requests are writing the same data")]
    Contended(#[source] AttemptError),
    /// 503: the response to an attempt was lost, and it is unknown whether it was
    /// committed, because other requests write the same data.
    #[error("it is unknown whether the operation was executed")]
    Unknown(#[source] Option<AttemptError>),
    /// 503: the database is unavailable.
    #[error("the database is unavailable")]
    Unavailable(#[source] CallError<AttemptError>),
}

/// What makes an error of the database or of the driver.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cause {
    /// There is no connection, or it broke.
    Lost,
    /// The server cannot execute statements at present.
    Unavailable,
    /// The server has no such database or table, or denies access to it.
    Inaccessible,
    /// Concurrent transactions.
    Contention,
    /// The statement: too large, or with a value that no column holds.
    Statement,
    /// Anything else.
    Other,
}

/// Every operation is safe to repeat: see the crate's documentation.
impl Classify for AttemptError {
    fn failure(&self) -> Failure {
        match self {
            Self::NoTimeToConnect(_) => Failure::Late(None),
            Self::ConnectTimeout(_) => Failure::Transient(None),
            Self::Refused(_) => Failure::Broken,
            Self::Database(error) => match cause(error) {
                Cause::Lost | Cause::Unavailable => Failure::Transient(None),
                Cause::Inaccessible => Failure::Broken,
                Cause::Contention => Failure::Conflict,
                Cause::Statement => Failure::Rejected,
                Cause::Other => Failure::Answered,
            },
            Self::Row(_) => Failure::Answered,
        }
    }
}

/// The rule that a column breaks.
impl From<String> for AttemptError {
    fn from(rule: String) -> Self {
        Self::Row(rule)
    }
}

impl AttemptError {
    /// The error of opening a connection.
    pub(crate) fn connecting(error: mysql_async::Error) -> Self {
        if cause(&error) == Cause::Other {
            Self::Refused(error)
        } else {
            error.into()
        }
    }

    /// The same error, which names the row, such as `order 7`, if a row is not valid.
    #[must_use]
    pub fn in_row(self, row: impl fmt::Display) -> Self {
        match self {
            Self::Row(rule) => Self::Row(format!("{row}: {rule}")),
            error => error,
        }
    }

    /// Whether a row with the same key exists.
    #[must_use]
    pub fn is_duplicate(&self) -> bool {
        self.has_code(1062)
    }

    /// Whether another transaction held a lock for as long as a statement waits: with
    /// `NOWAIT` not at all, which `MySQL` reports by a code of its own.
    #[must_use]
    pub(crate) fn is_lock_timeout(&self) -> bool {
        self.has_code(1205) || self.has_code(3572)
    }

    /// Whether the connection broke, or was broken before.
    pub(crate) fn is_disconnected(&self) -> bool {
        matches!(self, Self::Database(error) if cause(error) == Cause::Lost)
    }

    fn has_code(&self, code: u16) -> bool {
        matches!(self, Self::Database(mysql_async::Error::Server(error)) if error.code == code)
    }
}

impl Error {
    /// The error of an operation. `maybe_committed` is whether one of its attempts may
    /// have been committed although its response was lost.
    pub(crate) fn of(error: CallError<AttemptError>, maybe_committed: bool) -> Self {
        // These problems do not say that nothing has changed.
        let CallError::Failed { name, error } = error else {
            return Self::Unavailable(error);
        };
        match error.failure() {
            Failure::Answered | Failure::Rejected | Failure::Unsent => Self::Unexpected(error),
            Failure::Conflict if maybe_committed => Self::Unknown(Some(error)),
            Failure::Conflict => Self::Contended(error),
            Failure::Transient(_) | Failure::Late(_) | Failure::Broken => {
                Self::Unavailable(CallError::Failed { name, error })
            }
        }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Key(conflict) => conflict.into(),
            Error::Unexpected(_) => Self::internal(error),
            Error::Contended(source) => Self::contended().with_source(source),
            Error::Unknown(_) => Self::outcome_unknown().with_source(error),
            Error::Unavailable(error) => error.into_problem("The database"),
        }
    }
}

/// Classifies the errors of the driver and the error codes of the server, those
/// of `MySQL` 8 and `MariaDB` 10.11.
fn cause(error: &mysql_async::Error) -> Cause {
    match error {
        // No connection, a broken one, or a peer with another protocol.
        mysql_async::Error::Io(_)
        | mysql_async::Error::Driver(
            DriverError::ConnectionClosed
            | DriverError::PacketOutOfOrder
            | DriverError::PacketTooLarge
            | DriverError::UnexpectedPacket { .. }
            | DriverError::UnknownAuthPlugin { .. }
            | DriverError::CantParseServerVersion { .. },
        ) => Cause::Lost,
        mysql_async::Error::Server(error) => match error.code {
            // A record changed since it was read, lock wait timeout, deadlock, a lock with
            // NOWAIT.
            1020 | 1205 | 1213 | 3572 => Cause::Contention,
            // The connection was killed or idle for too long.
            1927 | 4031 => Cause::Lost,
            // Too many connections (of the server, the host or the user; reported
            // before there is an SQLSTATE); disk full; out of memory or threads;
            // read-only, as during a failover; a query was killed.
            1040 | 1129 | 1203 | 1226 | 1021 | 1114 | 1037 | 1038 | 1041 | 1135 | 1290 | 1792
            | 1836 | 1317 | 1969 | 3024 => Cause::Unavailable,
            // Access denied to the server, a database, a table, a column or a routine; no
            // such database or table.
            1044 | 1045 | 1142 | 1143 | 1370 | 1049 | 1146 => Cause::Inaccessible,
            // The statement is larger than the server accepts.
            1153 => Cause::Statement,
            // SQLSTATE class 22: a value does not fit its column.
            _ if error.state.starts_with("22") => Cause::Statement,
            // SQLSTATE class 08: shutdown, and all else that ends a connection.
            _ if error.state.starts_with("08") => Cause::Lost,
            _ => Cause::Other,
        },
        _ => Cause::Other,
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use mysql_async::ServerError;

    use super::*;

    fn server(code: u16, state: &str) -> AttemptError {
        let error = ServerError {
            code,
            message: "secret".to_owned(),
            state: state.to_owned(),
        };
        mysql_async::Error::Server(error).into()
    }

    fn broken() -> AttemptError {
        mysql_async::Error::from(io::Error::from(io::ErrorKind::BrokenPipe)).into()
    }

    /// The problem after the last attempt failed like this.
    fn problem(error: AttemptError) -> Problem {
        let name = "mysql";
        Error::of(CallError::Failed { name, error }, false).into()
    }

    #[test]
    fn an_unavailable_database_is_503_and_an_unexpected_response_500() {
        let closed = mysql_async::Error::from(DriverError::ConnectionClosed);
        assert_eq!(problem(broken()).status(), 503);
        assert_eq!(problem(closed.into()).status(), 503);
        for (code, state) in [
            (1040, "HY000"),
            (1053, "08S01"),
            (1205, "HY000"),
            (1213, "40001"),
            (1290, "HY000"),
            (1146, "42S02"),
            (1142, "42000"),
        ] {
            assert_eq!(problem(server(code, state)).status(), 503, "{code}");
        }
        for (code, state) in [(1064, "42000"), (1054, "42S22"), (1406, "22001")] {
            let problem = problem(server(code, state));
            assert_eq!(problem.status(), 500, "{code}");
            assert!(!problem.detail().contains("secret"));
        }
        assert_eq!(problem("a rule".to_owned().into()).status(), 500);
    }

    #[test]
    fn a_refused_connection_is_an_unavailable_database() {
        for (code, failure) in [
            (1045, Failure::Broken),
            (1049, Failure::Broken),
            (1040, Failure::Transient(None)),
        ] {
            let error = ServerError {
                code,
                message: String::new(),
                state: "28000".to_owned(),
            };
            let error = AttemptError::connecting(mysql_async::Error::Server(error));
            assert_eq!(error.failure(), failure, "{code}");
            assert_eq!(problem(error).status(), 503, "{code}");
        }
    }

    #[test]
    fn contention_is_reported_and_after_a_lost_response_the_outcome_is_unknown() {
        let problem = |lost| {
            let (name, error) = ("mysql", server(1213, "40001"));
            let error = Error::of(CallError::Failed { name, error }, lost);
            Problem::from(error)
        };
        assert_eq!(
            problem(false).detail(),
            "Other requests are writing the same data. Nothing has changed."
        );
        assert_eq!(problem(true).detail(), Problem::outcome_unknown().detail());
        assert_eq!(problem(true).status(), 503);
    }

    #[test]
    fn only_failures_of_the_database_count_against_it() {
        assert_eq!(broken().failure(), Failure::Transient(None));
        assert_eq!(server(1040, "08004").failure(), Failure::Transient(None));
        assert_eq!(server(1213, "40001").failure(), Failure::Conflict);
        assert_eq!(server(1064, "42000").failure(), Failure::Answered);
        assert_eq!(server(1153, "08S01").failure(), Failure::Rejected);
        assert_eq!(server(1406, "22001").failure(), Failure::Rejected);
    }

    #[test]
    fn a_broken_connection_is_recognized() {
        assert!(broken().is_disconnected() && server(1927, "70100").is_disconnected());
        assert!(
            !server(1040, "08004").is_disconnected() && !server(1213, "40001").is_disconnected()
        );
    }
}
