//! The statements of one attempt, each with a line in the log.

use chassis::{RequestContext, telemetry::CallLog};
use mysql_async::{
    Params, Row,
    prelude::{FromRow, Queryable},
};

use crate::{AttemptError, TransactionError, connections::Connection};

/// The database's name in health and in the log.
pub(crate) const NAME: &str = "mysql";

/// A connection during one attempt at an operation.
pub struct Session {
    connection: Connection,
    ctx: RequestContext,
}

impl Session {
    pub(crate) fn new(connection: Connection, ctx: RequestContext) -> Self {
        Self { connection, ctx }
    }

    pub(crate) fn into_connection(self) -> Connection {
        self.connection
    }

    /// Executes a statement and returns its rows: each a tuple of its columns.
    ///
    /// # Errors
    ///
    /// If the database fails, or a column has another type.
    pub async fn rows<T: FromRow>(
        &mut self,
        sql: &str,
        values: impl Into<Params> + Send,
    ) -> Result<Vec<T>, AttemptError> {
        let call = CallLog::start(&self.ctx, NAME, summary(sql));
        let rows: Result<Vec<Row>, _> = self.connection.conn()?.exec(sql, values).await;
        call.end(&rows);
        let rows = rows?.into_iter().map(mysql_async::from_row_opt);
        rows.collect::<Result<_, _>>()
            .map_err(|_| AttemptError::Row("a column has another type".to_owned()))
    }

    /// Executes a statement and returns its only row, if there is one.
    ///
    /// # Errors
    ///
    /// As for [`Session::rows`].
    pub async fn row<T: FromRow>(
        &mut self,
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
        &mut self,
        sql: &str,
        values: impl Into<Params> + Send,
    ) -> Result<u64, AttemptError> {
        let call = CallLog::start(&self.ctx, NAME, summary(sql));
        let conn = self.connection.conn()?;
        let executed = conn.exec_drop(sql, values).await;
        call.end(&executed);
        executed?;
        Ok(conn.affected_rows())
    }

    /// Runs `operation` in a transaction: commits if it succeeds, and rolls back
    /// if it does not. Either has ended before this returns, because a function
    /// that has responded is suspended and would keep its locks.
    pub(crate) async fn transaction<T, E>(
        &mut self,
        operation: impl AsyncFnOnce(&mut Self) -> Result<T, TransactionError<E>>,
    ) -> Result<T, TransactionError<E>> {
        self.control("START TRANSACTION").await?;
        let result = operation(self).await;
        if result.is_ok() {
            self.control("COMMIT").await?;
        } else {
            // If this fails, the connection is broken and the server rolls back.
            let _ = self.control("ROLLBACK").await;
        }
        result
    }

    /// Checks that the database responds.
    pub(crate) async fn ping(&mut self) -> Result<(), AttemptError> {
        self.control("SELECT 1").await
    }

    /// Executes a statement without parameters.
    async fn control(&mut self, sql: &'static str) -> Result<(), AttemptError> {
        let call = CallLog::start(&self.ctx, NAME, sql);
        let done = self.connection.conn()?.query_drop(sql).await;
        call.end(&done);
        Ok(done?)
    }
}

/// The verb and the table of a statement, without its values: `INSERT orders`
/// (`db.query.summary` of `OpenTelemetry`).
fn summary(sql: &str) -> String {
    let mut words = sql.split_whitespace();
    let verb = words.next().unwrap_or_default();
    let table = match verb {
        "UPDATE" => words.next(),
        _ => words
            .skip_while(|word| !matches!(*word, "FROM" | "INTO"))
            .nth(1),
    };
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
            ("SELECT 1", "SELECT"),
        ] {
            assert_eq!(summary(sql), expected);
        }
    }
}
