//! The stores on a developer's machine and in the tests: a DynamoDB-compatible
//! server and a private `MariaDB`, with the tables of `template.yaml` and of the
//! migrations, and sample data.

use std::path::PathBuf;

use anyhow::Result;
use template::Template;

pub mod dynamodb;
pub mod mariadb;
pub mod mysql;
pub mod sample;
pub mod table;

pub use template::project;

/// The path of the SAM template, which declares the `DynamoDB` tables.
#[must_use]
pub fn template() -> PathBuf {
    template::path()
}

/// The folder of the migrations of the `MySQL` database.
#[must_use]
pub fn migrations() -> PathBuf {
    project().join("functions/migrate/migrations")
}

/// Whether a function of the template has tables in a `MySQL` database.
///
/// # Errors
/// The template cannot be read.
pub fn use_mysql() -> Result<bool> {
    let template = Template::read(&template())?;
    Ok(template.uses_mysql())
}

/// The file of the privileges of each function's user in the `MySQL` database.
#[must_use]
pub fn grants() -> PathBuf {
    project().join("functions/migrate/grants.sql")
}
