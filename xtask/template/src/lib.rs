//! The reader of `template.yaml`, and the writer of the project's [`generated`] files.
//!
//! YAML tags are dropped: `!Ref Table` reads as `"Table"`, `!GetAtt Table.Arn` as
//! `"Table.Arn"`. A crate because the tools and the tests read the same file.

pub mod generated;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::Value;

/// The type of a function's resource.
const FUNCTION: &str = "AWS::Serverless::Function";

/// The type of a `DynamoDB` table's resource.
const TABLE: &str = "AWS::DynamoDB::Table";

/// The folder of the project.
#[must_use]
pub fn project() -> PathBuf {
    // This package is two folders below it.
    [env!("CARGO_MANIFEST_DIR"), "..", ".."].iter().collect()
}

/// The path of the project's own template.
#[must_use]
pub fn path() -> PathBuf {
    project().join("template.yaml")
}

/// The template at `path` as one JSON value.
///
/// # Errors
///
/// The file cannot be read or is not YAML.
pub fn document(path: &Path) -> Result<Value> {
    let text = fs_err::read_to_string(path)?;
    serde_saphyr::from_str(&text).with_context(|| format!("in {}", path.display()))
}

/// A SAM or `CloudFormation` template.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Template {
    /// The parameters of a deployment, by name.
    #[serde(default)]
    pub parameters: BTreeMap<String, Value>,
    /// The resources, by logical id.
    pub resources: BTreeMap<String, Resource>,
    /// The properties that all functions share, under `Function`.
    #[serde(default)]
    globals: Value,
}

/// A resource of a template.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Resource {
    /// Its type, such as `AWS::DynamoDB::Table`.
    #[serde(rename = "Type")]
    pub kind: String,
    /// The name of the condition under which it is created.
    pub condition: Option<String>,
    /// The instructions for `sam build`.
    #[serde(default)]
    pub metadata: Value,
    /// Its properties.
    #[serde(default)]
    pub properties: Value,
}

/// A function of a template, with the properties from `Globals`.
#[derive(Debug, Clone, Copy)]
pub struct Function<'t> {
    /// Its logical id.
    pub id: &'t str,
    /// The name of its binary.
    pub binary: &'t str,
    /// Its resource.
    pub resource: &'t Resource,
    template: &'t Template,
}

/// The role of the functions on this machine, as Lambda sets it.
pub const LOCAL_ROLE: [(&str, &str); 3] = [
    ("AWS_REGION", "eu-north-1"),
    ("AWS_ACCESS_KEY_ID", "local"),
    ("AWS_SECRET_ACCESS_KEY", "local"),
];

/// Where a function finds what it depends on, on this machine.
#[derive(Debug, Clone, Default)]
pub struct Local {
    /// The base URL at which functions call each other.
    pub api: String,
    /// The URL of `DynamoDB`.
    pub dynamodb: String,
    /// The URL of `MySQL`.
    pub mysql: String,
    /// What the local name of each table begins with.
    pub table_prefix: String,
    /// The variables that name the issuer of tokens; none if no token is accepted.
    pub auth: Vec<(&'static str, String)>,
}

impl Template {
    /// Reads the template at `path`.
    ///
    /// # Errors
    ///
    /// As for [`document`], or a function does not name its binary.
    pub fn read(path: &Path) -> Result<Self> {
        Self::from_document(document(path)?).with_context(|| format!("in {}", path.display()))
    }

    /// Reads a template from its text.
    ///
    /// # Errors
    ///
    /// It is malformed, or a function does not name its binary.
    pub fn parse(text: &str) -> Result<Self> {
        Self::from_document(serde_saphyr::from_str(text)?)
    }

    fn from_document(document: Value) -> Result<Self> {
        let template: Self = serde_json::from_value(document)?;
        for (id, resource) in template.of_type(FUNCTION) {
            ensure!(
                resource.binary().is_some(),
                "{id} does not name its binary: add Metadata with BuildProperties: {{ Binary: NAME }}"
            );
        }
        Ok(template)
    }

    /// The resources of a type, by logical id.
    pub fn of_type<'t>(&'t self, kind: &'t str) -> impl Iterator<Item = (&'t str, &'t Resource)> {
        let resources = self.resources.iter();
        resources
            .filter(move |(_, resource)| resource.kind == kind)
            .map(|(id, resource)| (id.as_str(), resource))
    }

    /// The functions, ordered by logical id.
    pub fn functions(&self) -> impl Iterator<Item = Function<'_>> {
        self.of_type(FUNCTION).filter_map(|(id, resource)| {
            Some(Function {
                id,
                binary: resource.binary()?,
                resource,
                template: self,
            })
        })
    }

    /// Whether a function has tables in a `MySQL` database.
    #[must_use]
    pub fn uses_mysql(&self) -> bool {
        self.functions().any(|it| it.database_user().is_some())
    }

    /// The functions that HTTP requests reach, ordered by the name of their
    /// binary.
    #[must_use]
    pub fn answering(&self) -> Vec<Function<'_>> {
        let functions = self.functions();
        let mut answering: Vec<_> = functions.filter(|it| !it.paths().is_empty()).collect();
        answering.sort_by_key(|it| it.binary);
        answering
    }

    /// The function whose binary has this name.
    ///
    /// # Errors
    ///
    /// There is none.
    pub fn function(&self, binary: &str) -> Result<Function<'_>> {
        let function = self.functions().find(|it| it.binary == binary);
        function.with_context(|| format!("template.yaml has no function {binary}"))
    }

    /// The resources and parameters that `value` refers to, at any depth, by
    /// `Ref`, `GetAtt` or `Sub`.
    #[must_use]
    pub fn references<'t>(&'t self, value: &Value) -> BTreeSet<&'t str> {
        let mut found = BTreeSet::new();
        self.collect_references(value, &mut found);
        found
    }

    fn collect_references<'t>(&'t self, value: &Value, found: &mut BTreeSet<&'t str>) {
        match value {
            Value::String(text) => {
                found.extend(self.known(text.split('.').next().unwrap_or(text)));
                for rest in text.split("${").skip(1) {
                    let name = rest.split(['}', '.']).next().unwrap_or(rest);
                    found.extend(self.known(name.trim()));
                }
            }
            Value::Array(values) => {
                for value in values {
                    self.collect_references(value, found);
                }
            }
            Value::Object(members) => {
                for value in members.values() {
                    self.collect_references(value, found);
                }
            }
            _ => {}
        }
    }

    fn known(&self, name: &str) -> Option<&str> {
        let resource = self.resources.get_key_value(name).map(|(id, _)| id);
        let parameter = || self.parameters.get_key_value(name).map(|(id, _)| id);
        resource.or_else(parameter).map(String::as_str)
    }

    /// A scalar as text, that of a parameter being its default; `None` for
    /// other intrinsic functions.
    fn resolve(&self, value: &Value) -> Option<String> {
        match value {
            Value::String(text) => match self.parameters.get(text) {
                Some(parameter) => scalar(parameter.get("Default")?),
                None => Some(text.clone()),
            },
            // `{"Ref": …}`, as `sam build` writes `!Ref`.
            Value::Object(members) => self.resolve(members.get("Ref")?),
            other => scalar(other),
        }
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    }
}

impl Resource {
    /// A property that is a string.
    #[must_use]
    pub fn text(&self, property: &str) -> Option<&str> {
        self.properties.get(property)?.as_str()
    }

    /// The environment variables of a function, by name.
    #[must_use]
    pub fn environment(&self) -> BTreeMap<&str, &Value> {
        let variables = self.properties.pointer("/Environment/Variables");
        members(variables).collect()
    }

    fn binary(&self) -> Option<&str> {
        self.metadata.pointer("/BuildProperties/Binary")?.as_str()
    }
}

impl Function<'_> {
    /// The folder of its program, relative to the template that `sam build` wrote.
    #[must_use]
    pub fn code(&self) -> Option<String> {
        self.template.resolve(self.property("CodeUri")?)
    }

    /// A property that is a whole number, or `default` if it is not set.
    ///
    /// # Errors
    ///
    /// It is neither a number nor a parameter whose default is one.
    pub fn number(&self, name: &str, default: u64) -> Result<u64> {
        let Some(value) = self.property(name) else {
            return Ok(default);
        };
        let number = self.template.resolve(value);
        number.and_then(|text| text.parse().ok()).with_context(|| {
            format!(
                "the {name} of {} is neither a number nor a parameter: {value}",
                self.id
            )
        })
    }

    /// Its environment variables with their values; empty where that is decided
    /// by the deployment.
    #[must_use]
    pub fn variables(&self) -> BTreeMap<String, String> {
        let global = self
            .template
            .globals
            .pointer("/Function/Environment/Variables");
        members(global)
            .chain(self.resource.environment())
            .map(|(name, value)| {
                let value = self.template.resolve(value).unwrap_or_default();
                (name.to_owned(), value)
            })
            .collect()
    }

    /// Its tables: the logical id of each by the variable that names it.
    #[must_use]
    pub fn tables(&self) -> BTreeMap<&str, &str> {
        let tables = self.resource.environment().into_iter();
        let tables = tables.filter_map(|(variable, value)| {
            let referred = self.template.references(value).into_iter();
            let is_table = |id: &&str| {
                let resource = self.template.resources.get(*id);
                resource.is_some_and(|it| it.kind == TABLE)
            };
            Some((variable, referred.into_iter().find(is_table)?))
        });
        tables.collect()
    }

    /// The user as which it signs in to its database: that of the URL in its
    /// environment.
    #[must_use]
    pub fn database_user(&self) -> Option<String> {
        self.resource.environment().values().find_map(|value| {
            let url = value.to_string();
            let (_, rest) = url.split_once("mysql://")?;
            Some(rest.split_once('@')?.0.to_owned())
        })
    }

    /// Its environment variables on this machine: as the template declares them,
    /// except what is elsewhere here, and with [`LOCAL_ROLE`].
    #[must_use]
    pub fn local_variables(&self, local: &Local) -> BTreeMap<String, String> {
        let mut variables = self.variables();
        variables.extend(LOCAL_ROLE.map(|(name, value)| (name.to_owned(), value.to_owned())));
        for (variable, table) in self.tables() {
            let name = format!("{}{}", local.table_prefix, table_name(table));
            variables.insert(variable.to_owned(), name);
        }
        for (name, value) in &mut variables {
            match name.as_str() {
                "API_URL" => value.clone_from(&local.api),
                "AWS_ENDPOINT_URL_DYNAMODB" => value.clone_from(&local.dynamodb),
                "MYSQL_URL" => value.clone_from(&local.mysql),
                // In the template these have values for RDS and CloudWatch.
                "MYSQL_TLS" | "MYSQL_SIGN_IN" | "METRICS_NAMESPACE" => value.clear(),
                name if name.starts_with("AUTH_") => {
                    let auth = local.auth.iter().find(|(known, _)| *known == name);
                    *value = auth.map(|(_, value)| value.clone()).unwrap_or_default();
                }
                _ => {}
            }
        }
        variables
    }

    /// The paths that the HTTP API routes to it.
    #[must_use]
    pub fn paths(&self) -> Vec<String> {
        members(self.resource.properties.get("Events"))
            .filter(|(_, event)| event.get("Type").is_some_and(|it| it == "HttpApi"))
            // A route for one method is beside one for any: it has a limit of its own.
            .filter(|(_, event)| {
                event
                    .pointer("/Properties/Method")
                    .is_none_or(|it| it == "ANY")
            })
            .filter_map(|(_, event)| event.pointer("/Properties/Path")?.as_str())
            .map(str::to_owned)
            .collect()
    }

    fn property(&self, name: &str) -> Option<&Value> {
        let own = self.resource.properties.get(name);
        own.or_else(|| self.template.globals.get("Function")?.get(name))
    }
}

/// The local name of a table: its logical id without `Table`, in kebab case, such
/// as `idempotency-keys` for `IdempotencyKeysTable`.
#[must_use]
pub fn table_name(id: &str) -> String {
    let mut kebab = String::new();
    for c in id.strip_suffix("Table").unwrap_or(id).chars() {
        if c.is_ascii_uppercase() && !kebab.is_empty() {
            kebab.push('-');
        }
        kebab.push(c.to_ascii_lowercase());
    }
    kebab
}

fn members(value: Option<&Value>) -> impl Iterator<Item = (&str, &Value)> {
    let members = value.and_then(Value::as_object).into_iter().flatten();
    members.map(|(name, value)| (name.as_str(), value))
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
    Metadata: {BuildProperties: {Binary: migrate}}
    Properties: {Events: {Daily: {Type: Schedule}}}
  Hello:
    Type: AWS::Serverless::Function
    Metadata: {BuildProperties: {Binary: hello}}
    Properties:
      CodeUri: HelloFunction
      VpcConfig: !If [InVpc, {SubnetIds: [!Ref A]}, !Ref AWS::NoValue]
      Environment:
        Variables:
          API_URL: {Ref: Url}
          LEVEL: warn
          ARN: !GetAtt Table.Arn
          TABLE: !Ref LostThingsTable
          MYSQL_TLS: rds
          MYSQL_URL: !Sub ['mysql://lost@${Host}:3306/kea', {Host: !GetAtt Database.Address}]
      Events:
        Root: {Type: HttpApi, Properties: {Path: /, Method: ANY}}
  Table: {Type: AWS::SSM::Parameter}
  LostThingsTable: {Type: AWS::DynamoDB::Table}
";

    #[test]
    fn function_has_its_own_and_the_global_properties() {
        let template = Template::parse(TEMPLATE).unwrap();
        let functions: Vec<_> = template.functions().collect();
        assert_eq!(
            functions.iter().map(|it| it.binary).collect::<Vec<_>>(),
            ["hello", "migrate"]
        );
        let hello = functions[0];
        assert_eq!(hello.paths(), ["/"]);
        assert!(functions[1].paths().is_empty());
        assert_eq!(hello.code().as_deref(), Some("HelloFunction"));
        assert_eq!(hello.number("Timeout", 3).unwrap(), 7);
        assert_eq!(hello.number("MemorySize", 128).unwrap(), 128);
        let variables = hello.variables();
        assert_eq!(variables["LEVEL"], "warn");
        assert_eq!(variables["API_URL"], "");
        assert_eq!(variables["ARN"], "Table.Arn");
    }

    #[test]
    fn function_finds_its_stores_on_this_machine() {
        let template = Template::parse(TEMPLATE).unwrap();
        let hello = template.answering()[0];
        assert_eq!(hello.database_user().as_deref(), Some("lost"));
        let variables = hello.local_variables(&Local {
            api: "http://here".to_owned(),
            mysql: "mysql://here".to_owned(),
            table_prefix: "mine-".to_owned(),
            ..Local::default()
        });
        assert_eq!(variables["API_URL"], "http://here");
        assert_eq!(variables["TABLE"], "mine-lost-things");
        assert_eq!(variables["MYSQL_URL"], "mysql://here");
        assert_eq!(variables["MYSQL_TLS"], "");
    }

    #[test]
    fn number_that_only_a_deployment_decides_is_an_error() {
        let text = TEMPLATE.replace("!Ref Seconds", "!If [A, 1, 2]");
        let template = Template::parse(&text).unwrap();
        let hello = template.functions().next().unwrap();
        let error = hello.number("Timeout", 3).unwrap_err().to_string();
        assert!(error.contains("the Timeout of Hello"), "{error}");
    }

    #[test]
    fn function_without_a_binary_is_an_error() {
        let error = Template::parse("Resources: {F: {Type: AWS::Serverless::Function}}");
        let error = error.unwrap_err().to_string();
        assert!(error.contains("Binary"), "{error}");
    }

    #[test]
    fn reference_is_found_in_each_form() {
        let template = Template::parse(
            "Parameters: {P: {Type: String}}\n\
             Resources:\n\
             \x20 A: {Type: X}\n\
             \x20 B: {Type: X}\n\
             \x20 C: {Type: X}\n\
             \x20 D:\n\
             \x20   Type: Z\n\
             \x20   Properties:\n\
             \x20     One: !GetAtt A.Arn\n\
             \x20     Two: [!If [Sometimes, !Sub 'x:${B.Arn}/${P}', {'Fn::GetAtt': [C, Arn]}]]\n",
        )
        .unwrap();
        let found = template.references(&template.resources["D"].properties);
        assert_eq!(found, ["A", "B", "C", "P"].into());
    }
}
