//! The function's errors.

use chassis::{error_chain, outbound::SendError};
use lambda_runtime::Diagnostic;

use crate::secret::SecretError;

/// Why the database is not migrated, or the result is not reported.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Variables are missing or malformed.
    #[error("the configuration is wrong: {0}")]
    Configuration(String),
    /// The secret cannot be read.
    #[error("the password of the database is unknown")]
    Secret(#[from] SecretError),
    /// The database cannot be reached, or reported an error.
    #[error("the database failed")]
    Database(#[from] mysql_async::Error),
    /// A migration failed, or was changed after it had been applied.
    #[error("a migration failed")]
    Migration(#[from] Box<refinery::Error>),
    /// Another run holds the lock.
    #[error("another deployment is migrating and has not finished in time")]
    Locked,
    /// The function's time ran out.
    #[error("the migration took longer than the function has")]
    Timeout,
    /// The event of a custom resource is malformed.
    #[error("the event cannot be read")]
    Event(#[from] serde_json::Error),
    /// The response did not reach `CloudFormation`.
    #[error("CloudFormation did not accept the response")]
    Response(#[from] ResponseError),
}

/// Why the response was not sent.
#[derive(Debug, thiserror::Error)]
pub enum ResponseError {
    /// The response cannot be written as JSON.
    #[error("the response cannot be written")]
    Json(#[from] serde_json::Error),
    /// The URL is malformed.
    #[error("the URL of the response is malformed")]
    Url(#[from] http::uri::InvalidUri),
    /// There is no reply.
    #[error("the response cannot be sent")]
    Send(#[from] SendError),
    /// There was no reply in time.
    #[error("there was no reply in time")]
    Elapsed(#[from] tokio::time::error::Elapsed),
    /// The response was refused.
    #[error("the reply was {0}")]
    Status(http::StatusCode),
}

impl From<Error> for Diagnostic {
    fn from(error: Error) -> Self {
        Self {
            error_type: "migrate::Error".to_owned(),
            error_message: error_chain(&error),
        }
    }
}
