//! The migrations in `migrations/`, which are compiled in.

use mysql_async::{Conn, Pool, prelude::Queryable};

use crate::error::Error;

/// The seconds to wait for the migrations of another deployment.
const LOCK_TIMEOUT_S: u32 = 120;

#[allow(missing_docs, clippy::pedantic)]
mod embedded {
    refinery::embed_migrations!("migrations");
}

/// Applies the migrations that the database does not have, and returns their
/// names.
///
/// A named lock of the server makes a second deployment wait. It ends with its
/// connection, even if this function is ended. `MySQL` cannot roll back a change
/// of the schema, so each statement of a migration may be run again.
///
/// A migration that the database has and this code does not is ignored: after a
/// rollback, the database has the schema of the deployment that failed.
pub(crate) async fn migrate(database: &mysql::Config) -> Result<Vec<String>, Error> {
    let opts = database.opts();
    let name = format!("{}.migrate", opts.db_name().unwrap_or_default());
    let mut lock = Conn::new(opts.clone()).await?;
    let locked: Option<Option<i64>> = lock
        .exec_first("SELECT GET_LOCK(?, ?)", (name, LOCK_TIMEOUT_S))
        .await?;
    if locked.flatten() != Some(1) {
        return Err(Error::Locked);
    }
    let mut pool = Pool::new(opts);
    let ran = embedded::migrations::runner()
        .set_abort_missing(false)
        .run_async(&mut pool)
        .await;
    // The lock ends with its connection, also if that cannot be closed properly.
    let _ = (pool.disconnect().await, lock.disconnect().await);
    let applied = ran.map_err(Box::new)?;
    let applied = applied.applied_migrations().iter();
    Ok(applied.map(ToString::to_string).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The checksum of each migration that a deployed database may have. A change
    /// of an applied migration fails every deployment, so it must be a new one. Add
    /// a migration when it is released.
    const APPLIED: &[(&str, u64)] = &[
        ("V1__orders", 2_276_212_784_723_223_880),
        ("V2__order_owner", 6_843_718_184_652_719_687),
    ];

    #[test]
    fn an_applied_migration_is_unchanged() {
        let runner = embedded::migrations::runner();
        let migrations = runner.get_migrations().iter();
        let found: Vec<_> = migrations
            .map(|it| (it.to_string(), it.checksum()))
            .collect();
        let expected = APPLIED.iter();
        let expected: Vec<_> = expected
            .map(|(name, sum)| ((*name).to_owned(), *sum))
            .collect();
        assert!(
            found.starts_with(&expected),
            "the files: {found:?}, what was applied: {expected:?}"
        );
    }
}
