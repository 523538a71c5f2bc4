//! The `MySQL` side: databases and their migrations, on any server.

use std::path::Path;

use anyhow::{Context, Result, anyhow};
use fs_err as fs;
use mysql_async::{Conn, Opts, OptsBuilder, Pool, prelude::Queryable};
use url::Url;

/// Creates the database `name` on the server of `url` unless it exists, and
/// returns the URL of it.
///
/// # Errors
/// `url` is not a `MySQL` URL, the server is unavailable, or its user may not
/// create databases.
pub async fn create_database(url: &str, name: &str) -> Result<String> {
    let options = options(url)?;
    // Without a database: the one that the URL names may be the one to create.
    let mut connection = connect(OptsBuilder::from_opts(options).db_name(None::<&str>)).await?;
    connection
        .query_drop(format!(
            "CREATE DATABASE IF NOT EXISTS {} \
             CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci",
            quoted(name)
        ))
        .await
        .with_context(|| format!("the MySQL database {name} cannot be created"))?;
    connection.disconnect().await?;
    with_database(url, name)
}

/// Drops the database `name` on the server of `url`.
///
/// # Errors
/// As for [`create_database`].
pub async fn drop_database(url: &str, name: &str) -> Result<()> {
    let mut connection =
        connect(OptsBuilder::from_opts(options(url)?).db_name(None::<&str>)).await?;
    connection
        .query_drop(format!("DROP DATABASE IF EXISTS {}", quoted(name)))
        .await
        .with_context(|| format!("the MySQL database {name} cannot be dropped"))?;
    connection.disconnect().await?;
    Ok(())
}

/// Runs the migrations of the folder `migrations` that are new to the database of
/// `url`. They are read here, so that a change of one needs no rebuild.
///
/// # Errors
/// A migration cannot be read or run, or one that has run was changed.
pub async fn migrate(url: &str, migrations: &Path) -> Result<()> {
    let migrations = refinery::load_sql_migrations(migrations)
        .with_context(|| format!("the migrations in {}", migrations.display()))?;
    let mut pool = Pool::new(options(url)?);
    let migrated = refinery::Runner::new(&migrations)
        // As `migrate` does: a service that was removed took its migrations along.
        .set_abort_missing(false)
        .run_async(&mut pool)
        .await
        .context(
            "the MySQL database cannot be migrated; if a migration that has run was changed, \
             or was removed and another has its number now, undo that, or drop the local data \
             by `cargo xtask up --fresh`",
        );
    pool.disconnect().await?;
    migrated.map(drop)
}

/// Creates the users of the file `grants`, each with its name as its password and
/// without privileges. Those that exist stay as they are.
///
/// # Errors
/// The file cannot be read, or the server rejects a statement.
pub async fn create_users(url: &str, grants: &Path) -> Result<()> {
    execute(url, grants, |_, user| vec![creation(user)]).await
}

/// Grants each user of the file `grants` its privileges in the database of `url`.
/// A user that is missing is created, with its name as its password.
///
/// # Errors
/// The file cannot be read, or the server rejects a statement.
pub async fn grant(url: &str, grants: &Path) -> Result<()> {
    execute(url, grants, |grant, user| {
        vec![creation(user), grant.to_owned()]
    })
    .await
}

/// The statement that creates a user, unless it exists.
fn creation(user: &str) -> String {
    format!("CREATE USER IF NOT EXISTS {user} IDENTIFIED BY '{user}'")
}

/// Executes the statements that `statements` returns for each grant of the file and
/// its user.
async fn execute(
    url: &str,
    grants: &Path,
    statements: impl Fn(&str, &str) -> Vec<String>,
) -> Result<()> {
    let grants = fs::read_to_string(grants)?;
    let mut connection = connect(options(url)?).await?;
    for grant in grants.lines().filter_map(|line| line.strip_suffix(';')) {
        let user = grant.rsplit(' ').next().unwrap_or_default();
        for statement in statements(grant, user) {
            connection.query_drop(statement).await?;
        }
    }
    connection.disconnect().await?;
    Ok(())
}

/// The name of the database in `url`.
///
/// # Errors
/// It has none, or is not a `MySQL` URL.
pub fn database(url: &str) -> Result<String> {
    options(url)?
        .db_name()
        .map(str::to_owned)
        .with_context(|| format!("the MySQL URL names no database; {FORM}"))
}

/// `url` without its password.
///
/// # Errors
/// It is not a URL.
pub fn without_password(url: &str) -> Result<String> {
    let mut url = Url::parse(url)?;
    // Only a URL without a host cannot have one.
    let _ = url.set_password(None);
    Ok(url.into())
}

/// Opens one connection.
pub(crate) async fn connect(options: impl Into<Opts>) -> Result<Conn> {
    let options = options.into();
    let server = format!("{}:{}", options.ip_or_hostname(), options.tcp_port());
    // The error's own text has its causes.
    let connected = Conn::new(options).await;
    connected.map_err(|error| anyhow!("the MySQL server at {server} cannot be used: {error}"))
}

pub(crate) fn options(url: &str) -> Result<Opts> {
    Opts::from_url(url).with_context(|| format!("not a MySQL URL; {FORM}"))
}

const FORM: &str = "its form is mysql://user:password@host:port/database";

/// `url` with `name` as its database.
fn with_database(url: &str, name: &str) -> Result<String> {
    let mut url = Url::parse(url).with_context(|| format!("not a MySQL URL; {FORM}"))?;
    url.set_path(name);
    Ok(url.into())
}

fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn database_of_a_url_is_replaced() {
        for (url, expected) in [
            ("mysql://a:b@h:1/old", "mysql://a:b@h:1/new"),
            ("mysql://a:b@h:1", "mysql://a:b@h:1/new"),
            (
                "mysql://h/?require_ssl=true",
                "mysql://h/new?require_ssl=true",
            ),
        ] {
            assert_eq!(with_database(url, "new").unwrap(), expected);
        }
    }

    #[test]
    fn password_is_not_shown() {
        let shown = without_password("mysql://a:b%40c@h:1/d").unwrap();
        assert_eq!(shown, "mysql://a@h:1/d");
    }

    #[test]
    fn error_has_the_form_of_a_url() {
        assert!(
            options("postgres://h/d")
                .unwrap_err()
                .to_string()
                .contains(FORM)
        );
        assert!(
            database("mysql://h")
                .unwrap_err()
                .to_string()
                .contains(FORM)
        );
    }
}
