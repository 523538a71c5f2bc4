//! The secret in which RDS stores and rotates the password of the first user.

use std::time::Duration;

use chassis::{
    environment::Role,
    outbound::{
        SendError,
        aws::{Api, Protocol},
    },
};
use http::{StatusCode, Uri};
use serde::Deserialize;
use serde_json::json;
use tokio::time::{error::Elapsed, sleep, timeout};

/// How Secrets Manager is called.
const PROTOCOL: Protocol = Protocol {
    service: "secretsmanager",
    target: "secretsmanager",
    media_type: "application/x-amz-json-1.1",
};

/// The longest that opening a connection may take.
const CONNECT: Duration = Duration::from_secs(2);

/// The longest that an attempt may take.
const ATTEMPT: Duration = Duration::from_secs(5);

/// The pauses between the attempts.
const PAUSES: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(1)];

/// A secret. It is read once per event, because RDS rotates it.
#[derive(Clone)]
pub struct Secret {
    api: Api,
    arn: String,
}

/// The content of the secret, as RDS writes it.
#[derive(Deserialize)]
pub(crate) struct Login {
    /// The user.
    pub username: String,
    /// Its password.
    pub password: String,
}

/// Why the secret is unknown.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// There is no response.
    #[error("Secrets Manager cannot be reached")]
    Call(#[from] SendError),
    /// There was no response in time.
    #[error("Secrets Manager did not respond in time")]
    Elapsed(#[from] Elapsed),
    /// The response is an error.
    #[error("Secrets Manager responded with {status} {code}")]
    Refused {
        /// Its status.
        status: StatusCode,
        /// Its code, such as `ResourceNotFoundException`.
        code: String,
    },
    /// It is not the secret of a database.
    #[error("the secret is not the JSON that RDS writes")]
    Unreadable,
}

/// The response of `GetSecretValue`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SecretValue {
    secret_string: String,
}

/// An error of the API.
#[derive(Deserialize)]
struct Refusal {
    #[serde(rename = "__type")]
    code: String,
}

impl Secret {
    /// The secret with this ARN. The endpoint of AWS is called over IPv6 or IPv4:
    /// the function's subnets have a route out for IPv6 only.
    #[must_use]
    pub fn new(arn: String, role: Role, endpoint: Option<Uri>) -> Self {
        let host = format!("secretsmanager.{}.api.aws", role.region);
        let api = Api::new(PROTOCOL, endpoint, &host, role, CONNECT);
        Self { api, arn }
    }

    /// Reads the secret, in at most three attempts.
    pub(crate) async fn read(&self) -> Result<Login, SecretError> {
        for pause in PAUSES {
            match self.attempt().await {
                Err(error) if error.is_transient() => sleep(pause).await,
                result => return result,
            }
        }
        self.attempt().await
    }

    async fn attempt(&self) -> Result<Login, SecretError> {
        let request = json!({ "SecretId": self.arn }).to_string();
        let call = self.api.call("GetSecretValue", request.into());
        let (head, body) = timeout(ATTEMPT, call).await??.into_parts();
        if !head.status.is_success() {
            let refusal = serde_json::from_slice::<Refusal>(&body);
            return Err(SecretError::Refused {
                status: head.status,
                code: refusal.map_or_else(|_| String::new(), |refusal| refusal.code),
            });
        }
        // The errors of serde may contain the secret.
        let value = serde_json::from_slice::<SecretValue>(&body);
        let text = value.map_err(|_| SecretError::Unreadable)?.secret_string;
        serde_json::from_str(&text).map_err(|_| SecretError::Unreadable)
    }
}

impl SecretError {
    /// Whether another attempt may succeed.
    fn is_transient(&self) -> bool {
        match self {
            Self::Call(_) | Self::Elapsed(_) => true,
            Self::Refused { status, code } => {
                status.is_server_error() || code.ends_with("ThrottlingException")
            }
            Self::Unreadable => false,
        }
    }
}
