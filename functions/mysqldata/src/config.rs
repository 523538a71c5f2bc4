//! What the function reads from its environment.

use chassis::{
    client::parse_api_url,
    config::{Environment, Variable},
};
use http::Uri;
use mysql_async::Opts;

/// Where the orders are kept.
pub const MYSQL_URL: Variable = Variable {
    name: "MYSQL_URL",
    what: "the URL of the orders' database: mysql://user:password@host:port/database",
};

/// Where the catalogue is.
pub const API_URL: Variable = Variable {
    name: "API_URL",
    what: "the base URL of the API, such as https://api.example.com, or empty for the API that \
           a request came in through",
};

/// Every variable that the function reads.
pub const VARIABLES: &[Variable] = &[MYSQL_URL, API_URL];

/// The function's configuration. It holds a password, so it has no `Debug`.
#[derive(Clone)]
pub struct Config {
    /// The orders' database, and how to sign in to it.
    pub mysql: Opts,
    /// The base URL of the API, where it is told.
    pub api: Option<Uri>,
}

impl Config {
    /// Reads it; `None` where a variable is missing or malformed.
    pub fn read(environment: &mut Environment) -> Option<Self> {
        let mysql = environment.required(MYSQL_URL, parse_mysql_url);
        let api = environment.optional(API_URL, parse_api_url);
        Some(Self {
            mysql: mysql?,
            api: api?,
        })
    }
}

/// Reads the URL of a database.
///
/// # Errors
///
/// In words, if it is no `mysql://` URL or names no database.
pub fn parse_mysql_url(text: &str) -> Result<Opts, String> {
    let opts = Opts::from_url(text).map_err(|error| error.to_string())?;
    match opts.db_name() {
        Some(_) => Ok(opts),
        None => Err("it names no database".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mysql_url_names_its_database() {
        assert!(parse_mysql_url("mysql://kea:secret@127.0.0.1:3306/orders").is_ok());
        for bad in [
            "",
            "orders",
            "http://127.0.0.1/orders",
            "mysql://kea:secret@127.0.0.1:3306",
            "mysql://kea:secret@127.0.0.1:port/orders",
        ] {
            let fault = parse_mysql_url(bad).unwrap_err();
            assert!(!fault.contains("secret"), "{fault}");
        }
    }
}
