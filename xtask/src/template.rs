//! The functions of `template.yaml`, whether or not HTTP gets to them.

use std::{fs, path::Path};

use anyhow::{Context, Result};
use serde_json::Value;

/// A function, as `sam build` builds it.
#[derive(Debug, PartialEq, Eq)]
pub struct Function {
    /// Its logical id.
    pub id: String,
    /// The name of its binary.
    pub binary: String,
}

/// The functions of the template in this file.
pub fn functions(file: &Path) -> Result<Vec<Function>> {
    let text =
        fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
    parse(&text).with_context(|| format!("in {}", file.display()))
}

fn parse(text: &str) -> Result<Vec<Function>> {
    let template: Value = serde_saphyr::from_str(text)?;
    let resources = template.get("Resources").and_then(Value::as_object);
    let functions = resources
        .context("there are no Resources")?
        .iter()
        .filter(|(_, it)| it.get("Type") == Some(&Value::from("AWS::Serverless::Function")));
    functions
        .map(|(id, function)| {
            let binary = function.pointer("/Metadata/BuildProperties/Binary");
            let binary = binary.and_then(Value::as_str);
            Ok(Function {
                id: id.clone(),
                binary: binary
                    .with_context(|| {
                        format!("{id} has no Metadata with BuildProperties: {{ Binary: NAME }}")
                    })?
                    .to_owned(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_is_built() {
        let functions = parse(
            "Resources:\n\
             \x20 Api: {Type: AWS::Serverless::HttpApi}\n\
             \x20 MigrateFunction:\n\
             \x20   Type: AWS::Serverless::Function\n\
             \x20   Metadata: {BuildMethod: rust-cargolambda, BuildProperties: {Binary: migrate}}\n\
             \x20   Properties: {VpcConfig: !If [A, !Ref B, !Ref AWS::NoValue]}\n",
        );
        let [function] = &functions.unwrap()[..] else {
            panic!("there is one function");
        };
        assert_eq!(
            (function.id.as_str(), function.binary.as_str()),
            ("MigrateFunction", "migrate")
        );
        let error = parse("Resources: {F: {Type: AWS::Serverless::Function}}").unwrap_err();
        assert!(error.to_string().contains("Binary"), "{error}");
    }
}
