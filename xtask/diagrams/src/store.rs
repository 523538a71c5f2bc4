//! The stores that functions depend on, found by what their environment names.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use template::{Resource, Template};

/// A store, as one function sees it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Store {
    /// What it is: `DynamoDB`, `MySQL`.
    pub product: String,
    /// Its logical id in the template: of a resource, or of the parameter that
    /// says where it is.
    pub id: String,
    /// Whether the template makes it, rather than being told where it is.
    pub made: bool,
}

/// The stores that this function's environment leads to, and the variables that
/// do.
#[must_use]
pub fn of<'t>(
    template: &'t Template,
    function: &'t Resource,
) -> BTreeMap<Store, BTreeSet<&'t str>> {
    let mut stores = BTreeMap::<Store, BTreeSet<&str>>::new();
    for (variable, value) in function.environment() {
        for id in template.references(value) {
            for store in behind(template, id, &mut BTreeSet::new()) {
                stores.entry(store).or_default().insert(variable);
            }
        }
    }
    // Where the template makes it or is told where it is, it is one and the same.
    let made: BTreeSet<_> = stores
        .keys()
        .filter(|it| it.made)
        .map(|it| it.product.clone())
        .collect();
    stores.retain(|store, _| store.made || !made.contains(&store.product));
    stores
}

/// The stores behind a resource or a parameter: itself, or what it leads to as
/// a proxy or a secret does.
fn behind(template: &Template, id: &str, seen: &mut BTreeSet<String>) -> BTreeSet<Store> {
    if !seen.insert(id.to_owned()) {
        return BTreeSet::new();
    }
    let store = |product: &str, made| {
        BTreeSet::from([Store {
            product: product.to_owned(),
            id: id.to_owned(),
            made,
        }])
    };
    let Some(resource) = template.resources.get(id) else {
        let parameter = template.parameters.get(id);
        // An address that nobody may see has a password in it.
        let is_secret = parameter.and_then(|it| it.get("NoEcho")) == Some(&Value::Bool(true));
        return match id.strip_suffix("Url") {
            Some(product) if is_secret => store(&spelt(product), false),
            _ => BTreeSet::new(),
        };
    };
    match resource.kind.as_str() {
        "AWS::DynamoDB::Table" => store("DynamoDB", true),
        "AWS::RDS::DBInstance" | "AWS::RDS::DBCluster" => {
            store(&spelt(resource.text("Engine").unwrap_or("SQL")), true)
        }
        "AWS::RDS::DBProxy" | "AWS::RDS::DBProxyTargetGroup" | "AWS::SecretsManager::Secret" => {
            let led_to = template.references(&resource.properties);
            // What ties a proxy or a secret to a database names both.
            let ties = template
                .resources
                .values()
                .filter(|it| it.kind.ends_with("TargetGroup") || it.kind.ends_with("Attachment"));
            let joined = ties
                .map(|tie| template.references(&tie.properties))
                .filter(|named| named.contains(id))
                .flatten();
            led_to
                .into_iter()
                .chain(joined)
                .flat_map(|id| behind(template, id, seen))
                .collect()
        }
        _ => BTreeSet::new(),
    }
}

/// As its makers write it.
fn spelt(product: &str) -> String {
    match product.to_ascii_lowercase().as_str() {
        "mysql" | "aurora-mysql" => "MySQL".to_owned(),
        "dynamodb" => "DynamoDB".to_owned(),
        "postgres" | "aurora-postgresql" => "PostgreSQL".to_owned(),
        _ => product.to_owned(),
    }
}
