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
