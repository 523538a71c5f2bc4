//! What the catalogue reads from its environment.

use std::time::Duration;

use aws_sdk_dynamodb::config::{Credentials, Region};
use chassis::{
    config::{Environment, Role, Variable},
    resilience::Policy,
};
use http::Uri;

/// The table of the products.
pub const PRODUCTS_TABLE: Variable = Variable {
    name: "PRODUCTS_TABLE",
    what: "the name of the products' DynamoDB table",
};

/// The table of the keys of what is to be done once.
pub const IDEMPOTENCY_TABLE: Variable = Variable {
    name: "IDEMPOTENCY_TABLE",
    what: "the name of the idempotency keys' DynamoDB table",
};

/// How `DynamoDB` is called, where that differs from [`default_policy`].
pub const DYNAMODB_POLICY: Variable = Variable {
    name: "DYNAMODB_POLICY",
    what: "settings such as attempt=500ms retries=1, or empty",
};

/// Where `DynamoDB` is, if not where AWS has it.
pub const AWS_ENDPOINT_URL_DYNAMODB: Variable = Variable {
    name: "AWS_ENDPOINT_URL_DYNAMODB",
    what: "the http or https URL of a DynamoDB, or empty for AWS's own",
};

/// The variables that a deployment sets.
pub const VARIABLES: &[Variable] = &[
    PRODUCTS_TABLE,
    IDEMPOTENCY_TABLE,
    DYNAMODB_POLICY,
    AWS_ENDPOINT_URL_DYNAMODB,
];

/// Where the products are, and as whom to ask for them.
#[derive(Debug, Clone)]
pub struct Config {
    /// The name of their table.
    pub table: String,
    /// The name of the table of the keys of what is to be done once.
    pub keys_table: String,
    /// How the store is called.
    pub policy: Policy,
    /// A `DynamoDB` of one's own; AWS's, in `region`, where there is none.
    pub endpoint: Option<Uri>,
    /// The region of the table.
    pub region: Region,
    /// Those of the environment, which do not change while a function lives.
    pub credentials: Credentials,
}

impl Config {
    /// Reads the environment: [`VARIABLES`] and its [`Role`]. Nothing
    /// where `environment` has found a fault.
    pub fn read(environment: &mut Environment) -> Option<Self> {
        let table = environment.required(PRODUCTS_TABLE, str::parse::<String>);
        let keys_table = environment.required(IDEMPOTENCY_TABLE, str::parse::<String>);
        let policy =
            environment.optional(DYNAMODB_POLICY, |changes| default_policy().with(changes));
        let endpoint = environment.optional(AWS_ENDPOINT_URL_DYNAMODB, url);
        let role = Role::read(environment);
        let role = role?;
        Some(Self {
            table: table?,
            keys_table: keys_table?,
            policy: policy?.unwrap_or_else(default_policy),
            endpoint: endpoint?,
            region: Region::new(role.region),
            credentials: Credentials::new(
                role.access_key_id,
                role.secret_access_key,
                role.session_token,
                None,
                "environment",
            ),
        })
    }
}

/// How `DynamoDB` is called unless told otherwise: as any dependency, and with
/// less patience.
#[must_use]
pub fn default_policy() -> Policy {
    Policy {
        // The packet that opens a connection is sent again after a second, if it
        // was lost; a new connection is sooner.
        connect: Duration::from_millis(500),
        // It answers in milliseconds and never from a cold start. Callers give
        // the catalogue itself some 2 s: a second attempt has to fit in.
        attempt: Duration::from_secs(1),
        ..Policy::default()
    }
}

fn url(value: &str) -> Result<Uri, String> {
    let url: Uri = value
        .parse()
        .map_err(|error: http::uri::InvalidUri| error.to_string())?;
    match url.scheme_str() {
        Some("http" | "https") if url.authority().is_some() => Ok(url),
        _ => Err("it is not an http or https URL".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_an_http_or_https_url() {
        for good in ["http://127.0.0.1:8000", "https://dynamodb.example/"] {
            assert!(url(good).is_ok(), "{good}");
        }
        for bad in ["127.0.0.1:8000", "/x", "ftp://x", "http://", "x y"] {
            assert!(url(bad).is_err(), "{bad}");
        }
    }
}
