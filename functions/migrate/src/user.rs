//! The user as which the orders function signs in.

use std::str::FromStr;

use mysql_async::{Conn, prelude::Queryable};

use crate::error::Error;

/// The privileges of the orders function for each table: those that its
/// statements need. A test runs it with no others.
pub const GRANTS: &[(&str, &str)] = &[
    ("orders", "SELECT, INSERT, UPDATE"),
    ("order_lines", "SELECT, INSERT"),
    ("product_snapshots", "SELECT, INSERT, UPDATE"),
    ("idempotency_keys", "SELECT, INSERT, UPDATE, DELETE"),
];

/// The name of a user of the database: 1 to 32 of `a-z`, `0-9` and `_`, which need
/// no quoting in a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User(String);

impl FromStr for User {
    type Err = &'static str;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let allowed = |c| matches!(c, b'a'..=b'z' | b'0'..=b'9' | b'_');
        if (1..=32).contains(&name.len()) && name.bytes().all(allowed) {
            Ok(Self(name.to_owned()))
        } else {
            Err("it has another length or other characters")
        }
    }
}

/// Creates `user` unless it exists, and grants it [`GRANTS`]. It has no password:
/// it signs in with a token of its role, over TLS.
pub async fn create(database: &mysql::Config, User(user): &User) -> Result<(), Error> {
    let opts = database.opts()?;
    let schema = opts.db_name().unwrap_or_default().replace('`', "``");
    let mut connection = Conn::new(opts).await?;
    // A second run then does not need the plugin.
    let exists: Option<u8> = connection
        .exec_first(
            "SELECT 1 FROM mysql.user WHERE user = ? AND host = '%'",
            (user,),
        )
        .await?;
    if exists.is_none() {
        connection
            .query_drop(format!(
                "CREATE USER IF NOT EXISTS '{user}'@'%' \
                 IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS' REQUIRE SSL"
            ))
            .await?;
    }
    for (table, privileges) in GRANTS {
        connection
            .query_drop(format!(
                "GRANT {privileges} ON `{schema}`.`{table}` TO '{user}'@'%'"
            ))
            .await?;
    }
    connection.disconnect().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_name_needs_no_quoting() {
        assert!("orders_2".parse::<User>().is_ok());
        for bad in ["", "Orders", "o'rders", "o-1", &"o".repeat(33)] {
            assert!(bad.parse::<User>().is_err(), "{bad}");
        }
    }
}
