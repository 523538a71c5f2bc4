//! The statements of one attempt, each with a line in the log.

use std::{
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Waker},
};

use chassis::{
    Deadline, RequestContext,
    outbound::{CallLog, Classify, Failure},
};
use mysql_async::{
    Conn, DriverError, FromRowError, Params, Row,
    prelude::{FromRow, Queryable},
};
use tokio::time::Instant;

use crate::{AttemptError, TransactionError};

/// The database's name in health and in the log.
pub(crate) const NAME: &str = "mysql";

/// The connection of one attempt at an operation. Clones share it.
///
/// A statement takes the connection and returns it when it has ended. If the
/// attempt is abandoned in the middle of a statement, or the statement breaks the
/// connection, that is dropped, which closes it.
#[derive(Clone)]
pub struct Session {
    connection: Arc<Mutex<Option<Connection>>>,
    ctx: Arc<RequestContext>,
}

impl Session {
    pub(crate) fn new(connection: Connection, ctx: RequestContext) -> Self {
        Self {
            connection: Arc::new(Mutex::new(Some(connection))),
            ctx: Arc::new(ctx),
        }
    }

    /// The deadline of the attempt.
    pub(crate) fn deadline(&self) -> Deadline {
        self.ctx.deadline
    }

    /// Executes a statement and returns its rows: each a tuple of its columns, or
    /// [`Columns`](crate::Columns) if there are more than twelve.
    ///
    /// # Errors
    ///
    /// If the database fails, or a column has another type.
    pub async fn rows<T: FromRow + Send>(
        &self,
        sql: &str,
        values: impl Into<Params> + Send,
    ) -> Result<Vec<T>, AttemptError> {
        self.fold(sql, values, Vec::new(), Vec::push).await
    }

    /// Executes a statement and adds each of its rows to `sum`, so that no more than
    /// one of them is in memory.
    ///
    /// # Errors
    ///
    /// As for [`Session::rows`].
    pub async fn fold<T: FromRow + Send, S: Send>(
        &self,
        sql: &str,
        values: impl Into<Params> + Send,
        sum: S,
        mut add: impl FnMut(&mut S, T) + Send,
    ) -> Result<S, AttemptError> {
        let (mut connection, call) = self.start(summary(sql))?;
        let add = |sum: Result<S, _>, row: Row| {
            let (mut sum, row) = (sum?, mysql_async::from_row_opt(row)?);
            add(&mut sum, row);
            Ok(sum)
        };
        let folded = (connection.conn()?)
            .exec_fold(sql, values, Ok(sum), add)
            .await;
        let sum: Result<S, FromRowError> = self.end(connection, call, folded)?;
        sum.map_err(|_| AttemptError::Row("a column has another type".to_owned()))
    }

    /// Executes a statement and returns its only row, if there is one.
    ///
    /// # Errors
    ///
    /// As for [`Session::rows`].
    pub async fn row<T: FromRow + Send>(
        &self,
        sql: &str,
        values: impl Into<Params> + Send,
    ) -> Result<Option<T>, AttemptError> {
        Ok(self.rows(sql, values).await?.pop())
    }

    /// Executes a statement without rows and returns how many it affected.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub async fn execute(
        &self,
        sql: &str,
        values: impl Into<Params> + Send,
    ) -> Result<u64, AttemptError> {
        let (mut connection, call) = self.start(summary(sql))?;
        let conn = connection.conn()?;
        let result = conn.exec_drop(sql, values).await;
        let affected = conn.affected_rows();
        self.end(connection, call, result)?;
        Ok(affected)
    }

    /// Runs `operation` in a transaction: commits if it succeeds, and rolls back
    /// if it does not. Either has ended before this returns, because a function
    /// that has responded is suspended and would keep its locks.
    ///
    /// The inner error is that with which the operation aborts. The database is healthy
    /// then, so it is no error of the attempt.
    ///
    /// `maybe_committed` is set while there is no response to `COMMIT`. It stays set if
    /// the response of this attempt, or of an earlier one, was lost.
    pub(crate) async fn transaction<T, E, F>(
        &self,
        maybe_committed: &AtomicBool,
        operation: impl Fn(Self) -> F,
    ) -> Result<Result<T, E>, AttemptError>
    where
        F: Future<Output = Result<T, TransactionError<E>>>,
    {
        self.control("START TRANSACTION").await?;
        let result = operation(self.clone()).await;
        if result.is_ok() {
            let earlier = maybe_committed.swap(true, Relaxed);
            let committed = self.control("COMMIT").await;
            let is_unknown = |error: &AttemptError| earlier || error.is_disconnected();
            maybe_committed.store(committed.as_ref().is_err_and(is_unknown), Relaxed);
            committed?;
        } else {
            // If this fails, the connection is broken and the server rolls back.
            let _ = self.control("ROLLBACK").await;
        }
        match result {
            Ok(value) => Ok(Ok(value)),
            Err(TransactionError::Abort(error)) => Ok(Err(error)),
            Err(TransactionError::Attempt(error)) => Err(error),
        }
    }

    /// Checks that the database responds.
    pub(crate) async fn ping(&self) -> Result<(), AttemptError> {
        self.control("SELECT 1").await
    }

    /// Takes the connection; `None` if a statement has broken it.
    pub(crate) fn take(&self) -> Option<Connection> {
        self.slot().take()
    }

    /// Executes a statement without parameters.
    async fn control(&self, sql: &'static str) -> Result<(), AttemptError> {
        let (mut connection, call) = self.start(sql)?;
        let result = connection.conn()?.query_drop(sql).await;
        self.end(connection, call, result)
    }

    /// Takes the connection for a statement.
    fn start(&self, operation: impl Into<String>) -> Result<(Connection, CallLog), AttemptError> {
        let connection = self.take();
        let connection =
            connection.ok_or(mysql_async::Error::from(DriverError::ConnectionClosed))?;
        Ok((connection, CallLog::start(&self.ctx, NAME, operation)))
    }

    /// Returns the connection after a statement, unless it is broken.
    fn end<T>(
        &self,
        connection: Connection,
        call: CallLog,
        result: Result<T, mysql_async::Error>,
    ) -> Result<T, AttemptError> {
        let result = result.map_err(AttemptError::from);
        call.end(&result);
        let usable = match &result {
            Ok(_) => true,
            Err(error) => matches!(
                error.failure(),
                Failure::Answered | Failure::Conflict | Failure::Rejected
            ),
        };
        if usable {
            *self.slot() = Some(connection);
        }
        result
    }

    fn slot(&self) -> MutexGuard<'_, Option<Connection>> {
        self.connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection. When it is dropped, such as in the middle of a statement of an
/// abandoned request, it is closed at once. The driver alone would first wait for
/// the rest of the response, which may never arrive.
pub(crate) struct Connection {
    conn: Option<Conn>,
    /// When it was opened.
    pub(crate) opened: Instant,
}

impl Connection {
    /// A connection that was opened now.
    pub(crate) fn new(conn: Conn) -> Self {
        Self {
            conn: Some(conn),
            opened: Instant::now(),
        }
    }

    /// The driver's connection.
    fn conn(&mut self) -> Result<&mut Conn, mysql_async::Error> {
        let conn = self.conn.as_mut();
        conn.ok_or_else(|| DriverError::ConnectionClosed.into())
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(conn) = self.conn.take() {
            // One poll sends COM_QUIT if that is possible without waiting.
            let disconnect = pin!(conn.disconnect());
            let _ = disconnect.poll(&mut Context::from_waker(Waker::noop()));
        }
    }
}

/// The verb and the table of a statement, without its values: `INSERT orders`
/// (`db.query.summary` of `OpenTelemetry`).
fn summary(sql: &str) -> String {
    let mut words = sql.split_whitespace();
    let verb = words.next().unwrap_or_default();
    let mut previous = verb;
    let table = words.find(|word| {
        // `FROM` may precede a subquery, whose table counts.
        let named = matches!(previous, "FROM" | "INTO" | "UPDATE") && !word.starts_with('(');
        previous = word;
        named
    });
    match table {
        Some(table) => format!("{verb} {table}"),
        None => verb.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_has_the_verb_and_the_table() {
        for (sql, expected) in [
            ("SELECT a, b FROM orders WHERE id = ?", "SELECT orders"),
            ("INSERT INTO orders (id) VALUES (?)", "INSERT orders"),
            ("UPDATE orders SET status = ?", "UPDATE orders"),
            (
                "DELETE FROM idempotency_keys LIMIT ?",
                "DELETE idempotency_keys",
            ),
            (
                "SELECT * FROM (SELECT * FROM orders LIMIT ?) AS o JOIN order_lines",
                "SELECT orders",
            ),
            ("SELECT 1", "SELECT"),
        ] {
            assert_eq!(summary(sql), expected);
        }
    }
}
