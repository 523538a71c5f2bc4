//! The environment variables of the functions on this machine.

use std::{collections::BTreeMap, env};

use anyhow::{Result, ensure};
use serde::Deserialize;
use template::{LOCAL_ROLE, Local, Template};

use crate::project::Project;

/// The URLs of the stores, as the program `stores` prints them.
#[derive(Clone, Deserialize)]
pub struct Urls {
    pub dynamodb: String,
    /// Empty if no function uses it.
    pub mysql: String,
}

/// The variables of all functions together, as `cargo lambda watch` sets them for
/// each. `own_dynamodb`: the store was not started here, so the credentials and
/// the region are the user's own.
pub fn of_functions(
    project: &Project,
    api: &str,
    urls: &Urls,
    own_dynamodb: bool,
) -> Result<BTreeMap<String, String>> {
    let local = Local {
        api: api.to_owned(),
        dynamodb: urls.dynamodb.clone(),
        mysql: urls.mysql.clone(),
        table_prefix: String::new(),
        auth: tokens::environment(&[project.signing_key()?.jwk()]),
    };
    let mut variables = variables(&Template::read(&template::path())?, &local)?;
    if own_dynamodb {
        let own = LOCAL_ROLE.iter().filter_map(|(name, _)| {
            let value = env::var(name).ok().filter(|it| !it.is_empty())?;
            Some(((*name).to_owned(), value))
        });
        variables.extend(own);
    }
    Ok(variables)
}

fn variables(template: &Template, local: &Local) -> Result<BTreeMap<String, String>> {
    let mut variables = BTreeMap::<String, String>::new();
    for function in template.answering() {
        for (name, value) in function.local_variables(local) {
            let other = variables.insert(name.clone(), value.clone());
            ensure!(
                other.is_none_or(|other| other == value),
                "{name} has several values in template.yaml, and all functions share one \
                 environment on this machine: rename it in one of them"
            );
        }
    }
    Ok(variables)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variable_has_one_value_for_all_functions() {
        let template = Template::read(&template::path()).unwrap();
        variables(&template, &Local::default()).unwrap();
    }
}
