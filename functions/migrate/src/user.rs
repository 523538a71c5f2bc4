//! The users as which the functions sign in.

use std::collections::BTreeSet;

use mysql_async::{Conn, prelude::Queryable};

use crate::error::Error;

/// The privileges of each user.
const GRANTS: &str = include_str!("../grants.sql");

/// The statements of [`GRANTS`], in its order.
fn statements() -> impl Iterator<Item = &'static str> {
    GRANTS.lines().filter_map(|line| line.strip_suffix(';'))
}

/// The users of [`GRANTS`].
fn users() -> BTreeSet<&'static str> {
    let users = statements().filter_map(|statement| statement.rsplit(' ').next());
    users.collect()
}

/// Creates each user unless it exists, and grants it its privileges. It has no
/// password: it signs in with a token of its role, over TLS.
pub(crate) async fn create_all(database: &mysql::Config) -> Result<(), Error> {
    let mut connection = Conn::new(database.opts()).await?;
    for user in users() {
        // An existing user is skipped, so that a repeated run works without the plugin.
        let exists: Option<u8> = connection
            .exec_first(
                "SELECT 1 FROM mysql.user WHERE user = ? AND host = '%'",
                (user,),
            )
            .await?;
        if exists.is_none() {
            connection
                .query_drop(format!(
                    "CREATE USER IF NOT EXISTS {user} \
                     IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS' REQUIRE SSL"
                ))
                .await?;
        }
    }
    for statement in statements() {
        connection.query_drop(statement).await?;
    }
    connection.disconnect().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_name_needs_no_quoting() {
        for user in users() {
            let allowed = |c| matches!(c, b'a'..=b'z' | b'0'..=b'9' | b'_');
            assert!(user.len() <= 32 && user.bytes().all(allowed), "{user}");
        }
    }

    #[test]
    fn each_line_grants_privileges_on_one_table_to_one_user() {
        for line in GRANTS.lines().filter(|line| !line.starts_with("--")) {
            let words: Vec<_> = line.split(' ').collect();
            assert_eq!(words[0], "GRANT", "{line}");
            assert_eq!(words[words.len() - 4], "ON", "{line}");
            assert_eq!(words[words.len() - 2], "TO", "{line}");
            assert!(line.ends_with(';'), "{line}");
        }
    }
}
