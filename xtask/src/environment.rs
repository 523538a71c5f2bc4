//! The environment variables of the functions on this machine.

use std::env;

use anyhow::Result;

use crate::{
    project::{HEALTH, Project},
    stores::Urls,
};

/// The variables of every function. `own_dynamodb`: the store was not started
/// here, so the credentials and the region are the user's own.
pub fn of_functions(
    project: &Project,
    api: &str,
    urls: &Urls,
    own_dynamodb: bool,
) -> Result<Vec<(&'static str, String)>> {
    let aws = |name: &'static str, local: &str| {
        let own = env::var(name)
            .ok()
            .filter(|it| own_dynamodb && !it.is_empty());
        (name, own.unwrap_or_else(|| local.to_owned()))
    };
    let checked: Vec<_> = project.functions().filter(|&it| it != HEALTH).collect();
    let mut variables = tokens::environment(&[project.signing_key()?.jwk()]);
    variables.extend([
        ("API_URL", api.to_owned()),
        ("FUNCTIONS", checked.join(",")),
        // As `stores` names them.
        ("PRODUCTS_TABLE", "products".to_owned()),
        ("IDEMPOTENCY_TABLE", "idempotency-keys".to_owned()),
        ("MYSQL_URL", urls.mysql.clone()),
        // In the template these two have values for RDS.
        ("MYSQL_TLS", String::new()),
        ("MYSQL_SIGN_IN", String::new()),
        ("AWS_ENDPOINT_URL_DYNAMODB", urls.dynamodb.clone()),
        aws("AWS_REGION", "eu-north-1"),
        aws("AWS_ACCESS_KEY_ID", "local"),
        aws("AWS_SECRET_ACCESS_KEY", "local"),
    ]);
    Ok(variables)
}
