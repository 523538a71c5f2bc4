//! The stores as they run on a developer's machine and under the tests: a
//! DynamoDB-compatible server and a private `MariaDB`, with the tables that
//! `template.yaml` and the migrations say, and a sample catalogue and orders.

use std::path::PathBuf;

pub mod dynamodb;
pub mod mariadb;
pub mod mysql;
pub mod sample;
pub mod table;

/// The folder of the project, which holds `template.yaml`.
#[must_use]
pub fn project() -> PathBuf {
    // This package is two folders below it.
    [env!("CARGO_MANIFEST_DIR"), "..", ".."].iter().collect()
}

/// Where the SAM template is, the one source of the `DynamoDB` tables.
#[must_use]
pub fn template() -> PathBuf {
    template::path()
}

/// Where the migrations of the orders' database are.
#[must_use]
pub fn migrations() -> PathBuf {
    project().join("functions/migrate/migrations")
}
