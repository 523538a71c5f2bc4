//! The migrations in `migrations/`, which are compiled in.

use mysql_async::{Conn, Pool, prelude::Queryable};
use rds::Database;

use crate::error::Error;

/// How long another deployment's migrations are waited for, in seconds.
const LOCK_S: u32 = 120;

#[allow(missing_docs, clippy::pedantic)]
mod embedded {
    refinery::embed_migrations!("migrations");
}

/// Runs what the database has not had yet, and gives the names of what ran.
///
/// One at a time: a named lock of the server's keeps a second deployment
/// waiting, and goes with its connection, whatever becomes of this function.
/// What `MySQL` does to a schema no transaction takes back, so each statement of
/// a migration is one that may be run again.
///
/// A migration that the database had and that is not here is none of this
/// code's business: a deployment that is rolled back meets the schema of the
/// one that failed.
pub async fn migrate(database: &Database) -> Result<Vec<String>, Error> {
    let opts = database.opts()?;
    let name = format!("{}.migrate", opts.db_name().unwrap_or_default());
    let mut lock = Conn::new(opts.clone()).await?;
    let locked: Option<Option<i64>> = lock
        .exec_first("SELECT GET_LOCK(?, ?)", (name, LOCK_S))
        .await?;
    if locked.flatten() != Some(1) {
        return Err(Error::Locked);
    }
    let mut pool = Pool::new(opts);
    let ran = embedded::migrations::runner()
        .set_abort_missing(false)
        .run_async(&mut pool)
        .await;
    pool.disconnect().await?;
    lock.disconnect().await?;
    let applied = ran.map_err(Box::new)?;
    let applied = applied.applied_migrations().iter();
    Ok(applied.map(ToString::to_string).collect())
}
