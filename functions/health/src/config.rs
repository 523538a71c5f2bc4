//! The configuration from the environment.

use chassis::{Environment, auth};
use http::Uri;

/// The function's configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// The base URL of the API; where it is `None`, that of each request.
    pub api: Option<Uri>,
    /// The names of the functions to check.
    pub functions: Vec<String>,
    /// Whose tokens are accepted; `None` if no keys are configured.
    pub auth: Option<auth::Config>,
}

impl Config {
    /// Reads it; `None` if a variable is missing or malformed.
    pub fn read(environment: &mut Environment) -> Option<Self> {
        let api = environment.api_url();
        let functions = environment.required(
            "FUNCTIONS",
            "the names of the functions to check, separated by commas, such as hello,docs",
            parse_names,
        );
        let auth = auth::Config::read(environment);
        Some(Self {
            api: api?,
            functions: functions?,
            auth: auth?,
        })
    }
}

fn parse_names(list: &str) -> Result<Vec<String>, String> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    let names = list.split(',').map(str::trim).map(|name| {
        if !name.is_empty() && name.bytes().all(allowed) {
            Ok(name.to_owned())
        } else {
            Err(format!("\"{name}\" is not the name of a function"))
        }
    });
    names.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_separated_by_commas() {
        assert_eq!(parse_names("hello, docs").unwrap(), ["hello", "docs"]);
        assert!(parse_names("hello,").is_err() && parse_names("a/b").is_err());
    }
}
