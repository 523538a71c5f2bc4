//! The stores of a function, found by the resources that its environment names.

use std::collections::{BTreeMap, BTreeSet};

use template::{Resource, Template};

/// A store.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Store {
    /// Its product: `DynamoDB` or `MySQL`.
    pub product: &'static str,
    /// Its logical id in the template.
    pub id: String,
}

/// The stores that this function's environment refers to, each with the variables
/// that do.
#[must_use]
pub fn of<'t>(
    template: &'t Template,
    function: &'t Resource,
) -> BTreeMap<Store, BTreeSet<&'t str>> {
    let mut stores = BTreeMap::<Store, BTreeSet<&str>>::new();
    for (variable, value) in function.environment() {
        for id in template.references(value) {
            for store in behind(template, id) {
                stores.entry(store).or_default().insert(variable);
            }
        }
    }
    stores
}

/// The stores behind a resource: itself, or the targets of a proxy.
fn behind(template: &Template, id: &str) -> Vec<Store> {
    let kind = template.resources.get(id).map(|it| it.kind.as_str());
    let product = match kind {
        Some("AWS::DynamoDB::Table") => "DynamoDB",
        Some("AWS::RDS::DBInstance") => "MySQL",
        Some("AWS::RDS::DBProxy") => {
            let targets = template.of_type("AWS::RDS::DBProxyTargetGroup");
            let targets = targets.map(|(_, group)| template.references(&group.properties));
            let of_this = targets.filter(|targets| targets.contains(id)).flatten();
            let stores = of_this.filter(|target| *target != id);
            return stores.flat_map(|id| behind(template, id)).collect();
        }
        _ => return Vec::new(),
    };
    let id = id.to_owned();
    vec![Store { product, id }]
}
