//! What is deployed, as `template.yaml` says it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::Value;

/// A SAM or `CloudFormation` template.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Template {
    /// What is told when it is deployed.
    #[serde(default)]
    pub parameters: BTreeMap<String, Value>,
    /// What it makes, by logical id.
    pub resources: BTreeMap<String, Resource>,
}

/// A resource of a template.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Resource {
    /// Such as `AWS::DynamoDB::Table`.
    #[serde(rename = "Type")]
    pub kind: String,
    /// The name of the condition that it is made on.
    pub condition: Option<String>,
    /// What SAM is told of it.
    #[serde(default)]
    pub metadata: Value,
    /// What it is to be like; what stands in a tag (`!Ref`) stands here without.
    #[serde(default)]
    pub properties: Value,
}

impl Template {
    /// Reads the template at `path`.
    ///
    /// # Errors
    ///
    /// There is none, or it is malformed.
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("{}", path.display()))?;
        Self::parse(&text).with_context(|| format!("in {}", path.display()))
    }

    /// Reads a template.
    ///
    /// # Errors
    ///
    /// It is malformed.
    pub fn parse(text: &str) -> Result<Self> {
        Ok(serde_saphyr::from_str(text)?)
    }

    /// The resources of a type, by logical id.
    pub fn of_type<'t>(&'t self, kind: &'t str) -> impl Iterator<Item = (&'t str, &'t Resource)> {
        self.resources
            .iter()
            .filter(move |(_, resource)| resource.kind == kind)
            .map(|(id, resource)| (id.as_str(), resource))
    }

    /// The functions, by the name of their binary.
    #[must_use]
    pub fn functions(&self) -> BTreeMap<&str, (&str, &Resource)> {
        let functions = self.of_type("AWS::Serverless::Function");
        functions
            .filter_map(|(id, resource)| {
                let binary = resource.metadata.pointer("/BuildProperties/Binary")?;
                Some((binary.as_str()?, (id, resource)))
            })
            .collect()
    }

    /// The resources and parameters that are named somewhere in `value`, by
    /// `Ref`, `GetAtt` or `Sub`, however deep.
    #[must_use]
    pub fn named_in<'t>(&'t self, value: &Value) -> BTreeSet<&'t str> {
        let mut named = BTreeSet::new();
        self.collect(value, &mut named);
        named
    }

    fn collect<'t>(&'t self, value: &Value, named: &mut BTreeSet<&'t str>) {
        match value {
            Value::String(text) => {
                named.extend(self.known(text.split('.').next().unwrap_or(text)));
                for rest in text.split("${").skip(1) {
                    let name = rest.split(['}', '.']).next().unwrap_or(rest);
                    named.extend(self.known(name.trim()));
                }
            }
            Value::Array(values) => values.iter().for_each(|value| self.collect(value, named)),
            Value::Object(values) => values.values().for_each(|value| self.collect(value, named)),
            _ => {}
        }
    }

    fn known(&self, name: &str) -> Option<&str> {
        let resource = self.resources.get_key_value(name).map(|(id, _)| id);
        let parameter = || self.parameters.get_key_value(name).map(|(id, _)| id);
        resource.or_else(parameter).map(String::as_str)
    }
}

impl Resource {
    /// The environment of a function, variable by variable.
    #[must_use]
    pub fn environment(&self) -> BTreeMap<&str, &Value> {
        let variables = self.properties.pointer("/Environment/Variables");
        let variables = variables.and_then(Value::as_object).into_iter().flatten();
        variables
            .map(|(name, value)| (name.as_str(), value))
            .collect()
    }

    /// A property that is text.
    #[must_use]
    pub fn text(&self, property: &str) -> Option<&str> {
        self.properties.get(property)?.as_str()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_however_it_is_referred_to() {
        let template = Template::parse(
            "Parameters: {P: {Type: String}}\n\
             Resources:\n\
             \x20 A: {Type: X}\n\
             \x20 B: {Type: X}\n\
             \x20 C: {Type: X}\n\
             \x20 D:\n\
             \x20   Type: Y\n\
             \x20   Properties:\n\
             \x20     One: !GetAtt A.Arn\n\
             \x20     Two: [!If [Sometimes, !Sub 'x:${B.Arn}/${P}', {'Fn::GetAtt': [C, Arn]}]]\n",
        )
        .unwrap();
        let named = template.named_in(&template.resources["D"].properties);
        assert_eq!(named, ["A", "B", "C", "P"].into());
    }
}
