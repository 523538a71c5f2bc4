//! Reads the `DynamoDB` tables from a SAM or `CloudFormation` template.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context, Result, bail};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, GlobalSecondaryIndex, KeySchemaElement, Projection,
};
use serde::Deserialize;

/// A table as the template describes it.
#[derive(Clone, Debug)]
pub struct Table {
    /// The logical id without `Table`, its words in lower case and apart:
    /// `idempotency-keys` for `IdempotencyKeysTable`.
    pub name: String,
    /// The types of the attributes that keys are made of.
    pub attributes: Vec<AttributeDefinition>,
    /// The key of the table.
    pub key: Vec<KeySchemaElement>,
    /// The global secondary indexes.
    pub indexes: Vec<GlobalSecondaryIndex>,
}

/// Every `AWS::DynamoDB::Table` of the template at `path`, by name.
///
/// # Errors
/// The file cannot be read, is no template, or describes a table in a way that
/// the local one could not be true to.
pub fn tables(path: &Path) -> Result<Vec<Table>> {
    let text =
        fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    parse(&text).with_context(|| format!("in {}", path.display()))
}

fn parse(text: &str) -> Result<Vec<Table>> {
    let template: Template = serde_saphyr::from_str(text)?;
    template
        .resources
        .into_iter()
        .filter(|(_, resource)| resource.kind == "AWS::DynamoDB::Table")
        .map(|(id, resource)| {
            table(&id, resource.properties).with_context(|| format!("the resource {id}"))
        })
        .collect()
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Template {
    resources: BTreeMap<String, Resource>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Resource {
    #[serde(rename = "Type")]
    kind: String,
    // Untyped, because other resources have other properties.
    #[serde(default)]
    properties: serde_json::Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TableProperties {
    attribute_definitions: Vec<Attribute>,
    key_schema: Vec<Key>,
    #[serde(default)]
    global_secondary_indexes: Vec<Index>,
    local_secondary_indexes: Option<serde_json::Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Attribute {
    attribute_name: String,
    attribute_type: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Key {
    attribute_name: String,
    key_type: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Index {
    #[serde(rename = "IndexName")]
    name: String,
    key_schema: Vec<Key>,
    projection: IndexProjection,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct IndexProjection {
    projection_type: String,
    #[serde(default)]
    non_key_attributes: Vec<String>,
}

fn table(id: &str, properties: serde_json::Value) -> Result<Table> {
    let properties: TableProperties = serde_json::from_value(properties)?;
    if properties.local_secondary_indexes.is_some() {
        bail!("has local secondary indexes, which `stores` does not create yet");
    }
    Ok(Table {
        name: name(id),
        attributes: properties
            .attribute_definitions
            .into_iter()
            .map(|attribute| {
                AttributeDefinition::builder()
                    .attribute_name(attribute.attribute_name)
                    .attribute_type(attribute.attribute_type.as_str().into())
                    .build()
            })
            .collect::<Result<_, _>>()?,
        key: key(properties.key_schema)?,
        indexes: properties
            .global_secondary_indexes
            .into_iter()
            .map(index)
            .collect::<Result<_>>()?,
    })
}

fn name(id: &str) -> String {
    let mut name = String::new();
    for c in id.strip_suffix("Table").unwrap_or(id).chars() {
        if c.is_ascii_uppercase() && !name.is_empty() {
            name.push('-');
        }
        name.push(c.to_ascii_lowercase());
    }
    name
}

fn key(elements: Vec<Key>) -> Result<Vec<KeySchemaElement>> {
    elements
        .into_iter()
        .map(|element| {
            Ok(KeySchemaElement::builder()
                .attribute_name(element.attribute_name)
                .key_type(element.key_type.as_str().into())
                .build()?)
        })
        .collect()
}

fn index(index: Index) -> Result<GlobalSecondaryIndex> {
    let projected = index.projection.non_key_attributes;
    let projection = Projection::builder()
        .projection_type(index.projection.projection_type.as_str().into())
        .set_non_key_attributes((!projected.is_empty()).then_some(projected))
        .build();
    Ok(GlobalSecondaryIndex::builder()
        .index_name(index.name)
        .set_key_schema(Some(key(index.key_schema)?))
        .projection(projection)
        .build()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_tables_of_the_project() {
        let tables = tables(&crate::template()).unwrap();
        let products = tables
            .iter()
            .find(|table| table.name == "products")
            .unwrap();
        assert_eq!(products.key[0].attribute_name(), "id");
        assert_eq!(products.indexes[0].index_name(), "by-category");
        assert!(tables.iter().any(|table| table.name == "idempotency-keys"));
    }

    #[test]
    fn passes_over_other_resources_and_intrinsic_functions() {
        let tables = parse(
            "Resources:\n\
             \x20 Api: {Type: AWS::Serverless::HttpApi}\n\
             \x20 Hello:\n\
             \x20   Type: AWS::Serverless::Function\n\
             \x20   Properties:\n\
             \x20     Role: !GetAtt Role.Arn\n\
             \x20     Name: !Sub ${Api}-hello\n\
             \x20     Layers: !If [Fast, [!Ref A], !Ref B]\n",
        )
        .unwrap();
        assert!(tables.is_empty());
    }

    #[test]
    fn names_the_resource_that_is_wrong() {
        let error = parse("Resources: {T: {Type: AWS::DynamoDB::Table}}").unwrap_err();
        assert_eq!(error.to_string(), "the resource T");
    }
}
