//! What the function reads from its environment.

use chassis::{
    client::parse_api_url,
    config::{Environment, Variable},
};
use http::Uri;

/// Where the other functions are.
pub const API_URL: Variable = Variable {
    name: "API_URL",
    what: "the base URL of the API, such as https://api.example.com, or empty for the API that \
           a request came in through",
};

/// Whom it asks.
pub const FUNCTIONS: Variable = Variable {
    name: "FUNCTIONS",
    what: "the names of the functions to ask, separated by commas, such as hello,oscheck",
};

/// Every variable that the function reads.
pub const VARIABLES: &[Variable] = &[API_URL, FUNCTIONS];

/// The function's configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// The base URL of the API, where it is told.
    pub api: Option<Uri>,
    /// The functions to ask.
    pub functions: Vec<String>,
}

impl Config {
    /// Reads it; `None` where a variable is missing or malformed.
    pub fn read(environment: &mut Environment) -> Option<Self> {
        let api = environment.optional(API_URL, parse_api_url);
        let functions = environment.required(FUNCTIONS, names);
        Some(Self {
            api: api?,
            functions: functions?,
        })
    }
}

fn names(list: &str) -> Result<Vec<String>, String> {
    let inside = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    list.split(',')
        .map(str::trim)
        .map(|name| match name {
            "" => Err("a name is empty".to_owned()),
            _ if name.bytes().all(inside) => Ok(name.to_owned()),
            _ => Err(format!("{name} is no name of a function")),
        })
        .collect()
}
