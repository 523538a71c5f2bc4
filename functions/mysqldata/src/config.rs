//! What the function reads from its environment.

use std::time::Duration;

use chassis::{
    client::parse_api_url,
    config::{Environment, Variable},
    resilience::Policy,
};
use http::Uri;
use rds::Database;

/// Where the catalogue is.
pub const API_URL: Variable = Variable {
    name: "API_URL",
    what: "the base URL of the API, such as https://api.example.com, or empty for the API that \
           a request came in through",
};

/// How the orders' database is called.
pub const MYSQL_POLICY: Variable = Variable {
    name: "MYSQL_POLICY",
    what: "settings of a policy such as attempt=3s retries=2 open=2s, or empty for the defaults",
};

/// How the catalogue is called.
pub const CATALOGUE_POLICY: Variable = Variable {
    name: "CATALOGUE_POLICY",
    what: "settings of a policy such as attempt=2s retries=2 open=2s, or empty for the defaults",
};

/// Every variable that the function reads.
pub const VARIABLES: &[Variable] = &[
    rds::MYSQL_URL,
    rds::MYSQL_TLS,
    rds::MYSQL_SIGN_IN,
    API_URL,
    MYSQL_POLICY,
    CATALOGUE_POLICY,
];

/// The function's configuration. It holds secrets, so it has no `Debug`.
#[derive(Clone)]
pub struct Config {
    /// The orders' database, and how to sign in to it.
    pub mysql: Database,
    /// The base URL of the API, where it is told.
    pub api: Option<Uri>,
    /// How the orders' database is called.
    pub mysql_policy: Policy,
    /// How the catalogue is called.
    pub catalogue_policy: Policy,
}

impl Config {
    /// Reads it; `None` where a variable is missing or malformed.
    pub fn read(environment: &mut Environment) -> Option<Self> {
        let mysql = Database::read(environment);
        let api = environment.optional(API_URL, parse_api_url);
        let mysql_policy =
            environment.optional(MYSQL_POLICY, |text| default_mysql_policy().with(text));
        let catalogue_policy = environment.optional(CATALOGUE_POLICY, |text| {
            default_catalogue_policy().with(text)
        });
        Some(Self {
            mysql: mysql?,
            api: api?,
            mysql_policy: mysql_policy?.unwrap_or_else(default_mysql_policy),
            catalogue_policy: catalogue_policy?.unwrap_or_else(default_catalogue_policy),
        })
    }
}

/// How the orders' database is called unless it is told otherwise.
///
/// A statement waits 2 s for a lock before the database says that it is taken,
/// which is an answer: an attempt has to outlast that, or contention would be
/// mistaken for an outage. Three attempts of 3 s are within a function's 10 s.
#[must_use]
pub fn default_mysql_policy() -> Policy {
    Policy {
        attempt: Duration::from_secs(3),
        ..Policy::default()
    }
}

/// How the catalogue is called unless it is told otherwise.
///
/// It answers in milliseconds, or in a second where it has a cold start: 2 s are
/// enough. Three attempts come to 6 s, and with their pauses to no more than
/// what a request leaves to the catalogue (see `pricing`).
#[must_use]
pub fn default_catalogue_policy() -> Policy {
    Policy {
        attempt: Duration::from_secs(2),
        ..Policy::default()
    }
}
