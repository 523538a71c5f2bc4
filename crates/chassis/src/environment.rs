//! Configuration from the environment: typed, with every error reported.

use std::{env::VarError, ffi::OsString, fmt::Display};

/// The credentials of the function's role, and its region. They do not change
/// while the process lives. They are secret, so they have no `Debug`.
#[derive(Clone)]
pub struct Role {
    /// The region.
    pub region: String,
    /// The id of the access key.
    pub access_key_id: String,
    /// The secret of the access key.
    pub secret_access_key: String,
    /// The session token of temporary credentials.
    pub session_token: Option<String>,
}

impl Role {
    /// Reads the variables that Lambda sets; `None` if one is missing.
    pub fn read(environment: &mut Environment) -> Option<Self> {
        let region = environment.region();
        let id = environment.platform("AWS_ACCESS_KEY_ID");
        let secret = environment.platform("AWS_SECRET_ACCESS_KEY");
        let session_token = environment.look_up("AWS_SESSION_TOKEN").ok().flatten();
        Some(Self {
            region: region?,
            access_key_id: id?,
            secret_access_key: secret?,
            session_token,
        })
    }
}

/// The environment while it is read. It records which variables were read and
/// what is wrong with them.
#[derive(Debug, Default)]
pub struct Environment {
    /// Replaces the environment of the process.
    variables: Option<Vec<(String, OsString)>>,
    read: Vec<&'static str>,
    errors: Vec<String>,
}

impl Environment {
    /// The environment of the process.
    #[must_use]
    pub fn process() -> Self {
        Self::default()
    }

    /// An environment of these variables.
    pub fn of<N: Into<String>, V: Into<OsString>>(
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let variables = variables.into_iter();
        let variables = variables.map(|(name, value)| (name.into(), value.into()));
        Self {
            variables: Some(variables.collect()),
            ..Self::default()
        }
    }

    /// Reads a variable that must be set. An empty one counts as unset.
    ///
    /// `what` continues the sentence "NAME must be …". Returns `None` if and
    /// only if it has recorded an error.
    pub fn required<T, E: Display>(
        &mut self,
        name: &'static str,
        what: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let value = self.optional(name, what, parse)?;
        if value.is_none() {
            self.errors
                .push(format!("{name} is not set: it must be {what}"));
        }
        value
    }

    /// Reads a variable that may be unset or empty: `Some(None)` if it is,
    /// `None` if and only if it is malformed, which is recorded.
    pub fn optional<T, E: Display>(
        &mut self,
        name: &'static str,
        what: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<Option<T>> {
        self.read.push(name);
        let error = match self.look_up(name) {
            Ok(None) => return Some(None),
            Ok(Some(value)) => match parse(&value) {
                Ok(value) => return Some(Some(value)),
                // The value may be a secret, so it is not repeated.
                Err(error) => error.to_string(),
            },
            Err(error) => error,
        };
        self.errors
            .push(format!("{name} is malformed: it must be {what} ({error})"));
        None
    }

    /// The region that the function runs in. Lambda sets it.
    pub fn region(&mut self) -> Option<String> {
        self.platform("AWS_REGION")
    }

    /// Reads the base URL of the API: `Some(None)` if it is not set. A function then
    /// uses the API that each request came through.
    pub fn api_url(&mut self) -> Option<Option<http::Uri>> {
        self.optional(
            "API_URL",
            "the base URL of the API, such as https://api.example.com, or empty for the API that \
             a request came through",
            parse_url,
        )
    }

    /// Records an error in a combination of variables. `error` is a sentence.
    pub fn reject(&mut self, error: impl Into<String>) {
        self.errors.push(error.into());
    }

    /// The variables that a deployment must declare, in the order they were
    /// read. Those that Lambda sets are not among them.
    #[must_use]
    pub fn variables(&self) -> &[&'static str] {
        &self.read
    }

    /// The errors, a sentence for each variable.
    #[must_use]
    pub fn errors(&self) -> &[String] {
        &self.errors
    }

    /// Takes the errors, for a function that must start in order to report them:
    /// `CloudFormation` waits for the response of a custom resource.
    pub fn take_errors(&mut self) -> Vec<String> {
        std::mem::take(&mut self.errors)
    }

    /// Reads a variable that Lambda sets.
    fn platform(&mut self, name: &'static str) -> Option<String> {
        match self.look_up(name) {
            Ok(Some(value)) => Some(value),
            Ok(None) => {
                self.errors
                    .push(format!("{name} is not set: Lambda sets it"));
                None
            }
            Err(error) => {
                self.errors.push(format!("{name} is malformed ({error})"));
                None
            }
        }
    }

    /// Reads a variable that a deployment need not declare.
    pub(crate) fn look_up(&self, name: &str) -> Result<Option<String>, String> {
        let value = match &self.variables {
            None => std::env::var(name),
            Some(variables) => match variables.iter().find(|(known, _)| known == name) {
                None => Err(VarError::NotPresent),
                Some((_, value)) => value.clone().into_string().map_err(VarError::NotUnicode),
            },
        };
        match value {
            Ok(value) => Ok(Some(value).filter(|value| !value.is_empty())),
            Err(VarError::NotPresent) => Ok(None),
            Err(VarError::NotUnicode(_)) => Err("it is not UTF-8".to_owned()),
        }
    }
}

/// Parses an absolute `http` or `https` URL without a query.
///
/// # Errors
///
/// The defect of a value.
pub fn parse_url(text: &str) -> Result<http::Uri, String> {
    let url: http::Uri = text
        .parse()
        .map_err(|error: http::uri::InvalidUri| error.to_string())?;
    match url.scheme_str() {
        Some("http" | "https") if url.authority().is_some() && url.query().is_none() => Ok(url),
        _ => Err("it is not an http or https URL".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_is_recorded_and_no_value_repeated() {
        let mut environment = Environment::of([("PORT", "secret"), ("NAME", "")]);
        let port = environment.required("PORT", "a number", str::parse::<u16>);
        let name = environment.required("NAME", "a name", str::parse::<String>);
        let host = environment.optional("HOST", "a host", str::parse::<String>);
        environment.reject("PORT and NAME exclude each other");
        assert_eq!((port, name, host), (None, None, Some(None)));
        assert_eq!(
            environment.errors(),
            [
                "PORT is malformed: it must be a number (invalid digit found in string)",
                "NAME is not set: it must be a name",
                "PORT and NAME exclude each other",
            ]
        );
        assert_eq!(environment.variables(), ["PORT", "NAME", "HOST"]);
    }

    #[test]
    fn the_role_is_what_lambda_sets() {
        let set = [("AWS_REGION", "eu-north-1"), ("AWS_ACCESS_KEY_ID", "id")];
        let mut environment = Environment::of(set);
        assert!(Role::read(&mut environment).is_none());
        assert_eq!(
            environment.errors(),
            ["AWS_SECRET_ACCESS_KEY is not set: Lambda sets it"]
        );
        let set = [("AWS_SECRET_ACCESS_KEY", "secret")].into_iter().chain(set);
        let role = Role::read(&mut Environment::of(set)).unwrap();
        assert_eq!(role.session_token, None);
    }

    #[test]
    fn a_url_is_absolute() {
        for good in ["http://127.0.0.1:8000", "https://api.example.com/v1"] {
            assert!(parse_url(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "127.0.0.1:8000",
            "/x",
            "ftp://x",
            "http://",
            "x y",
            "http://x?y",
        ] {
            assert!(parse_url(bad).is_err(), "{bad}");
        }
    }
}
