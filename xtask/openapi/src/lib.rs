//! The OpenAPI document: what each function says of itself, put together, with
//! examples that are true.

use std::{collections::BTreeSet, path::PathBuf};

use anyhow::Result;
use serde_json::Value;
use similar::TextDiff;
use utoipa::openapi::{Components, Info, License, OpenApi, Server};

mod examples;

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
        (file("yaml"), document.to_yaml()?),
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
}
