//! The function's configuration.

use chassis::{
    Environment,
    environment::{Role, parse_url},
};

use crate::secret::Secret;

/// The function's configuration. It holds secrets, so it has no `Debug`.
#[derive(Clone)]
pub struct Config {
    /// The orders' database.
    pub mysql: mysql::Config,
    /// The secret with the user and the password, if they are not in the URL.
    pub secret: Option<Secret>,
    /// Whether to create the users of `grants.sql`, which sign in with the roles
    /// of their functions.
    pub creates_users: bool,
}

impl Config {
    /// Reads the environment; `None` if a variable is missing or malformed.
    pub fn read(environment: &mut Environment) -> Option<Self> {
        let mysql = mysql::Config::read_with_password(environment);
        let secret = environment.optional(
            "MYSQL_SECRET",
            "the ARN of the secret in AWS Secrets Manager that holds the user and the password of \
             the database, or empty for those in MYSQL_URL",
            str::parse::<String>,
        );
        let endpoint = environment.optional(
            "AWS_ENDPOINT_URL_SECRETS_MANAGER",
            "the http or https URL of a Secrets Manager, or empty for that of AWS",
            parse_url,
        );
        let users = environment.optional(
            "MYSQL_USERS",
            "iam to create the users of grants.sql, which sign in with the roles of their \
             functions, or empty for none",
            |users| match users {
                "iam" => Ok(()),
                _ => Err("it is neither iam nor empty"),
            },
        );
        let secret = match secret? {
            None => None,
            Some(arn) => Some(Secret::new(arn, Role::read(environment)?, endpoint?)),
        };
        Some(Self {
            mysql: mysql?,
            secret,
            creates_users: users?.is_some(),
        })
    }
}
