//! The function's configuration.

use chassis::{Environment, auth};

/// The function's configuration.
#[derive(Clone)]
pub struct Config {
    /// The database.
    pub dynamodb: dynamodb::Config,
    /// The name of the products' table.
    pub products_table: String,
    /// The name of the idempotency keys' table.
    pub keys_table: String,
    /// Whose tokens are accepted; `None` if no keys are configured.
    pub auth: Option<auth::Config>,
}

impl Config {
    /// Reads the environment. Returns `None` if and only if it has recorded an
    /// error.
    pub fn read(environment: &mut Environment) -> Option<Self> {
        let products_table = environment.required(
            "PRODUCTS_TABLE",
            "the name of the products' DynamoDB table",
            str::parse::<String>,
        );
        let keys_table = environment.required(
            "IDEMPOTENCY_TABLE",
            "the name of the idempotency keys' DynamoDB table",
            str::parse::<String>,
        );
        let dynamodb = dynamodb::Config::read(environment);
        let auth = auth::Config::read(environment);
        Some(Self {
            dynamodb: dynamodb?,
            products_table: products_table?,
            keys_table: keys_table?,
            auth: auth?,
        })
    }
}
