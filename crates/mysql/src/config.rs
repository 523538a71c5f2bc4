//! The configuration of a database: where it is, whom to trust, how to sign in.

use std::{str::FromStr, time::Duration};

use chassis::{
    Environment,
    environment::Role,
    outbound::{Policy, aws::presign},
};
use dto::Timestamp;
use mysql_async::{Opts, OptsBuilder, SslOpts};

use crate::roots;

/// The lifetime of a token: the longest that RDS accepts.
const TOKEN_LIFETIME: Duration = Duration::from_mins(15);

/// The address of a database, its credentials and the policy of its calls. It has
/// secrets, so it has no `Debug`.
#[derive(Clone)]
pub struct Config {
    /// The policy of its calls.
    pub policy: Policy,
    opts: Opts,
    role: Option<Role>,
}

/// The trusted certificate authorities.
enum Tls {
    /// The certificate authorities of RDS in the function's region.
    Rds,
    /// These certificate authorities, as PEM.
    Pem(Vec<u8>),
}

impl Config {
    /// Reads `MYSQL_URL`, `MYSQL_TLS` and `MYSQL_SIGN_IN`; `None` if
    /// `environment` has recorded an error.
    pub fn read(environment: &mut Environment) -> Option<Self> {
        let config = Self::read_with_password(environment);
        let sign_in = environment.optional(
            "MYSQL_SIGN_IN",
            "iam to sign in with the function's role, which requires TLS, or empty for the \
             password in the URL",
            |sign_in| match sign_in {
                "iam" => Ok(()),
                _ => Err("it is neither iam nor empty"),
            },
        );
        let Some(()) = sign_in? else {
            return config;
        };
        let role = Role::read(environment);
        let config = config?;
        if config.opts.ssl_opts().is_none() {
            environment.reject(
                "MYSQL_TLS is not set: signing in with the function's role requires TLS, because \
                 the token is sent in clear text",
            );
            return None;
        }
        Some(config.with_role(role?))
    }

    /// Reads `MYSQL_URL` and `MYSQL_TLS` only: the database with the user and the
    /// password of the URL.
    pub fn read_with_password(environment: &mut Environment) -> Option<Self> {
        let config = environment.required(
            "MYSQL_URL",
            "the URL of the database: mysql://user:password@host:port/database",
            str::parse::<Self>,
        );
        let tls = environment.optional(
            "MYSQL_TLS",
            "rds for TLS with the certificate authorities of RDS in the function's region, the \
             path of a PEM file for TLS with those in it, or empty for the setting in the URL",
            |tls| match tls {
                "rds" => Ok(Tls::Rds),
                path => roots::read(path).map(Tls::Pem),
            },
        );
        let roots = match tls? {
            None => return config,
            Some(Tls::Pem(roots)) => roots,
            Some(Tls::Rds) => match roots::of_region(&environment.region()?) {
                Ok(roots) => roots,
                Err(error) => {
                    environment.reject(format!("MYSQL_TLS is rds, but {error}"));
                    return None;
                }
            },
        };
        Some(config?.trusting(roots))
    }

    /// The same database over TLS: one of the certificate authorities `roots`,
    /// as PEM, must have issued the certificate of its host.
    #[must_use]
    pub fn trusting(self, roots: Vec<u8>) -> Self {
        let tls = SslOpts::default()
            .with_disable_built_in_roots(true)
            .with_root_certs(vec![roots.into()]);
        self.with(|opts| opts.ssl_opts(tls))
    }

    /// The same database, signing in with tokens of `role`.
    fn with_role(self, role: Role) -> Self {
        let config = self.with(|opts| opts.enable_cleartext_plugin(true));
        Self {
            role: Some(role),
            ..config
        }
    }

    /// The same database with other settings of its connections.
    #[must_use]
    pub fn with(self, change: impl FnOnce(OptsBuilder) -> OptsBuilder) -> Self {
        Self {
            opts: change(OptsBuilder::from_opts(self.opts)).into(),
            ..self
        }
    }

    /// The settings of a connection that is opened now. A token expires, so each
    /// connection gets a new one; no call is made for it.
    #[must_use]
    pub fn opts(&self) -> Opts {
        let Some(role) = &self.role else {
            return self.opts.clone();
        };
        let token = sign_token(
            role,
            self.opts.ip_or_hostname(),
            self.opts.tcp_port(),
            self.opts.user().unwrap_or_default(),
            Timestamp::now(),
        );
        let opts = OptsBuilder::from_opts(self.opts.clone());
        opts.pass(Some(token)).into()
    }
}

/// A token of `role`, which signs in as a password: a presigned request to connect, as
/// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.IAMDBAuth.Connecting.html>
/// describes it.
fn sign_token(role: &Role, host: &str, port: u16, user: &str, now: Timestamp) -> String {
    let host = format!("{host}:{port}");
    let parameters = [("Action", "connect"), ("DBUser", user)];
    presign(role, "rds-db", &host, &parameters, TOKEN_LIFETIME, now)
}

/// The default policy of calls to a database.
///
/// A statement waits up to 2 s for a lock, which is no failure of the database, so
/// an attempt must last longer. Three attempts of 3 s fit into a function's 10 s, and
/// the window has room for as many as open the breaker, one after the other.
#[must_use]
pub fn default_policy() -> Policy {
    Policy {
        attempt: Duration::from_secs(3),
        window: Duration::from_secs(20),
        ..Policy::default()
    }
}

/// Parses a `mysql://` URL that names a database.
impl FromStr for Config {
    type Err = String;

    fn from_str(url: &str) -> Result<Self, String> {
        let opts = Opts::from_url(url).map_err(|error| error.to_string())?;
        match opts.db_name() {
            Some(_) => Ok(Self {
                policy: default_policy(),
                opts,
                role: None,
            }),
            None => Err("it names no database".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const URL: (&str, &str) = ("MYSQL_URL", "mysql://kea:secret@127.0.0.1:3306/orders");

    fn errors_of(variables: &[(&str, &str)]) -> Vec<String> {
        let mut environment = Environment::of(variables.iter().copied());
        let config = Config::read(&mut environment);
        assert_eq!(config.is_none(), !environment.errors().is_empty());
        environment.errors().to_vec()
    }

    #[test]
    fn attempts_that_time_out_open_the_breaker() {
        let policy = default_policy();
        assert!(policy.attempt * policy.min_attempts < policy.window);
    }

    #[test]
    fn a_url_names_its_database() {
        assert!(URL.1.parse::<Config>().is_ok());
        for bad in [
            "",
            "orders",
            "http://127.0.0.1/orders",
            "mysql://kea:secret@127.0.0.1:3306",
            "mysql://kea:secret@127.0.0.1:port/orders",
        ] {
            let error = bad.parse::<Config>().err().unwrap();
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn a_role_signs_in_over_tls_only() {
        let role = [
            ("AWS_REGION", "eu-north-1"),
            ("AWS_ACCESS_KEY_ID", "id"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("MYSQL_SIGN_IN", "iam"),
            URL,
        ];
        assert!(errors_of(&role)[0].starts_with("MYSQL_TLS is not set"));
        let over_tls = [&role[..], &[("MYSQL_TLS", "rds")]].concat();
        assert!(errors_of(&over_tls).is_empty());
        let config = Config::read(&mut Environment::of(over_tls)).unwrap();
        let token = config.opts().pass().map(str::to_owned);
        assert!(token.unwrap().contains("X-Amz-Signature="));
    }

    #[test]
    fn the_authorities_of_rds_depend_on_the_region() {
        assert!(errors_of(&[URL]).is_empty());
        let tls = [URL, ("MYSQL_TLS", "rds")];
        assert_eq!(errors_of(&tls), ["AWS_REGION is not set: Lambda sets it"]);
        let unknown = [&tls[..], &[("AWS_REGION", "mars-north-1")]].concat();
        assert!(errors_of(&unknown)[0].contains("mars-north-1"));
    }

    /// The same as boto3's `generate_db_auth_token` returns, whose parameters are
    /// in another order.
    #[test]
    fn a_token_equals_that_of_other_sdks() {
        let role = Role {
            region: "eu-north-1".to_owned(),
            access_key_id: "AKIDEXAMPLE".to_owned(),
            secret_access_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned(),
            session_token: Some("a/session+token==".to_owned()),
        };
        let at = Timestamp::parse_time_or_date("2026-11-23T01:07:00Z").unwrap();
        let host = "db.abc.eu-north-1.rds.amazonaws.com";
        let token = sign_token(&role, host, 3306, "orders", at);
        let (address, query) = token.split_once('?').unwrap();
        assert_eq!(address, "db.abc.eu-north-1.rds.amazonaws.com:3306/");
        let expected = BTreeSet::from([
            "Action=connect",
            "DBUser=orders",
            "X-Amz-Algorithm=AWS4-HMAC-SHA256",
            "X-Amz-Credential=AKIDEXAMPLE%2F20261123%2Feu-north-1%2Frds-db%2Faws4_request",
            "X-Amz-Date=20261123T010700Z",
            "X-Amz-Expires=900",
            "X-Amz-Security-Token=a%2Fsession%2Btoken%3D%3D",
            "X-Amz-Signature=8110ac030299b085d450206d6a4a7e760c7d12f6a9ea1d0d7285db3ba45b609b",
            "X-Amz-SignedHeaders=host",
        ]);
        assert_eq!(query.split('&').collect::<BTreeSet<_>>(), expected);
    }
}
