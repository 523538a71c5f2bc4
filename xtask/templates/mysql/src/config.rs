//! The configuration of the function.

use chassis::{Environment, auth};

/// The function's configuration. It holds secrets, so it has no `Debug`.
#[derive(Clone)]
pub struct Config {
    /// The database, in which the @name@ have tables of their own.
    pub mysql: mysql::Config,
    /// Whose tokens are accepted; `None` if no keys are configured.
    pub auth: Option<auth::Config>,
}

impl Config {
    /// Reads the environment. Returns `None` if and only if it has recorded an
    /// error, so that all errors are reported at once.
    pub fn read(environment: &mut Environment) -> Option<Self> {
        let mysql = mysql::Config::read(environment);
        let auth = auth::Config::read(environment);
        Some(Self {
            mysql: mysql?,
            auth: auth?,
        })
    }
}
