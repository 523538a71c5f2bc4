//! The OpenAPI document: what each function says of itself, put together, with
//! examples that are true.

use std::{collections::BTreeSet, path::PathBuf};

use anyhow::Result;
use serde_json::Value;
use similar::TextDiff;
use utoipa::openapi::{Components, Contact, Info, License, OpenApi, Server};

pub mod breaking;
mod examples;
mod yaml;

const DESCRIPTION: &str = include_str!("description.md");

/// The folder of the project.
#[must_use]
pub fn project() -> PathBuf {
    // This package is two folders below it.
    [env!("CARGO_MANIFEST_DIR"), "..", ".."].iter().collect()
}

/// The document of the whole API.
///
/// # Errors
///
/// The events or their snapshots, which the examples are, cannot be read.
pub fn document() -> Result<OpenApi> {
    // In the order in which a reader meets them.
    let parts = [
        nosqldata::openapi::document(),
        mysqldata::openapi::document(),
        hello::openapi::document(),
        oscheck::openapi::document(),
        health::openapi::document(),
        docs::openapi::document(),
    ];
    let mut info = Info::new("Kea", env!("CARGO_PKG_VERSION"));
    info.description = Some(DESCRIPTION.trim_end().to_owned());
    let mut contact = Contact::new();
    contact.name = Some("The Kea authors".to_owned());
    info.contact = Some(contact);
    let mut license = License::new("MIT or Apache-2.0");
    license.identifier = Some(env!("CARGO_PKG_LICENSE").to_owned());
    info.license = Some(license);

    let mut document = OpenApi::new(info, utoipa::openapi::Paths::new());
    let mut server = Server::new("/");
    server.description = Some("The API that this document comes from.".to_owned());
    document.servers = Some(vec![server]);
    // None of its operations asks who is calling.
    document.security = Some(Vec::new());
    let mut components = Components::new();
    let mut tags = Vec::new();
    for part in parts {
        document.paths.paths.extend(part.paths.paths);
        tags.extend(part.tags.unwrap_or_default());
        let theirs = part.components.unwrap_or_default();
        components.schemas.extend(theirs.schemas);
        components.responses.extend(theirs.responses);
    }
    document.tags = Some(tags);
    document.components = Some(components);
    examples::add(&mut document)?;
    prune(&mut document)?;
    Ok(document)
}

/// The files that hold the document, from the project's folder, and what is in
/// them.
///
/// # Errors
///
/// The document cannot be written, which is a bug.
pub fn files(document: &OpenApi) -> Result<Vec<(String, String)>> {
    let file = |extension| format!("functions/docs/assets/openapi.{extension}");
    Ok(vec![
        (file("json"), document.to_pretty_json()? + "\n"),
        (file("yaml"), yaml::write(document)?),
    ])
}

/// What to say of a file that is not what the code says.
#[must_use]
pub fn stale(file: &str, there: &str, wanted: &str) -> String {
    let difference = TextDiff::from_lines(there, wanted);
    let difference = difference
        .unified_diff()
        .context_radius(3)
        .header("committed", "code")
        .to_string();
    format!("{file} is not what the code says; `cargo xtask openapi` writes it anew:\n{difference}")
}

/// Leaves out the components that nothing refers to.
fn prune(document: &mut OpenApi) -> Result<()> {
    loop {
        let mut referred = BTreeSet::new();
        refs(&serde_json::to_value(&*document)?, &mut referred);
        let Some(components) = &mut document.components else {
            return Ok(());
        };
        let before = components.schemas.len() + components.responses.len();
        components
            .schemas
            .retain(|name, _| referred.contains(&format!("#/components/schemas/{name}")));
        components
            .responses
            .retain(|name, _| referred.contains(&format!("#/components/responses/{name}")));
        if components.schemas.len() + components.responses.len() == before {
            return Ok(());
        }
    }
}

fn refs(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            if let Some(Value::String(reference)) = members.get("$ref") {
                found.insert(reference.clone());
            }
            members.values().for_each(|value| refs(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| refs(value, found)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use std::ops::RangeInclusive;

    use dto::{
        fault::MOST_FAULTS,
        money::MOST_AMOUNT,
        order::{CUSTOMER_LENGTH, MOST_LINES, MOST_QUANTITY},
        product::{CATEGORY_LENGTH, DESCRIPTION_LENGTH, ID_LENGTH, NAME_LENGTH},
    };

    use super::*;

    #[test]
    fn the_committed_document_is_what_the_code_says() {
        for (file, wanted) in files(&document().unwrap()).unwrap() {
            let there = std::fs::read_to_string(project().join(&file)).unwrap();
            assert!(there == wanted, "{}", stale(&file, &there, &wanted));
        }
    }

    #[test]
    fn everything_is_described_and_shown() {
        let document = serde_json::to_value(document().unwrap()).unwrap();
        let mut wrong = Vec::new();
        let mut said = |what: &Value, place: String| {
            if what.as_str().is_none_or(|text| text.trim().is_empty()) {
                wrong.push(place);
            }
        };
        let mut ids = BTreeSet::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                let place = format!("{method} {path}");
                for member in ["summary", "description", "operationId"] {
                    said(&operation[member], format!("{place}: {member}"));
                }
                assert!(
                    ids.insert(operation["operationId"].to_string()),
                    "{place}: its id is another's"
                );
                for parameter in operation["parameters"].as_array().into_iter().flatten() {
                    said(
                        &parameter["description"],
                        format!("{place}: {}", parameter["name"]),
                    );
                }
                for (status, response) in operation["responses"].as_object().unwrap() {
                    if response.get("$ref").is_none() {
                        said(&response["description"], format!("{place}: {status}"));
                    }
                    for (name, header) in response["headers"].as_object().into_iter().flatten() {
                        said(&header["description"], format!("{place}: {status}: {name}"));
                    }
                }
                for (_, body) in operation["requestBody"]["content"]
                    .as_object()
                    .into_iter()
                    .flatten()
                {
                    assert!(
                        body["examples"].is_object(),
                        "{place} shows no body: an event with one is missing"
                    );
                }
            }
        }
        for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
            said(
                &schema["description"],
                format!("schema {name}: description"),
            );
            assert!(
                schema["examples"].is_array(),
                "schema {name} has no example: no event shows one"
            );
            for (member, schema) in schema["properties"].as_object().into_iter().flatten() {
                let described = schema["description"].is_string()
                    || schema["$ref"].is_string()
                    || schema["oneOf"].is_array();
                assert!(described, "schema {name}: {member} is not described");
            }
        }
        assert!(wrong.is_empty(), "nothing is said of\n{}", wrong.join("\n"));
    }

    /// The bounds of a range, as the two members of a schema that hold them.
    fn range<T: Into<Value> + Copy>(
        [least, most]: [&'static str; 2],
        range: &RangeInclusive<T>,
    ) -> Vec<(&'static str, Value)> {
        vec![
            (least, (*range.start()).into()),
            (most, (*range.end()).into()),
        ]
    }

    #[test]
    fn bounds_of_the_document_are_those_of_the_code() {
        const VALUE: [&str; 2] = ["minimum", "maximum"];
        const LENGTH: [&str; 2] = ["minLength", "maxLength"];
        const ITEMS: [&str; 2] = ["minItems", "maxItems"];
        let price = range(VALUE, &(0..=MOST_AMOUNT));
        let quantity = range(VALUE, &(1..=MOST_QUANTITY));
        let lines = range(ITEMS, &(1..=MOST_LINES));
        let name = range(LENGTH, &NAME_LENGTH);
        let category = range(LENGTH, &CATEGORY_LENGTH);
        let customer = range(LENGTH, &CUSTOMER_LENGTH);
        let no_longer = vec![("maxLength", Value::from(*DESCRIPTION_LENGTH.end()))];
        let no_more = vec![("maxItems", Value::from(nosqldata::MOST_IDS))];
        let bounds = [
            ("Money/properties/amount", &price),
            ("Price/properties/amount", &price),
            ("PricePatch/properties/amount", &price),
            ("NewOrder/properties/customer", &customer),
            ("Order/properties/customer", &customer),
            ("NewOrder/properties/lines", &lines),
            ("Order/properties/lines", &lines),
            ("NewOrderLine/properties/quantity", &quantity),
            ("OrderLine/properties/quantity", &quantity),
            ("OrderLine/properties/name", &name),
            ("Product/properties/name", &name),
            ("ProductContent/properties/name", &name),
            ("ProductPatch/properties/name", &name),
            ("Product/properties/category", &category),
            ("ProductContent/properties/category", &category),
            ("ProductPatch/properties/category", &category),
            ("Product/properties/description", &no_longer),
            ("ProductContent/properties/description", &no_longer),
            ("ProductPatch/properties/description", &no_longer),
            ("ProductId", &range(LENGTH, &ID_LENGTH)),
            ("ProductPage/properties/items", &no_more),
            ("ProductPage/properties/missing", &no_more),
            (
                "ProblemDetails/properties/errors",
                &range(ITEMS, &(1..=MOST_FAULTS + 1)),
            ),
        ];
        let document = serde_json::to_value(document().unwrap()).unwrap();
        for (place, bounds) in bounds {
            let schema = document.pointer(&format!("/components/schemas/{place}"));
            for (bound, value) in bounds {
                assert_eq!(schema.unwrap()[bound], *value, "{place}: {bound}");
            }
        }
        for (path, name, bounds) in [
            ("/nosqldata", "category", category),
            ("/mysqldata", "customer", customer),
        ] {
            let parameters = document["paths"][path]["get"]["parameters"].as_array();
            let found = parameters.unwrap().iter().find(|it| it["name"] == name);
            for (bound, value) in bounds {
                assert_eq!(found.unwrap()["schema"][bound], value, "{name}: {bound}");
            }
        }
    }

    /// Calls `each` for every schema within `schema`, references followed.
    fn schemas<'d>(
        document: &'d Value,
        schema: &'d Value,
        place: &str,
        each: &mut impl FnMut(&str, &'d Value),
    ) {
        let reference = schema["$ref"].as_str();
        let schema = reference.map_or(schema, |to| document.pointer(&to[1..]).unwrap());
        each(place, schema);
        for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
            schemas(document, schema, &format!("{place}/{name}"), each);
        }
        for alternatives in ["oneOf", "anyOf", "allOf"] {
            for schema in schema[alternatives].as_array().into_iter().flatten() {
                schemas(document, schema, place, each);
            }
        }
        if schema["items"].is_object() {
            schemas(document, &schema["items"], &format!("{place}/*"), each);
        }
    }

    fn is_of(schema: &Value, name: &str) -> bool {
        let names = schema["type"].as_array();
        schema["type"] == name || names.is_some_and(|names| names.contains(&name.into()))
    }

    #[test]
    fn everything_that_a_client_sends_is_bounded() {
        let document = serde_json::to_value(document().unwrap()).unwrap();
        let mut unbounded = Vec::new();
        let mut look = |place: &str, schema: &Value| {
            let has = |bounds: &[&str]| bounds.iter().all(|bound| !schema[bound].is_null());
            let bounded = if is_of(schema, "integer") || is_of(schema, "number") {
                has(&["minimum", "maximum"])
            } else if is_of(schema, "array") {
                has(&["minItems", "maxItems"])
            } else if is_of(schema, "string") {
                let any = ["maxLength", "pattern", "enum", "format"];
                any.iter().any(|bound| has(&[bound]))
            } else {
                true
            };
            if !bounded {
                unbounded.push(place.to_owned());
            }
        };
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                let content = operation["requestBody"]["content"].as_object();
                for body in content.into_iter().flatten().map(|(_, body)| body) {
                    let place = format!("{method} {path}");
                    schemas(&document, &body["schema"], &place, &mut look);
                }
                for parameter in operation["parameters"].as_array().into_iter().flatten() {
                    let place = format!("{method} {path}: {}", parameter["name"]);
                    schemas(&document, &parameter["schema"], &place, &mut look);
                }
            }
        }
        // What is opaque, or a name that is looked up.
        let opaque = ["cursor", "asset", "type"].map(|name| format!("{name:?}"));
        unbounded.retain(|place| !opaque.iter().any(|name| place.ends_with(name)));
        assert!(unbounded.is_empty(), "{}", unbounded.join("\n"));
    }

    #[test]
    fn sums_are_integers_without_an_upper_bound() {
        let document = serde_json::to_value(document().unwrap()).unwrap();
        let all = &document["components"]["schemas"];
        let row = &all["SummaryRow"]["properties"];
        assert_eq!(row["revenue"]["$ref"], "#/components/schemas/MoneySum");
        for sum in [
            &row["orders"],
            &row["quantity"],
            &all["MoneySum"]["properties"]["amount"],
        ] {
            assert_eq!(
                (&sum["type"], &sum["minimum"]),
                (&"integer".into(), &0.into())
            );
            assert!(sum["maximum"].is_null() && sum["format"].is_null(), "{sum}");
        }
    }
}
