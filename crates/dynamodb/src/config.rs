//! The configuration of the client.

use std::time::Duration;

use chassis::{
    Environment,
    environment::{Role, parse_url},
    outbound::Policy,
};
use http::Uri;

/// Which `DynamoDB` is called, by which role, and how.
#[derive(Clone)]
pub struct Config {
    /// The endpoint; `None` for AWS's own in the role's region.
    pub endpoint: Option<Uri>,
    /// The role that signs the requests.
    pub role: Role,
    /// The policy of its calls.
    pub policy: Policy,
}

impl Config {
    /// Reads `AWS_ENDPOINT_URL_DYNAMODB` and the function's [`Role`].
    ///
    /// Returns `None` if and only if it has recorded an error.
    pub fn read(environment: &mut Environment) -> Option<Self> {
        let what = "the http or https URL of a DynamoDB endpoint, or empty for that of AWS";
        let endpoint = environment.optional("AWS_ENDPOINT_URL_DYNAMODB", what, parse_url);
        let role = Role::read(environment);
        Some(Self {
            endpoint: endpoint?,
            role: role?,
            policy: default_policy(),
        })
    }
}

#[cfg(test)]
impl Config {
    /// A server of a test at this URL.
    pub(crate) fn local(endpoint: &str) -> Self {
        Self {
            endpoint: Some(endpoint.parse().unwrap()),
            role: Role {
                region: "eu-north-1".to_owned(),
                access_key_id: "id".to_owned(),
                secret_access_key: "secret".to_owned(),
                session_token: None,
            },
            policy: default_policy(),
        }
    }
}

/// The policy of calls to `DynamoDB`: shorter timeouts than [`Policy::default`].
pub(crate) fn default_policy() -> Policy {
    Policy {
        // A lost packet that opens a connection is sent again after a second; a
        // new connection is faster.
        connect: Duration::from_millis(500),
        // It responds in milliseconds and has no cold start. Callers grant a
        // service about 2 s, which must suffice for a second attempt.
        attempt: Duration::from_secs(1),
        ..Policy::default()
    }
}
