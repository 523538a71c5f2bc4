//! Configuration from the environment: typed, and every fault told at once.

use std::{env::VarError, fmt::Display};

/// A variable that a function reads. Declared as a constant, so that a test can
/// hold what the code reads against what `template.yaml` sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// What it should be, to continue "NAME must be …".
    pub what: &'static str,
}

/// The region that a function runs in. Lambda sets it, and the three below.
pub const AWS_REGION: Variable = Variable {
    name: "AWS_REGION",
    what: "an AWS region such as eu-north-1",
};

/// The first half of the credentials of a function's role.
const AWS_ACCESS_KEY_ID: Variable = Variable {
    name: "AWS_ACCESS_KEY_ID",
    what: "the id of an access key",
};

/// The second half of them.
const AWS_SECRET_ACCESS_KEY: Variable = Variable {
    name: "AWS_SECRET_ACCESS_KEY",
    what: "the secret of the access key",
};

/// What they come with, because they are temporary.
const AWS_SESSION_TOKEN: Variable = Variable {
    name: "AWS_SESSION_TOKEN",
    what: "the session token of the access key",
};

/// Where a function runs and as whom, which does not change while it lives. It
/// holds a secret, so it has no `Debug`.
#[derive(Clone)]
pub struct Role {
    /// The region.
    pub region: String,
    /// The id of the role's access key.
    pub access_key_id: String,
    /// Its secret.
    pub secret_access_key: String,
    /// What it comes with, because it is temporary.
    pub session_token: Option<String>,
}

impl Role {
    /// Reads it; `None` where a variable of it is missing.
    pub fn read(environment: &mut Environment) -> Option<Self> {
        let region = environment.required(AWS_REGION, str::parse::<String>);
        let id = environment.required(AWS_ACCESS_KEY_ID, str::parse::<String>);
        let secret = environment.required(AWS_SECRET_ACCESS_KEY, str::parse::<String>);
        let token = environment.optional(AWS_SESSION_TOKEN, str::parse::<String>);
        Some(Self {
            region: region?,
            access_key_id: id?,
            secret_access_key: secret?,
            session_token: token?,
        })
    }
}

/// The environment while it is being read.
#[derive(Debug, Default)]
pub struct Environment {
    faults: Vec<String>,
}

impl Environment {
    /// Reads a variable that must be set. An empty one counts as unset: that
    /// is how a deployment says "none".
    pub fn required<T, E: Display>(
        &mut self,
        variable: Variable,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let read = self.optional(variable, parse)?;
        if read.is_none() {
            let Variable { name, what } = variable;
            self.faults
                .push(format!("{name} is not set: it must be {what}"));
        }
        read
    }

    /// Reads a variable that may be unset or empty: `Some(None)` if it is,
    /// `None` if it is there and malformed.
    pub fn optional<T, E: Display>(
        &mut self,
        variable: Variable,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<Option<T>> {
        let Variable { name, what } = variable;
        let fault = match std::env::var(name) {
            Ok(value) if value.is_empty() => return Some(None),
            Err(VarError::NotPresent) => return Some(None),
            Err(VarError::NotUnicode(_)) => "it is not UTF-8".to_owned(),
            Ok(value) => match parse(&value) {
                Ok(value) => return Some(Some(value)),
                // The value may be a secret, so it is not repeated.
                Err(error) => error.to_string(),
            },
        };
        self.faults
            .push(format!("{name} is malformed: it must be {what} ({fault})"));
        None
    }

    /// What was wrong, a sentence for each variable.
    #[must_use]
    pub fn faults(&self) -> &[String] {
        &self.faults
    }
}
