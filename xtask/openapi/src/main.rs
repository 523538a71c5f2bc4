//! Writes the OpenAPI document where the docs function embeds it: the parts of all
//! services, with examples that are true. `cargo xtask openapi` runs it.
#![expect(
    clippy::indexing_slicing,
    reason = "the members of an object are set by name"
)]

use std::fs;

use anyhow::{Context, Result};
use chassis::http::{Service, openapi::BEARER};
use clap::Parser;
use serde_json::{Map, Value, json};
use template::{Local, generated, project};

mod examples;

const DESCRIPTION: &str = include_str!("description.md");

/// Writes the OpenAPI document and the samples of the problem types.
#[derive(Parser)]
struct Arguments {
    /// Write nothing, and fail with the difference if a file is stale
    #[arg(long)]
    check: bool,
}

fn main() -> Result<()> {
    update(Arguments::parse().check)
}

/// Writes the files that differ from the committed ones, or fails if that is checked.
fn update(check: bool) -> Result<()> {
    let document = document()?;
    let cases = examples::cases()?;
    let samples = examples::samples(&cases);
    let files = [
        (
            "openapi.json",
            serde_json::to_string_pretty(&document)? + "\n",
        ),
        // Quoted where YAML 1.1 would read another value: `cargo xtask conformance` reads
        // it with PyYAML.
        ("openapi.yaml", serde_saphyr::to_string(&document)?),
        (
            "problems.json",
            serde_json::to_string_pretty(&samples)? + "\n",
        ),
    ];
    let files = files.map(|(name, content)| (name.to_owned(), content));
    let assets = project().join("functions/docs/assets");
    generated::update(&assets, files, check, "cargo xtask openapi")
}

/// The services with the descriptions of their tags, in the order of the
/// document: what every bundle has comes last. Their stores are not there, and need
/// not be.
async fn services() -> Result<Vec<(Service, String)>> {
    let closed = "http://127.0.0.1:1";
    let local = Local {
        api: closed.to_owned(),
        dynamodb: closed.to_owned(),
        mysql: "mysql://none@127.0.0.1:1/none".to_owned(),
        ..Local::default()
    };
    let mut functions = bundle::functions()?;
    functions.sort_by_key(|it| ["health", "docs"].contains(&it.binary));
    let mut services = Vec::new();
    for function in functions {
        let started = bundle::start(function, &local, None).await?;
        services.push((started.service, description(function.binary)?));
    }
    Ok(services)
}

/// What a function is, from the description in its `Cargo.toml`: what follows its
/// paths there, as a sentence.
fn description(function: &str) -> Result<String> {
    let path = project().join(format!("functions/{function}/Cargo.toml"));
    let manifest: toml::Table = fs::read_to_string(&path)?.parse()?;
    let text = manifest["package"]["description"].as_str();
    let text = text.with_context(|| format!("{} has no description", path.display()))?;
    let text = text.split_once(": ").map_or(text, |(_paths, text)| text);
    let first = text.chars().next().into_iter();
    let first = first.flat_map(char::to_uppercase);
    Ok(first.chain(text.chars().skip(1)).collect())
}

/// The document of the whole API.
fn document() -> Result<Value> {
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Kea",
            "description": DESCRIPTION.trim_end(),
            "contact": { "name": "The Kea authors" },
            "license": { "name": "MIT or Apache-2.0", "identifier": env!("CARGO_PKG_LICENSE") },
            "version": env!("CARGO_PKG_VERSION"),
        },
        // Relative to the document, so that it is right behind any base path.
        "servers": [{ "url": ".", "description": "The API that this document comes from." }],
        "security": [],
        "tags": [],
        "paths": {},
    });
    let (mut schemas, mut responses) = (Map::new(), Map::new());
    let (mut tags, mut paths) = (Vec::new(), Map::new());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    for (service, description) in runtime.block_on(services())? {
        let part = service.document();
        tags.push(json!({ "name": service.name(), "description": description }));
        paths.extend(part.paths.clone());
        schemas.extend(part.components.schemas.clone());
        responses.extend(part.responses.clone());
    }
    schemas.sort_keys();
    responses.sort_keys();
    link_created(&mut paths);
    document["tags"] = tags.into();
    document["paths"] = paths.into();
    document["components"] = json!({
        "schemas": schemas,
        "responses": responses,
        "securitySchemes": {
            // Spectral looks for "RFC8725".
            BEARER: {
                "type": "http",
                "scheme": "bearer",
                "bearerFormat": "JWT",
                "description": "An OAuth 2 access token (RFC 6750), verified as RFC8725 recommends. Where an operation names a scope, \
                                the token must have it.",
            },
        },
    });
    examples::add(&mut document, &examples::cases()?);
    drop_unused_responses(&mut document);
    Ok(document)
}

/// Drops the shared responses that no operation refers to: an operation with an
/// example of its own has a copy.
fn drop_unused_responses(document: &mut Value) {
    let paths = document["paths"].to_string();
    if let Some(responses) = document["components"]["responses"].as_object_mut() {
        responses.retain(|name, _| paths.contains(&format!("\"#/components/responses/{name}\"")));
    }
}

/// Links each created resource to the operations on it.
fn link_created(paths: &mut Map<String, Value>) {
    let operations = paths.clone();
    for (path, item) in paths.iter_mut() {
        let on_item = operations
            .get(&format!("{path}/{{id}}"))
            .or(operations.get(path));
        let Some(on_item) = on_item.and_then(Value::as_object) else {
            continue;
        };
        for method in ["post", "put"] {
            if let Some(created) = item.pointer_mut(&format!("/{method}/responses/201")) {
                for (method, operation) in on_item.iter().filter(|(method, _)| *method != "post") {
                    created["links"][method] = json!({
                        "operationId": operation["operationId"],
                        "parameters": { "id": "$response.body#/id" },
                        "description": operation["summary"],
                    });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_files_are_generated_from_the_code() {
        update(true).unwrap();
    }

    #[test]
    fn document_is_the_same_in_yaml() {
        let document = document().unwrap();
        let yaml = serde_saphyr::to_string(&document).unwrap();
        let read: Value = serde_saphyr::from_str(&yaml).unwrap();
        assert_eq!(read, document);
        // Line breaks to YAML 1.1 alone, and what no YAML may hold.
        let outside =
            |c: char| c != '\n' && c.is_control() || "\u{2028}\u{2029}\u{feff}".contains(c);
        assert!(!yaml.contains(outside), "{yaml:?}");
    }

    /// The places at which `value` is no text.
    fn undescribed(value: &Value, place: String) -> Option<String> {
        let described = value.as_str().is_some_and(|text| !text.trim().is_empty());
        (!described).then_some(place)
    }

    /// Spectral checks the description and the `operationId` of each operation.
    #[test]
    fn every_part_of_an_operation_is_described_and_has_examples() {
        let document = document().unwrap();
        let mut wrong = Vec::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                let place = format!("{method} {path}");
                wrong.extend(undescribed(
                    &operation["summary"],
                    format!("{place}: summary"),
                ));
                for parameter in operation["parameters"].as_array().into_iter().flatten() {
                    let name = format!("{place}: {}", parameter["name"]);
                    let schema = resolve(&document, &parameter["schema"]);
                    let described = parameter["description"].is_string();
                    let description = if described { parameter } else { schema };
                    wrong.extend(undescribed(&description["description"], name));
                }
                for (status, response) in operation["responses"].as_object().unwrap() {
                    let response = resolve(&document, response);
                    wrong.extend(undescribed(
                        &response["description"],
                        format!("{place}: {status}"),
                    ));
                    for (name, header) in response["headers"].as_object().into_iter().flatten() {
                        let name = format!("{place}: {status}: {name}");
                        wrong.extend(undescribed(&header["description"], name));
                    }
                }
                // region: nosqldata
                // Without a catalogue no order can be placed, so no event shows one.
                for body in operation["requestBody"]["content"]
                    .as_object()
                    .into_iter()
                    .flatten()
                {
                    assert!(
                        body.1["examples"].is_object(),
                        "{place}: no event has a body"
                    );
                }
                // endregion
            }
        }
        assert!(wrong.is_empty(), "no description of\n{}", wrong.join("\n"));
    }

    #[test]
    fn every_schema_is_described_and_has_an_example() {
        let document = document().unwrap();
        let mut wrong = Vec::new();
        for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
            wrong.extend(undescribed(
                &schema["description"],
                format!("schema {name}"),
            ));
            // region: nosqldata
            assert!(
                schema["examples"].is_array(),
                "schema {name}: no event shows one"
            );
            // endregion
            for (member, schema) in schema["properties"].as_object().into_iter().flatten() {
                let schema = if schema["description"].is_string() {
                    schema
                } else {
                    resolve(&document, schema)
                };
                wrong.extend(undescribed(
                    &schema["description"],
                    format!("schema {name}: {member}"),
                ));
            }
        }
        assert!(wrong.is_empty(), "no description of\n{}", wrong.join("\n"));
    }

    /// The value that a reference refers to, or the value itself.
    fn resolve<'d>(document: &'d Value, value: &'d Value) -> &'d Value {
        let reference = value["$ref"]
            .as_str()
            .and_then(|reference| reference.strip_prefix('#'));
        reference
            .and_then(|pointer| document.pointer(pointer))
            .unwrap_or(value)
    }
}
