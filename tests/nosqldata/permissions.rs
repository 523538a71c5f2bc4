//! The role of the catalogue allows what it does, and nothing else.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use template::Template;
use testbed::{System, replay, template, wire::Action};

use crate::{
    alarms,
    template::{resources, statements, values},
};

/// The value of an `If` whose condition does not hold, which is the default of those
/// that choose a resource; any other value itself.
fn by_default<'v>(template: &Value, value: &'v Value) -> &'v Value {
    match value.as_array().map(Vec::as_slice) {
        Some([Value::String(condition), _, otherwise])
            if !template["Conditions"][condition].is_null() =>
        {
            otherwise
        }
        _ => value,
    }
}

/// The actions of `DynamoDB` that a role allows, each with its table or index.
fn allowed(template: &Value, role: &Value) -> BTreeSet<Action> {
    let mut allowed = BTreeSet::new();
    for statement in statements(&role["Properties"]) {
        for action in values(&statement["Action"]) {
            let Some(action) = action.strip_prefix("dynamodb:") else {
                continue;
            };
            for resource in values(by_default(template, &statement["Resource"])) {
                allowed.insert((action.to_owned(), resource));
            }
        }
    }
    allowed
}

/// The table or index of a request, as the template's policies name it.
fn named(template: &Template, target: &str) -> String {
    let (table, index) = target
        .split_once('/')
        .map_or((target, None), |(table, index)| (table, Some(index)));
    let mut tables = template.of_type("AWS::DynamoDB::Table").map(|(id, _)| id);
    let id = tables.find(|id| table.ends_with(&format!("-{}", template::table_name(id))));
    let id = id.unwrap_or_else(|| panic!("{table} is not a table of the template"));
    match index {
        Some(index) => format!("${{{id}.Arn}}/{index}"),
        None => format!("{id}.Arn"),
    }
}

/// The requests are the events, and a request repeated with its idempotency key.
#[tokio::test]
async fn catalogue_role_allows_exactly_the_actions_in_use() {
    let system = System::with_samples().await;
    for event in replay::events("nosqldata") {
        let response = system.invoke("nosqldata", &event).await;
        // Every JSON Web Token begins like this.
        let authorization = event["headers"]["authorization"].as_str();
        let has_token = authorization.is_some_and(|it| it.starts_with("Bearer eyJ"));
        assert!(
            !has_token || response["statusCode"] != 401,
            "{event}: {response}"
        );
    }
    let product = json!({
        "name": "Pot", "category": "coffee", "price": { "amount": 1, "currency": "DKK" },
    });
    for _ in 0..2 {
        let response = system
            .client
            .post_once("/nosqldata", "key-1", &product)
            .await;
        response.expect(201);
    }

    let described = alarms::template();
    let mut functions = described.functions();
    let catalogue = functions.find(|it| it.binary == "nosqldata").unwrap();
    let own: Vec<_> = catalogue.tables().into_values().collect();
    let used = system.dynamodb.actions().into_iter();
    let used: BTreeSet<_> = used
        .map(|(action, target)| (action, named(&described, &target)))
        // Other functions check their own tables when they start.
        .filter(|(_, resource)| own.iter().any(|table| resource.contains(table)))
        .collect();
    let template = template();
    let resources = resources(&template);
    let allowed = allowed(&template, resources["NosqldataRole"]);
    assert_eq!(
        used, allowed,
        "left: the actions that nosqldata used, right: those that NosqldataRole allows"
    );
}
