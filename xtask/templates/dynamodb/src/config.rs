//! The configuration of the function.

use chassis::{Environment, auth};

/// Where the @name@ are stored.
#[derive(Clone)]
pub struct Config {
    /// The database.
    pub dynamodb: dynamodb::Config,
    /// The name of the table of the @name@.
    pub table: String,
    /// The name of the idempotency keys' table.
    pub keys_table: String,
    /// Whose tokens are accepted; `None` if no keys are configured.
    pub auth: Option<auth::Config>,
}

impl Config {
    /// Reads the environment. Returns `None` if and only if it has recorded an
    /// error, so that all errors are reported at once.
    pub fn read(environment: &mut Environment) -> Option<Self> {
        let table = environment.required(
            "@NAME@_TABLE",
            "the name of the DynamoDB table of the @name@",
            str::parse::<String>,
        );
        let keys_table = environment.required(
            "@NAME@_KEYS_TABLE",
            "the name of the idempotency keys' DynamoDB table",
            str::parse::<String>,
        );
        let dynamodb = dynamodb::Config::read(environment);
        let auth = auth::Config::read(environment);
        Some(Self {
            dynamodb: dynamodb?,
            table: table?,
            keys_table: keys_table?,
            auth: auth?,
        })
    }
}
