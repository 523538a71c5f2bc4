//! Every function that answers HTTP requests: the one list that links them all.
//!
//! Its names, paths and variables come from `template.yaml`. The tests run the
//! functions from here, and the OpenAPI document is theirs.

use std::sync::LazyLock;

use anyhow::{Context, Result, anyhow};
use chassis::{Environment, auth::Authenticator, http::Service, outbound::Policy};
use template::{Function, Local, Template};

/// The project's template.
static TEMPLATE: LazyLock<Result<Template>> = LazyLock::new(|| Template::read(&template::path()));

/// The functions, in alphabetical order.
///
/// # Errors
///
/// The template cannot be read.
pub fn functions() -> Result<Vec<Function<'static>>> {
    let template = TEMPLATE.as_ref().map_err(|error| anyhow!("{error:#}"))?;
    Ok(template.answering())
}

/// A function as it starts.
pub struct Started {
    /// Its routes.
    pub service: Service,
    /// The names of the variables of its environment that it has read.
    pub variables: Vec<&'static str>,
}

/// Starts a function with the variables of the template, for this machine.
/// `policy` replaces the policy of its calls, if it is one.
///
/// # Errors
///
/// It does not accept its configuration, or it is not in the list.
pub async fn start(
    function: Function<'_>,
    local: &Local,
    policy: Option<&Policy>,
) -> Result<Started> {
    let mut environment = Environment::of(function.local_variables(local));
    let service = service(function.binary, &mut environment, policy).await;
    let service = service.with_context(|| match environment.errors() {
        [] => format!("{} is not in xtask/bundle/src/lib.rs", function.binary),
        errors => format!("{}: {}", function.binary, errors.join("; ")),
    })?;
    Ok(Started {
        service,
        variables: environment.variables().to_vec(),
    })
}

/// The list: how each function starts, as in its `main`.
#[allow(unused_variables, reason = "without a store there is no policy")]
async fn service(
    name: &str,
    environment: &mut Environment,
    policy: Option<&Policy>,
) -> Option<Service> {
    Some(match name {
        "docs" => docs::router().into_service(),
        "health" => {
            let config = health::Config::read(environment)?;
            let authenticator = Authenticator::open(config.auth.clone()).await;
            health::router(config, authenticator).into_service()
        }
        "hello" => hello::router().into_service(),
        "mysqldata" => {
            let mut config = mysqldata::Config::read(environment)?;
            if let Some(policy) = policy {
                config.mysql.policy = policy.clone();
                config.catalogue_policy = policy.clone();
            }
            let authenticator = Authenticator::open(config.auth.clone()).await;
            mysqldata::router(mysqldata::App::open(config).await, authenticator).into_service()
        }
        "nosqldata" => {
            let mut config = nosqldata::Config::read(environment)?;
            if let Some(policy) = policy {
                config.dynamodb.policy = policy.clone();
            }
            let authenticator = Authenticator::open(config.auth.clone()).await;
            let catalogue = nosqldata::Catalogue::open(config).await;
            nosqldata::router(catalogue, authenticator).into_service()
        }
        "oscheck" => oscheck::router().into_service(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_in_alphabetical_order_and_have_paths() {
        let functions = functions().unwrap();
        assert!(functions.is_sorted_by_key(|it| it.binary));
        assert!(functions.iter().all(|it| !it.paths().is_empty()));
    }
}
