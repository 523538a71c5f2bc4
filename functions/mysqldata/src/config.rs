//! The function's configuration.

use chassis::{Environment, auth, outbound::Policy};
use http::Uri;

/// The function's configuration. It holds secrets, so it has no `Debug`.
#[derive(Clone)]
pub struct Config {
    /// The orders' database.
    pub mysql: mysql::Config,
    /// The base URL of the API; `None` for the API that a request came through.
    pub api: Option<Uri>,
    /// The policy of calls to the catalogue.
    pub catalogue_policy: Policy,
    /// Whose tokens are accepted; `None` if no keys are configured.
    pub auth: Option<auth::Config>,
}

impl Config {
    /// Reads the environment. Returns `None` if and only if it has recorded an error.
    pub fn read(environment: &mut Environment) -> Option<Self> {
        let mysql = mysql::Config::read(environment);
        let api = environment.api_url();
        let auth = auth::Config::read(environment);
        Some(Self {
            mysql: mysql?,
            api: api?,
            catalogue_policy: Policy::default(),
            auth: auth?,
        })
    }
}
