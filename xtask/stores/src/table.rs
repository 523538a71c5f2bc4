//! The `DynamoDB` tables that `template.yaml` declares.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, GlobalSecondaryIndex, KeySchemaElement, Projection,
};
use serde::Deserialize;
use serde_json::Value;
use template::Template;

/// A table as the template declares it.
#[derive(Clone, Debug)]
pub struct Table {
    /// The logical id without `Table`, in kebab case: `idempotency-keys` for
    /// `IdempotencyKeysTable`.
    pub name: String,
    /// The types of the key attributes.
    pub attributes: Vec<AttributeDefinition>,
    /// The key of the table.
    pub key: Vec<KeySchemaElement>,
    /// The global secondary indexes.
    pub indexes: Vec<GlobalSecondaryIndex>,
}

/// Every `AWS::DynamoDB::Table` of the template at `path`, by name.
///
/// # Errors
/// The file cannot be read, is not a template, or declares a table with a feature
/// that [`Table`] does not have.
pub fn read(path: &Path) -> Result<Vec<Table>> {
    tables(&Template::read(path)?).with_context(|| format!("in {}", path.display()))
}

fn tables(template: &Template) -> Result<Vec<Table>> {
    template
        .of_type("AWS::DynamoDB::Table")
        .map(|(id, resource)| {
            table(id, resource.properties.clone()).with_context(|| format!("the resource {id}"))
        })
        .collect()
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Properties {
    attribute_definitions: Vec<Attribute>,
    key_schema: Vec<Key>,
    #[serde(default)]
    global_secondary_indexes: Vec<Index>,
    local_secondary_indexes: Option<Value>,
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
    non_key_attributes: Option<Vec<String>>,
}

fn table(id: &str, properties: Value) -> Result<Table> {
    let properties: Properties = serde_json::from_value(properties)?;
    ensure!(
        properties.local_secondary_indexes.is_none(),
        "local secondary indexes are not supported: add them to xtask/stores/src/table.rs"
    );
    let attributes = properties.attribute_definitions.into_iter();
    let attributes = attributes.map(|attribute| {
        AttributeDefinition::builder()
            .attribute_name(attribute.attribute_name)
            .attribute_type(attribute.attribute_type.as_str().into())
            .build()
    });
    let indexes = properties.global_secondary_indexes.into_iter();
    Ok(Table {
        name: template::table_name(id),
        attributes: attributes.collect::<Result<_, _>>()?,
        key: key(properties.key_schema)?,
        indexes: indexes.map(index).collect::<Result<_>>()?,
    })
}

fn key(elements: Vec<Key>) -> Result<Vec<KeySchemaElement>> {
    let elements = elements.into_iter().map(|element| {
        KeySchemaElement::builder()
            .attribute_name(element.attribute_name)
            .key_type(element.key_type.as_str().into())
            .build()
    });
    Ok(elements.collect::<Result<_, _>>()?)
}

fn index(index: Index) -> Result<GlobalSecondaryIndex> {
    let projection = Projection::builder()
        .projection_type(index.projection.projection_type.as_str().into())
        .set_non_key_attributes(index.projection.non_key_attributes)
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
    fn tables_of_the_project_are_read() {
        for table in read(&template::path()).unwrap() {
            assert!(!table.key.is_empty(), "{}", table.name);
        }
    }

    #[test]
    fn table_has_its_key_and_its_indexes() {
        let template = Template::parse(
            "Resources:\n\
             \x20 LostThingsTable:\n\
             \x20   Type: AWS::DynamoDB::Table\n\
             \x20   Properties:\n\
             \x20     AttributeDefinitions: [{AttributeName: id, AttributeType: S}]\n\
             \x20     KeySchema: [{AttributeName: id, KeyType: HASH}]\n\
             \x20     GlobalSecondaryIndexes:\n\
             \x20       - IndexName: by-owner\n\
             \x20         KeySchema: [{AttributeName: owner, KeyType: HASH}]\n\
             \x20         Projection: {ProjectionType: ALL}\n",
        );
        let tables = tables(&template.unwrap()).unwrap();
        assert_eq!(tables[0].name, "lost-things");
        assert_eq!(tables[0].key[0].attribute_name(), "id");
        assert_eq!(tables[0].indexes[0].index_name(), "by-owner");
    }

    #[test]
    fn error_names_the_resource() {
        let template = Template::parse("Resources: {T: {Type: AWS::DynamoDB::Table}}").unwrap();
        assert_eq!(tables(&template).unwrap_err().to_string(), "the resource T");
    }
}
