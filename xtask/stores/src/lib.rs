//! The stores on a developer's machine and in the tests: a DynamoDB-compatible
//! server and a private `MariaDB`, with the tables of `template.yaml` and of the
//! migrations, and sample data.

use std::path::PathBuf;

use template::project;

pub mod dynamodb;
pub mod mariadb;
pub mod mysql;
pub mod sample;

/// The folder of the migrations of the `MySQL` database.
#[must_use]
pub fn migrations() -> PathBuf {
    project().join("functions/migrate/migrations")
}

/// The file of the privileges of each function's user in the `MySQL` database.
#[must_use]
pub fn grants() -> PathBuf {
    project().join("functions/migrate/grants.sql")
}
