//! What the functions are, as the template that `sam build` wrote says.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// A function that answers HTTP requests.
#[derive(Debug)]
pub struct Function {
    /// The name of its binary.
    pub name: String,
    /// Its program.
    pub bootstrap: PathBuf,
    /// How long it may take, in seconds.
    pub timeout: u64,
    /// Its memory, in MB.
    pub memory: u64,
    /// The environment variables that the template declares for it, with the
    /// values that they have there.
    pub variables: BTreeMap<String, String>,
    /// The paths that are routed to it.
    pub paths: Vec<String>,
}

/// The functions of the template in the folder `build`, but for those that no
/// HTTP request gets to.
pub fn functions(build: &Path) -> Result<Vec<Function>> {
    let file = build.join("template.yaml");
    let text = fs::read_to_string(&file)
        .with_context(|| format!("{} cannot be read: sam build makes it", file.display()))?;
    let template = serde_saphyr::from_str(&text)?;
    let functions = parse(&template, build).with_context(|| format!("in {}", file.display()))?;
    if functions.is_empty() {
        bail!("{} has no function with an HttpApi event", file.display());
    }
    Ok(functions)
}

fn parse(template: &Value, build: &Path) -> Result<Vec<Function>> {
    let resources = template["Resources"].as_object();
    let functions = resources
        .context("no Resources")?
        .iter()
        .filter(|(_, it)| it["Type"] == "AWS::Serverless::Function");
    let mut found = Vec::new();
    for (id, resource) in functions {
        let own = &resource["Properties"];
        let events = own["Events"].as_object().into_iter().flatten();
        let paths: Vec<_> = events
            .filter(|(_, event)| event["Type"] == "HttpApi")
            .filter_map(|(_, event)| event["Properties"]["Path"].as_str())
            .map(str::to_owned)
            .collect();
        if paths.is_empty() {
            continue;
        }
        let global = &template["Globals"]["Function"];
        let property = |name: &str| {
            let value = own.get(name).or_else(|| global.get(name));
            value.and_then(|value| text(template, value))
        };
        let number = |name: &str, default| {
            let there = own.get(name).or_else(|| global.get(name));
            let number = property(name).and_then(|text| text.parse().ok());
            match (there, number) {
                (None, _) => Ok(default),
                (Some(_), Some(number)) => Ok(number),
                (Some(value), None) => {
                    bail!("the {name} of {id} is neither a number nor a parameter's: {value}")
                }
            }
        };
        let binary = resource["Metadata"]["BuildProperties"]["Binary"].as_str();
        let code = property("CodeUri").with_context(|| format!("{id} has no CodeUri"))?;
        let mut variables = BTreeMap::new();
        for environment in [global, own].map(|it| &it["Environment"]["Variables"]) {
            for (name, value) in environment.as_object().into_iter().flatten() {
                variables.insert(name.clone(), text(template, value).unwrap_or_default());
            }
        }
        found.push(Function {
            name: binary
                .with_context(|| format!("{id} names no Binary"))?
                .to_owned(),
            bootstrap: build.join(code).join("bootstrap"),
            // CloudFormation's own defaults.
            timeout: number("Timeout", 3)?,
            memory: number("MemorySize", 128)?,
            variables,
            paths,
        });
    }
    Ok(found)
}

/// A value as text: that of a parameter is its default. Other intrinsic
/// functions have none here.
fn text(template: &Value, value: &Value) -> Option<String> {
    match value {
        Value::String(text) => match template["Parameters"].get(text) {
            Some(parameter) => self::text(&Value::Null, parameter.get("Default")?),
            None => Some(text.clone()),
        },
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Object(members) => text(template, members.get("Ref")?),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATE: &str = "\
Parameters:
  Seconds: {Type: Number, Default: 7}
  Url: {Type: String, Default: ''}
Globals:
  Function: {Timeout: !Ref Seconds, Environment: {Variables: {LEVEL: info}}}
Resources:
  Migrate:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: Migrate}
  Scheduled:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: Scheduled, Events: {Daily: {Type: Schedule}}}
  Hello:
    Type: AWS::Serverless::Function
    Metadata: {BuildProperties: {Binary: hello}}
    Properties:
      CodeUri: HelloFunction
      VpcConfig: !If [InVpc, {SubnetIds: [!Ref A]}, !Ref AWS::NoValue]
      Environment: {Variables: {API_URL: !Ref Url, LEVEL: warn, TABLE: !GetAtt Table.Arn}}
      Events:
        Root: {Type: HttpApi, Properties: {Path: /, Method: ANY}}
";

    #[test]
    fn a_function_is_what_the_template_says() {
        let template = serde_saphyr::from_str(TEMPLATE).unwrap();
        let functions = parse(&template, Path::new("/build")).unwrap();
        let [hello] = &functions[..] else {
            panic!("only one of these answers HTTP requests: {functions:?}");
        };
        assert_eq!(
            (hello.name.as_str(), hello.timeout, hello.memory),
            ("hello", 7, 128)
        );
        assert_eq!(hello.paths, ["/"]);
        assert_eq!(hello.bootstrap, Path::new("/build/HelloFunction/bootstrap"));
        assert_eq!(hello.variables["LEVEL"], "warn");
        assert_eq!(hello.variables["API_URL"], "");
        assert!(hello.variables.contains_key("TABLE"));
    }

    #[test]
    fn a_time_out_that_cannot_be_read_is_told() {
        let text = TEMPLATE.replace("!Ref Seconds", "!If [A, 1, 2]");
        let template = serde_saphyr::from_str(&text).unwrap();
        let error = parse(&template, Path::new("/build")).unwrap_err();
        assert!(
            error.to_string().contains("the Timeout of Hello"),
            "{error}"
        );
    }
}
