//! What can go wrong.

use lambda_runtime::Diagnostic;

use crate::{custom_resource::AnswerError, secret::SecretError};

/// Why the database is not up to date, or nobody knows.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The password is not known.
    #[error("the password of the database is not known")]
    Secret(#[from] SecretError),
    /// There is nothing to sign in with.
    #[error("there is nothing to sign in with")]
    SignIn(#[from] rds::TokenError),
    /// The database cannot be reached, or refused.
    #[error("the database refused")]
    Database(#[from] mysql_async::Error),
    /// A migration failed, or one that ran was changed since.
    #[error("a migration failed")]
    Migration(#[from] Box<refinery::Error>),
    /// Another run has the lock and keeps it.
    #[error("another deployment is migrating, and takes too long")]
    Locked,
    /// The function's time is over.
    #[error("it took longer than the function has")]
    Time,
    /// The event is a custom resource's, and lacks something.
    #[error("the event cannot be read")]
    Event(#[from] serde_json::Error),
    /// `CloudFormation` could not be told.
    #[error("CloudFormation could not be told")]
    Answer(#[from] AnswerError),
}

impl Error {
    /// It with all that caused it, but for what an error before has said already.
    #[must_use]
    pub fn chain(&self) -> String {
        let mut told = self.to_string();
        let mut error: &dyn std::error::Error = self;
        while let Some(cause) = error.source() {
            error = cause;
            let cause = cause.to_string();
            if !told.contains(&cause) {
                told = format!("{told}: {cause}");
            }
        }
        told
    }
}

impl From<Error> for Diagnostic {
    fn from(error: Error) -> Self {
        Self {
            error_type: "migrate::Error".to_owned(),
            error_message: error.chain(),
        }
    }
}
