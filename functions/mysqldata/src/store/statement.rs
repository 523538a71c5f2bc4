//! Statements, each a span of the request that it is for.

use chassis::span::Span;
use mysql_async::{
    Conn, Error, Params, Row, Transaction, TxOpts,
    prelude::{FromRow, Queryable},
};

/// What the database is called in health and in the log.
pub const NAME: &str = "mysql";

/// Runs a statement for all its rows.
pub async fn rows(
    database: &mut impl Queryable,
    sql: &str,
    values: impl Into<Params> + Send,
) -> Result<Vec<Row>, Error> {
    told(summary(sql), database.exec(sql, values)).await
}

/// Runs a statement for its first row.
pub async fn first<T: FromRow + Send + 'static>(
    database: &mut impl Queryable,
    sql: &str,
    values: impl Into<Params> + Send,
) -> Result<Option<T>, Error> {
    told(summary(sql), database.exec_first(sql, values)).await
}

/// Runs a statement that gives no rows.
pub async fn run(
    database: &mut impl Queryable,
    sql: &str,
    values: impl Into<Params> + Send,
) -> Result<(), Error> {
    told(summary(sql), database.exec_drop(sql, values)).await
}

/// Asks whether the database is there.
pub async fn ping(database: &mut impl Queryable) -> Result<(), Error> {
    told("SELECT 1", database.query_drop("SELECT 1")).await
}

/// Begins a transaction.
pub async fn begin(connection: &mut Conn) -> Result<Transaction<'_>, Error> {
    let begun = connection.start_transaction(TxOpts::default());
    told("START TRANSACTION", begun).await
}

/// Ends a transaction well.
pub async fn commit(transaction: Transaction<'_>) -> Result<(), Error> {
    told("COMMIT", transaction.commit()).await
}

/// Ends a transaction as if it had not been.
pub async fn rollback(transaction: Transaction<'_>) -> Result<(), Error> {
    told("ROLLBACK", transaction.rollback()).await
}

/// Runs it in a span of its own.
async fn told<T>(
    operation: impl Into<String>,
    running: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let span = Span::begin(NAME, operation);
    let answer = running.await;
    span.end(&answer);
    answer
}

/// What a statement does to which table, without what it is about: `INSERT
/// orders`. (What `OpenTelemetry` calls `db.query.summary`.)
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
    fn a_statement_is_told_by_its_verb_and_its_table() {
        for (sql, told) in [
            ("SELECT a, b FROM orders WHERE id = ?", "SELECT orders"),
            ("INSERT INTO orders (id) VALUES (?)", "INSERT orders"),
            ("UPDATE orders SET status = ?", "UPDATE orders"),
            (
                "DELETE FROM idempotency_keys LIMIT ?",
                "DELETE idempotency_keys",
            ),
            ("SELECT 1", "SELECT"),
        ] {
            assert_eq!(summary(sql), told);
        }
    }
}
