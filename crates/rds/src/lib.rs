//! How a function reaches `MySQL` on RDS: by a URL, over TLS that is verified,
//! and signing in with the function's own role in place of a password.
//!
//! Locally the URL is all there is: a password in it, and no TLS.

mod roots;
mod token;

use std::time::SystemTime;

use aws_credential_types::Credentials;
use chassis::config::{AWS_REGION, Environment, Role, Variable};
use mysql_async::{Opts, OptsBuilder, SslOpts};

pub use token::TokenError;

/// Where the database is.
pub const MYSQL_URL: Variable = Variable {
    name: "MYSQL_URL",
    what: "the URL of the orders' database: mysql://user:password@host:port/database",
};

/// Whom to trust to be the database.
pub const MYSQL_TLS: Variable = Variable {
    name: "MYSQL_TLS",
    what: "rds for TLS by the certificate authorities of RDS in the function's region, the path \
           of a PEM file for TLS by those in it, or empty for what the URL says",
};

/// How to sign in.
pub const MYSQL_SIGN_IN: Variable = Variable {
    name: "MYSQL_SIGN_IN",
    what: "iam to sign in with the function's role, which takes TLS, or empty for the password \
           in the URL",
};

/// A database, and how to sign in to it. It holds secrets, so it has no `Debug`.
#[derive(Clone)]
pub struct Database {
    opts: Opts,
    iam: Option<Iam>,
}

/// Signing in with a role.
#[derive(Clone)]
struct Iam {
    region: String,
    credentials: Credentials,
}

impl Database {
    /// Reads [`MYSQL_URL`], [`MYSQL_TLS`] and [`MYSQL_SIGN_IN`], and what of the
    /// platform's they ask for; `None` where `environment` has found a fault.
    pub fn read(environment: &mut Environment) -> Option<Self> {
        let database = Self::read_with_password(environment);
        // The value is told to be wrong with all that is wrong elsewhere.
        let iam = environment.optional(MYSQL_SIGN_IN, |sign_in| match sign_in {
            "iam" => Ok(()),
            _ => Err("it is neither"),
        });
        let Some(()) = iam? else {
            return database;
        };
        let role = Role::read(environment);
        // A token is sent as it is, so it takes TLS.
        environment.required(MYSQL_TLS, str::parse::<String>)?;
        Some(database?.signing_in_as(role?))
    }

    /// Reads [`MYSQL_URL`] and [`MYSQL_TLS`] alone: the database with the user
    /// and the password of the URL.
    pub fn read_with_password(environment: &mut Environment) -> Option<Self> {
        let opts = environment.required(MYSQL_URL, parse_mysql_url);
        let region = environment.optional(AWS_REGION, str::parse::<String>);
        let region = region?.unwrap_or_default();
        let roots = environment.optional(MYSQL_TLS, |tls| roots::read(tls, &region));
        let database = Self::from(opts?);
        Some(match roots? {
            Some(roots) => database.trusting(roots),
            None => database,
        })
    }

    /// The same database over TLS, where one of the authorities `roots`, as
    /// PEM, says that it is the host of the URL.
    #[must_use]
    pub fn trusting(self, roots: Vec<u8>) -> Self {
        let trusted = SslOpts::default()
            .with_disable_built_in_roots(true)
            .with_root_certs(vec![roots.into()]);
        self.with(|opts| opts.ssl_opts(trusted))
    }

    /// The same database, signing in by tokens of `role`.
    fn signing_in_as(self, role: Role) -> Self {
        let credentials = Credentials::new(
            role.access_key_id,
            role.secret_access_key,
            role.session_token,
            None,
            "environment",
        );
        let iam = Iam {
            region: role.region,
            credentials,
        };
        let database = self.with(|opts| opts.enable_cleartext_plugin(true));
        Self {
            iam: Some(iam),
            ..database
        }
    }

    /// The same database with other settings of its connections.
    #[must_use]
    pub fn with(self, change: impl FnOnce(OptsBuilder) -> OptsBuilder) -> Self {
        Self {
            opts: change(OptsBuilder::from_opts(self.opts)).into(),
            iam: self.iam,
        }
    }

    /// How to open a connection now. A token lasts 15 minutes, and only until a
    /// connection is open: so there is a new one for each, made here without a
    /// call.
    ///
    /// # Errors
    ///
    /// The token cannot be signed.
    pub fn opts(&self) -> Result<Opts, TokenError> {
        let Some(iam) = &self.iam else {
            return Ok(self.opts.clone());
        };
        let token = token::sign(
            self.opts.ip_or_hostname(),
            self.opts.tcp_port(),
            self.opts.user().unwrap_or_default(),
            &iam.region,
            &iam.credentials,
            SystemTime::now(),
        )?;
        Ok(OptsBuilder::from_opts(self.opts.clone())
            .pass(Some(token))
            .into())
    }
}

/// A database that the options say all of.
impl<O: Into<Opts>> From<O> for Database {
    fn from(opts: O) -> Self {
        let opts = opts.into();
        Self { opts, iam: None }
    }
}

/// Reads the URL of a database.
///
/// # Errors
///
/// In words, if it is no `mysql://` URL or names no database.
pub fn parse_mysql_url(text: &str) -> Result<Opts, String> {
    let opts = Opts::from_url(text).map_err(|error| error.to_string())?;
    match opts.db_name() {
        Some(_) => Ok(opts),
        None => Err("it names no database".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mysql_url_names_its_database() {
        assert!(parse_mysql_url("mysql://kea:secret@127.0.0.1:3306/orders").is_ok());
        for bad in [
            "",
            "orders",
            "http://127.0.0.1/orders",
            "mysql://kea:secret@127.0.0.1:3306",
            "mysql://kea:secret@127.0.0.1:port/orders",
        ] {
            let fault = parse_mysql_url(bad).unwrap_err();
            assert!(!fault.contains("secret"), "{fault}");
        }
    }
}
