//! What the functions are told by their environment when they run here.

use std::env;

use crate::{
    project::{HEALTH, Project},
    stores::Urls,
};

/// The tables of the catalogue, as `stores` names them.
const PRODUCTS_TABLE: &str = "products";
const IDEMPOTENCY_TABLE: &str = "idempotency-keys";

/// The environment of every function. `own_dynamodb`: the store was not
/// started here, so that the caller's own credentials may be for it.
pub fn of_the_functions(
    project: &Project,
    api: &str,
    urls: &Urls,
    own_dynamodb: bool,
) -> Vec<(&'static str, String)> {
    let aws = |name: &str, local: &str| {
        (env::var(name).ok())
            .filter(|value| own_dynamodb && !value.is_empty())
            .unwrap_or_else(|| local.to_owned())
    };
    let asked: Vec<_> = project.functions().filter(|&it| it != HEALTH).collect();
    vec![
        ("API_URL", api.to_owned()),
        ("FUNCTIONS", asked.join(",")),
        ("PRODUCTS_TABLE", PRODUCTS_TABLE.to_owned()),
        ("IDEMPOTENCY_TABLE", IDEMPOTENCY_TABLE.to_owned()),
        ("MYSQL_URL", urls.mysql.clone()),
        // What the template says of these two is for RDS.
        ("MYSQL_TLS", String::new()),
        ("MYSQL_SIGN_IN", String::new()),
        ("AWS_ENDPOINT_URL_DYNAMODB", urls.dynamodb.clone()),
        ("AWS_REGION", aws("AWS_REGION", "eu-north-1")),
        ("AWS_ACCESS_KEY_ID", aws("AWS_ACCESS_KEY_ID", "local")),
        (
            "AWS_SECRET_ACCESS_KEY",
            aws("AWS_SECRET_ACCESS_KEY", "local"),
        ),
    ]
}
