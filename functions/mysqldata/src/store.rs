//! The orders' database.
//!
//! All that is asked of it is [`Work`] and goes through [`Store::run`], which
//! is where failures are bounded: by the request's deadline, a breaker and a
//! number of attempts.

mod connections;
mod keys;
mod orders;
mod place;
mod snapshots;
mod statement;
mod summary;

use std::time::Duration;

use chassis::{
    Call, Deadline,
    resilience::{Dependency, Policy},
};
use dto::Timestamp;
use mysql_async::{Conn, Row, Transaction, Value, prelude::FromRow};
use rds::Database;
use time::{PrimitiveDateTime, macros::datetime};

use crate::{
    error::{Error, chain},
    period::Period,
};

use connections::Connections;
pub use keys::Recall;
pub use orders::{Filter, Find, Position, Select, Update};
pub use place::{Place, Placed};
pub use snapshots::{Forget, Known};
pub use summary::Summarise;

/// How long opening the first connection may hold up the start.
const WARM_UP: Duration = Duration::from_millis(1_500);

/// Something that is asked of the database, on one connection.
///
/// It may be run again when nobody knows what became of the first time, for
/// example because the connection broke during `COMMIT`. So it either changes
/// nothing, or knows its own change when it finds it.
pub trait Work: Sync {
    /// What it gives.
    type Done: Send;

    /// Does it.
    fn run(&self, connection: &mut Conn) -> impl Future<Output = Result<Self::Done, Error>> + Send;
}

/// Asks the database whether it is there.
struct Ping;

impl Work for Ping {
    type Done = ();

    async fn run(&self, connection: &mut Conn) -> Result<(), Error> {
        Ok(statement::ping(connection).await?)
    }
}

/// The orders' database; clones share its connections and its breaker.
#[derive(Clone)]
pub struct Store {
    dependency: Dependency,
    connections: Connections,
}

impl Store {
    /// The store in this database. It connects when it is asked something.
    pub fn new(database: Database, policy: Policy) -> Self {
        let connections = Connections::new(database, policy.connect);
        let probed = connections.clone();
        let probe = move |deadline| {
            let connections = probed.clone();
            async move {
                let answered = connections.run(deadline, &Ping).await;
                if let Err(error) = &answered {
                    tracing::warn!(cause = chain(error), "the database is unhealthy");
                }
                answered
            }
        };
        Self {
            dependency: Dependency::new(statement::NAME, policy, probe),
            connections,
        }
    }

    /// What its breaker and its policy are kept in.
    pub fn dependency(&self) -> &Dependency {
        &self.dependency
    }

    /// Opens the first connection, if that can be done soon.
    pub async fn warm(&self) {
        if let Err(error) = self.connections.warm(Deadline::within(WARM_UP)).await {
            tracing::warn!(cause = chain(&error), "started without the database");
        }
    }

    /// Does `work` before the call's deadline, as the policy of the database
    /// has it.
    ///
    /// # Errors
    ///
    /// What the work gives, or [`Error::Away`].
    pub async fn run<W: Work>(&self, call: &Call, work: &W) -> Result<W::Done, Error> {
        let attempt = |deadline| self.connections.run(deadline, work);
        Ok(self.dependency.call(call, attempt).await?)
    }
}

/// Commits the transaction if `done` is well, else rolls it back. Either is over
/// before anything is answered, because a function that has answered is frozen
/// and would keep its locks.
async fn finish<T>(transaction: Transaction<'_>, done: Result<T, Error>) -> Result<T, Error> {
    if done.is_ok() {
        statement::commit(transaction).await?;
    } else {
        // If this fails, the connection is broken, and the server does it.
        let _ = statement::rollback(transaction).await;
    }
    done
}

/// The columns of a row, as a tuple.
fn columns<T: FromRow>(row: Row) -> Result<T, Error> {
    mysql_async::from_row_opt(row).map_err(|_| Error::Row("a column has another type"))
}

/// A time as the database holds it, which is in UTC. It knows none before the
/// year 1000; nothing was ordered then, so it makes no difference to a bound.
fn to_column(at: Timestamp) -> PrimitiveDateTime {
    let at = at.utc();
    PrimitiveDateTime::new(at.date(), at.time()).max(datetime!(1000-01-01 0:00))
}

/// A time as the database held it.
fn from_column(at: PrimitiveDateTime) -> Timestamp {
    at.assume_utc().into()
}

/// The conditions of a `WHERE`, and what is bound to them.
#[derive(Default)]
struct Conditions {
    sql: Vec<&'static str>,
    values: Vec<Value>,
}

impl Conditions {
    /// Adds a condition with a `?` for each of `values`.
    fn add(&mut self, sql: &'static str, values: impl IntoIterator<Item = Value>) {
        self.sql.push(sql);
        self.values.extend(values);
    }

    /// Adds those of a period, on `created_at`.
    fn add_period(&mut self, period: Period) {
        if let Some(from) = period.from {
            self.add("created_at >= ?", [to_column(from).into()]);
        }
        if let Some(to) = period.to {
            self.add("created_at < ?", [to_column(to).into()]);
        }
    }

    /// All of them in one, true if there are none.
    fn all(&self) -> String {
        match self.sql.as_slice() {
            [] => "TRUE".to_owned(),
            sql => sql.join(" AND "),
        }
    }
}

/// So many placeholders, for a row or a list.
fn placeholders(count: usize) -> String {
    vec!["?"; count].join(", ")
}

/// The `VALUES` of so many rows of so many columns.
fn rows_of(count: usize, columns: usize) -> String {
    let row = format!("({})", placeholders(columns));
    format!("VALUES {}", vec![row; count].join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_survives_the_database_and_an_ancient_one_is_clamped() {
        let at = Timestamp::parse_time_or_date("2026-11-22T23:59:59.999+01:00").unwrap();
        assert_eq!(from_column(to_column(at)), at);
        let ancient = Timestamp::parse_time_or_date("0000-01-01").unwrap();
        assert_eq!(to_column(ancient), datetime!(1000-01-01 0:00));
    }
}
