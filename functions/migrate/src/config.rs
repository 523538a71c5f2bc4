//! What the function reads from its environment.

use chassis::config::{Environment, Role, Variable};
use rds::{Database, MYSQL_TLS, MYSQL_URL};

use crate::{secret::Secret, user::User};

/// Where the password of the database's first user is.
pub const MYSQL_SECRET: Variable = Variable {
    name: "MYSQL_SECRET",
    what: "the ARN of the secret in AWS Secrets Manager that holds the user and the password of \
           the database, or empty for those in MYSQL_URL",
};

/// Where the secret is asked for, if not where AWS has it.
pub const AWS_ENDPOINT_URL_SECRETS_MANAGER: Variable = Variable {
    name: "AWS_ENDPOINT_URL_SECRETS_MANAGER",
    what: "the http or https URL of a Secrets Manager, or empty for AWS's own",
};

/// Whom to let in.
pub const ORDERS_USER: Variable = Variable {
    name: "ORDERS_USER",
    what: "the database user that the orders function signs in as with its role (1 to 32 of a-z \
           0-9 _), or empty for none",
};

/// Every variable that the function reads.
pub const VARIABLES: &[Variable] = &[
    MYSQL_URL,
    MYSQL_TLS,
    MYSQL_SECRET,
    AWS_ENDPOINT_URL_SECRETS_MANAGER,
    ORDERS_USER,
];

/// The function's configuration. It holds secrets, so it has no `Debug`.
#[derive(Clone)]
pub struct Config {
    /// The orders' database.
    pub mysql: Database,
    /// Where its password is, if not in its URL.
    pub secret: Option<Secret>,
    /// The user to create, if any.
    pub orders_user: Option<User>,
}

impl Config {
    /// Reads it; `None` where a variable is missing or malformed.
    pub fn read(environment: &mut Environment) -> Option<Self> {
        let mysql = Database::read_with_password(environment);
        let secret = environment.optional(MYSQL_SECRET, str::parse::<String>);
        let endpoint = environment.optional(AWS_ENDPOINT_URL_SECRETS_MANAGER, str::parse::<String>);
        let orders_user = environment.optional(ORDERS_USER, str::parse::<User>);
        let secret = match secret? {
            None => None,
            Some(arn) => Some(Secret::new(arn, Role::read(environment)?, endpoint?)),
        };
        Some(Self {
            mysql: mysql?,
            secret,
            orders_user: orders_user?,
        })
    }
}
