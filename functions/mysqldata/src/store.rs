//! The orders' database: its connections and its transactions.
//!
//! All that is asked of it is [`Work`] and goes through [`Store::run`], which
//! is where failures are bounded: by the request's deadline, by a number of
//! attempts, and by never using a connection again that was left in the middle
//! of something.

mod orders;
mod summary;

use std::time::Duration;

use chassis::Deadline;
use dto::Timestamp;
use mysql_async::{
    Conn, Opts, OptsBuilder, Pool, PoolConstraints, PoolOpts, Row, Transaction, Value,
    prelude::{FromRow, Queryable},
};
use time::{PrimitiveDateTime, macros::datetime};
use tokio::time::{timeout, timeout_at};

use crate::{error::Error, period::Period};

pub use orders::{Filter, Find, Insert, Position, Select, Update};
pub use summary::Summarise;

/// The connections that a process holds. A function answers one request at a
/// time; the second is for while the first is being given up.
const CONNECTIONS: PoolConstraints = match PoolConstraints::new(0, 2) {
    Some(constraints) => constraints,
    None => unreachable!(),
};

/// How long opening the first connection may hold up the start.
const WARM_UP: Duration = Duration::from_millis(1_500);

/// How long a connection may take to be there.
const CONNECT: Duration = Duration::from_secs(2);

/// How long saying goodbye on a connection may take.
const CLOSE: Duration = Duration::from_secs(1);

/// How often work is tried that is sure to have done nothing.
const ATTEMPTS: u32 = 3;

/// After so long, the server ends a session that says nothing. A function that
/// was frozen or ended in the middle of a transaction cannot give up its locks
/// itself, and the server's own default is 8 hours.
const SESSION_S: usize = 600;

/// For so long a statement waits for a lock, in seconds: short enough that
/// every attempt fits into a request's time. The server's default is 50.
const LOCK_WAIT_S: usize = 2;

/// What the server is told at the start of a session, in one round trip.
fn session() -> String {
    format!("SET wait_timeout = {SESSION_S}, innodb_lock_wait_timeout = {LOCK_WAIT_S}")
}

/// Something that is asked of the database, on one connection. It may be run
/// more than once, if all but the last run failed and did nothing.
pub trait Work: Sync {
    /// What it gives.
    type Done: Send;

    /// Does it.
    fn run(&self, connection: &mut Conn) -> impl Future<Output = Result<Self::Done, Error>> + Send;
}

/// Asks the database whether it is there.
pub struct Ping;

impl Work for Ping {
    type Done = ();

    async fn run(&self, connection: &mut Conn) -> Result<(), Error> {
        Ok(connection.query_drop("SELECT 1").await?)
    }
}

/// The orders' database.
#[derive(Clone)]
pub struct Store {
    pool: Pool,
}

impl Store {
    /// The database that `opts` say. It connects when it is asked something.
    pub fn new(opts: Opts) -> Self {
        // None is kept that has been idle for half of what the server grants,
        // and none for so long that it outlives a failover for good.
        let pool = PoolOpts::default()
            .with_constraints(CONNECTIONS)
            .with_inactive_connection_ttl(Duration::from_secs(SESSION_S as u64 / 2))
            .with_abs_conn_ttl(Some(Duration::from_mins(30)))
            // Statements stay prepared; there is no other state to reset.
            .with_reset_connection(false);
        let opts = OptsBuilder::from_opts(opts)
            .pool_opts(pool)
            .init(vec![session()])
            // Told here, these two need not be asked of the server.
            .max_allowed_packet(Some(16 * 1024 * 1024))
            .wait_timeout(Some(SESSION_S))
            .prefer_socket(false);
        Self {
            pool: Pool::new(opts),
        }
    }

    /// Opens the first connection, if that can be done soon.
    pub async fn warm(&self) {
        match timeout(WARM_UP, self.pool.get_conn()).await {
            Ok(Ok(_connection)) => {}
            Ok(Err(error)) => {
                let error = error.to_string();
                tracing::warn!(error, "started without the database");
            }
            Err(_) => tracing::warn!("started without the database: it did not answer in time"),
        }
    }

    /// Does `work` on a connection, before `deadline`. Where it fails in
    /// passing and is sure to have done nothing, it is done again on another
    /// connection.
    ///
    /// # Errors
    ///
    /// What the work gives; [`Error::Away`] where there is no connection, and
    /// [`Error::Slow`] where there was no time for one or for the work.
    pub async fn run<W: Work>(&self, deadline: Deadline, work: &W) -> Result<W::Done, Error> {
        let mut attempt = 1;
        loop {
            let connecting = deadline.at_most(CONNECT).instant();
            let mut connection = timeout_at(connecting, self.pool.get_conn()).await??;
            match timeout_at(deadline.instant(), work.run(&mut connection)).await {
                Ok(Err(error)) if error.is_passing() && attempt < ATTEMPTS => attempt += 1,
                Ok(result) => return result,
                Err(elapsed) => {
                    abandon(connection);
                    return Err(elapsed.into());
                }
            }
        }
    }
}

/// Closes a connection that was left in the middle of something. The pool
/// would first wait for all that the server still has to say on it, and a
/// server that has gone silent would hold its place in the pool for good.
fn abandon(connection: Conn) {
    tokio::spawn(timeout(CLOSE, connection.disconnect()));
}

/// Commits the transaction if `done` is well, else rolls it back. Either is over
/// before anything is answered, because a function that has answered is frozen
/// and would keep its locks.
async fn finish<T>(transaction: Transaction<'_>, done: Result<T, Error>) -> Result<T, Error> {
    if done.is_ok() {
        transaction.commit().await.map_err(Error::of_commit)?;
    } else {
        // If this fails, the connection is broken, and the server does it.
        let _ = transaction.rollback().await;
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
