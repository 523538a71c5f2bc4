//! `cargo xtask preflight`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    process::{Command, ExitCode},
};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use template::{Function, Template};

use crate::{
    process::{self, step},
    project::Project,
    sam,
};

/// The concurrency that Lambda keeps unreserved in an account
/// (<https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html>).
const UNRESERVED: u64 = 100;

/// Check what would stop a deployment, before it is started
///
/// Reads the environment of samconfig.toml and asks AWS, with `aws`, for the
/// credentials, the region, the state of the stack, the concurrency that is left,
/// the class of the database and the account's plan. Changes nothing.
#[derive(clap::Args)]
pub struct Arguments {
    /// The environment of samconfig.toml
    #[arg(long, value_name = "NAME", default_value = "default")]
    config_env: String,

    /// Check instead that every function's alias `live` has its latest configuration
    #[arg(long)]
    deployed: bool,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let project = Project::read()?;
    let plan = Plan::read(&project, &arguments.config_env)?;
    if arguments.deployed {
        return deployed(&project, &plan.stack);
    }
    step(format_args!("Checking what {} needs", plan.stack));
    let account = Account::ask(&plan)?;
    let blockers = blockers(&plan, &account);
    if blockers.is_empty() {
        println!(
            "nothing stops the deployment of {} to {}",
            plan.stack, account.region
        );
        return Ok(ExitCode::SUCCESS);
    }
    for blocker in &blockers {
        eprintln!("- {blocker}");
    }
    bail!("{} would not be deployed: see above", plan.stack)
}

/// What is to be deployed.
struct Plan {
    stack: String,
    /// The values of all parameters.
    parameters: BTreeMap<String, String>,
    /// The concurrency that functions take from the account.
    concurrency: Vec<Concurrency>,
    /// The regions whose certificate authorities are compiled in.
    regions: Vec<String>,
}

impl Plan {
    fn read(project: &Project, environment: &str) -> Result<Self> {
        let config = sam::environments(project)?.remove(environment);
        let config = config.with_context(|| format!("samconfig.toml has no [{environment}]"))?;
        let stack = config.stack;
        let stack = stack.with_context(|| format!("[{environment}] has no stack_name"))?;

        let template = Template::read(&project.root.join("template.yaml"))?;
        let mut parameters = BTreeMap::new();
        for (name, parameter) in &template.parameters {
            let text = match parameter.get("Default") {
                Some(Value::String(text)) => text.clone(),
                Some(other) => other.to_string(),
                None => continue,
            };
            parameters.insert(name.clone(), text);
        }
        let overrides = config.overrides.iter();
        let overrides = overrides.filter_map(|it| it.split_once('='));
        parameters.extend(overrides.map(|(name, value)| (name.to_owned(), value.to_owned())));
        // None if no function uses a database.
        let roots = fs::read_dir(project.root.join("crates/mysql/roots"));
        let roots = roots.into_iter().flatten().flatten();
        let roots = roots.filter_map(|file| file.file_name().into_string().ok());
        let concurrency = template.functions();
        let concurrency = concurrency.map(|it| Concurrency::of(&template, it, &parameters));
        Ok(Self {
            stack,
            concurrency: concurrency.collect(),
            parameters,
            regions: roots
                .filter_map(|name| Some(name.strip_suffix(".pem")?.to_owned()))
                .collect(),
        })
    }

    fn parameter(&self, name: &str) -> &str {
        self.parameters.get(name).map_or("", String::as_str)
    }

    /// The value of a parameter that is a number; 0 if there is none.
    fn number(&self, name: &str) -> u64 {
        self.parameter(name).parse().unwrap_or_default()
    }
}

/// The concurrency that a function takes from the account.
struct Concurrency {
    /// Its logical id.
    function: String,
    reserved: u64,
    provisioned: u64,
    /// The parameters that decide both.
    parameters: Vec<String>,
}

impl Concurrency {
    fn of(template: &Template, function: Function, values: &BTreeMap<String, String>) -> Self {
        let property = |name| function.resource.properties.get(name);
        let reserved = property("ReservedConcurrentExecutions");
        let provisioned = property("ProvisionedConcurrencyConfig");
        let parameters = [reserved, provisioned].into_iter().flatten();
        let parameters = parameters.flat_map(|it| template.references(it));
        Self {
            function: function.id.to_owned(),
            reserved: reserved.map_or(0, |it| executions(it, values)),
            provisioned: provisioned.map_or(0, |it| executions(it, values)),
            parameters: parameters.map(str::to_owned).collect(),
        }
    }

    /// What is not left for other functions: what is provisioned is part of what is
    /// reserved.
    fn taken(&self) -> u64 {
        self.reserved.max(self.provisioned)
    }
}

/// The number of executions in a property: a number, a parameter, or one of these
/// under a condition, which a parameter of 0 makes false.
fn executions(value: &Value, parameters: &BTreeMap<String, String>) -> u64 {
    match value {
        Value::String(name) => {
            let number = parameters.get(name).unwrap_or(name);
            number.parse().unwrap_or_default()
        }
        Value::Array(condition) => condition.get(1).map_or(0, |it| executions(it, parameters)),
        Value::Object(members) => members
            .get("ProvisionedConcurrentExecutions")
            .map_or(0, |it| executions(it, parameters)),
        number => number.as_u64().unwrap_or_default(),
    }
}

/// What AWS reports of the account.
#[derive(Default)]
struct Account {
    region: String,
    /// The status of the stack; `None` if there is none.
    stack: Option<String>,
    /// The concurrency of all functions, and what of it the stack has reserved.
    concurrency: u64,
    unreserved: u64,
    /// Whether the region has the database's class; `None` if that is not known.
    has_class: Option<bool>,
    /// Whether the account has the free plan.
    is_free: bool,
}

impl Account {
    fn ask(plan: &Plan) -> Result<Self> {
        aws("sts get-caller-identity")
            .context("there are no valid credentials: `aws configure sso`, or set AWS_PROFILE")?;
        let region = sam::region().context("there is no region: set AWS_REGION")?;
        let stack = aws(&format!(
            "cloudformation describe-stacks --stack-name {}",
            plan.stack
        ));
        let stack = match stack {
            Err(error) if error.to_string().contains("does not exist") => None,
            stack => {
                let stack = stack.context("the state of the stack cannot be read")?;
                let status = stack.pointer("/Stacks/0/StackStatus");
                status.and_then(Value::as_str).map(str::to_owned)
            }
        };
        let lambda =
            aws("lambda get-account-settings").context("the limits of Lambda cannot be read")?;
        let limit = |name: &str| {
            let limit = lambda.pointer(&format!("/AccountLimit/{name}"));
            limit.and_then(Value::as_u64).unwrap_or_default()
        };
        let class = plan.parameter("DatabaseClass");
        let offered = aws(&format!(
            "rds describe-orderable-db-instance-options --engine mysql \
             --db-instance-class {class} --max-items 1"
        ));
        let offered = offered.ok().and_then(|it| {
            let options = it.get("OrderableDBInstanceOptions")?.as_array()?;
            Some(!options.is_empty())
        });
        // Older accounts have no plan.
        let account = aws("freetier get-account-plan-state --region us-east-1").ok();
        let account = account.and_then(|it| Some(it.get("accountPlanType")?.as_str()? == "FREE"));
        Ok(Self {
            region,
            stack,
            concurrency: limit("ConcurrentExecutions"),
            unreserved: limit("UnreservedConcurrentExecutions"),
            has_class: offered,
            is_free: account.unwrap_or(false),
        })
    }
}

/// Whether a stack can have this name, which is part of other names.
pub fn is_stack_name(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    name.len() <= 50
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(allowed)
        && !["aws", "amazon", "cognito"]
            .iter()
            .any(|it| name.contains(it))
}

/// What would stop the deployment, and what to do.
fn blockers(plan: &Plan, account: &Account) -> Vec<String> {
    let mut blockers = Vec::new();
    let mut blocker = |text: String| blockers.push(text);
    if !is_stack_name(&plan.stack) {
        blocker(format!(
            "the stack cannot be called {}: the names of its database, its log groups and its \
             sign-in page begin with that, so it has at most 50 lower-case letters, digits and \
             hyphens, begins with a letter, and does not contain aws, amazon or cognito",
            plan.stack
        ));
    }
    let keys = ["AuthJwks", "AuthJwksUrl"].map(|name| plan.parameter(name));
    let has_keys = keys.iter().any(|value| !value.is_empty());
    if plan.parameter("AuthIssuer").is_empty() {
        if has_keys {
            blocker("AuthJwks and AuthJwksUrl need AuthIssuer, whose keys they are".to_owned());
        }
    } else if !has_keys || plan.parameter("AuthAudience").is_empty() {
        blocker("AuthIssuer needs AuthAudience and its keys: AuthJwksUrl or AuthJwks".to_owned());
    }
    if !plan.regions.is_empty() && !plan.regions.contains(&account.region) {
        blocker(format!(
            "the certificate authority of RDS in {} is not compiled in: see crates/mysql/roots/README.md",
            account.region
        ));
    }
    // The first change set of such a stack was declined, so that it has nothing yet.
    let status = account.stack.as_deref();
    let status = status.filter(|it| *it != "REVIEW_IN_PROGRESS");
    let is_new = status.is_none();
    match status {
        Some("ROLLBACK_COMPLETE" | "ROLLBACK_FAILED" | "CREATE_FAILED" | "DELETE_FAILED") => {
            blocker(format!(
                "the first deployment of {0} failed: `sam delete --stack-name {0}`",
                plan.stack
            ));
        }
        Some("UPDATE_ROLLBACK_FAILED") => blocker(format!(
            "a rollback of {0} failed: `aws cloudformation continue-update-rollback --stack-name {0}`",
            plan.stack
        )),
        Some(status) if status.ends_with("_IN_PROGRESS") => {
            blocker(format!(
                "{} is {status}: wait until it has ended",
                plan.stack
            ));
        }
        _ => {}
    }
    concurrency_blockers(plan, account, is_new, &mut blocker);
    if is_new && plan.parameter("DeletionProtection") == "true" {
        blocker(
            "DeletionProtection=true would block the rollback of a failed first deployment: turn \
             it on afterwards"
                .to_owned(),
        );
    }
    let class = plan.parameter("DatabaseClass");
    let storage = plan.number("DatabaseStorageGb");
    let most = plan.number("DatabaseMaxStorageGb");
    if most * 10 < storage * 11 {
        blocker(format!(
            "DatabaseMaxStorageGb={most} is less than a tenth above DatabaseStorageGb={storage}, \
             which RDS refuses"
        ));
    }
    if account.has_class == Some(false) {
        blocker(format!(
            "RDS offers no {class} for MySQL in {}: set DatabaseClass to another",
            account.region
        ));
    }
    if account.is_free && !class.is_empty() {
        if !class.split('.').any(|size| size == "micro") {
            blocker(format!(
                "the account's free plan has no {class}: set DatabaseClass=db.t4g.micro"
            ));
        }
        if plan.number("DatabaseBackupDays") > 1 {
            blocker(
                "the account's free plan keeps backups for a day: set DatabaseBackupDays=1"
                    .to_owned(),
            );
        }
        if plan.parameter("DatabaseMultiAz") == "true" {
            blocker("the account's free plan has no standby: set DatabaseMultiAz=false".to_owned());
        }
    }
    blockers
}

/// What would stop it of the functions' concurrency. That of an existing stack is taken
/// already.
fn concurrency_blockers(
    plan: &Plan,
    account: &Account,
    is_new: bool,
    blocker: &mut impl FnMut(String),
) {
    for it in &plan.concurrency {
        if it.reserved > 0 && it.provisioned > it.reserved {
            blocker(format!(
                "{} provisions {} instances, more than the {} that it reserves: change {}",
                it.function,
                it.provisioned,
                it.reserved,
                it.parameters.join(" or ")
            ));
        }
    }
    let taken: u64 = plan.concurrency.iter().map(Concurrency::taken).sum();
    if is_new && taken > 0 && account.unreserved < taken + UNRESERVED {
        let parameters = plan.concurrency.iter().flat_map(|it| &it.parameters);
        let is_set = |name: &&String| plan.number(name) > 0;
        let parameters: BTreeSet<_> = parameters.filter(is_set).collect();
        let settings: Vec<_> = parameters.iter().map(|name| format!("{name}=0")).collect();
        let set = match &settings[..] {
            [] => String::new(),
            settings => format!("set {}, or ", settings.join(" and ")),
        };
        blocker(format!(
            "a concurrency of {taken} cannot be reserved: the account has {} of {} concurrent \
             executions left, of which {UNRESERVED} stay unreserved: {set}request a higher quota",
            account.unreserved, account.concurrency,
        ));
    }
}

/// Fails if a change of a function has not reached its alias.
fn deployed(project: &Project, stack: &str) -> Result<ExitCode> {
    let template = Template::read(&project.root.join("template.yaml"))?;
    for function in template.functions() {
        let id = function.id;
        let resource = aws(&format!(
            "cloudformation describe-stack-resource --stack-name {stack} \
             --logical-resource-id {id}"
        ))?;
        let name = resource.pointer("/StackResourceDetail/PhysicalResourceId");
        let name = name
            .and_then(Value::as_str)
            .context("the function has no name")?;
        let configuration = |qualifier: &str| {
            aws(&format!(
                "lambda get-function-configuration --function-name {name} \
                 --qualifier {qualifier}"
            ))
        };
        let stale = differences(&configuration("$LATEST")?, &configuration("live")?);
        ensure!(
            stale.is_empty(),
            "a change of {} in {id} has not reached `live`",
            stale.join(", ")
        );
    }
    println!("every change has reached `live`");
    Ok(ExitCode::SUCCESS)
}

/// The settings of a function in which a version is behind.
pub fn differences(latest: &Value, version: &Value) -> Vec<String> {
    // These differ between two versions of the same.
    let own = [
        "FunctionArn",
        "LastModified",
        "MasterArn",
        "RevisionId",
        "Version",
    ];
    let settings = latest.as_object().into_iter().flatten();
    let settings = settings.filter(|(name, value)| {
        !own.contains(&name.as_str()) && version.get(name.as_str()) != Some(*value)
    });
    settings.map(|(name, _)| name.clone()).collect()
}

/// The output of `aws` with these arguments, without blanks in one, as JSON.
fn aws(arguments: &str) -> Result<Value> {
    ensure!(
        programs::find("aws", &[]).is_some(),
        "the AWS CLI is needed: https://aws.amazon.com/cli/"
    );
    let mut aws = Command::new("aws");
    aws.args(arguments.split_whitespace());
    aws.args(["--output", "json"]).env("AWS_PAGER", "");
    Ok(serde_json::from_str(&process::output(&mut aws)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATE: &str = "\
Parameters:
  Reserved: {Type: Number, Default: 0}
  Provisioned: {Type: Number, Default: 0}
Resources:
  OrdersFunction:
    Type: AWS::Serverless::Function
    Metadata: {BuildProperties: {Binary: orders}}
    Properties:
      ReservedConcurrentExecutions: !If [HasReserved, !Ref Reserved, !Ref AWS::NoValue]
      ProvisionedConcurrencyConfig: !If [HasProvisioned, {ProvisionedConcurrentExecutions: !Ref Provisioned}, !Ref AWS::NoValue]
  HelloFunction:
    Type: AWS::Serverless::Function
    Metadata: {BuildProperties: {Binary: hello}}
    Properties: {Timeout: 1}
";

    fn plan(parameters: &[(&str, &str)]) -> Plan {
        let parameters = parameters.iter();
        let parameters = parameters
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let template = Template::parse(TEMPLATE).unwrap();
        let functions = template.functions();
        Plan {
            stack: "kea-dev".to_owned(),
            concurrency: functions
                .map(|it| Concurrency::of(&template, it, &parameters))
                .collect(),
            parameters,
            regions: vec!["eu-north-1".to_owned()],
        }
    }

    fn account() -> Account {
        Account {
            region: "eu-north-1".to_owned(),
            concurrency: 1000,
            unreserved: 1000,
            ..Account::default()
        }
    }

    #[test]
    fn blocker_names_its_remedy() {
        let backups = [
            ("DatabaseBackupDays", "7"),
            ("DatabaseClass", "db.t4g.micro"),
        ];
        let protected = [("DeletionProtection", "true")];
        let storage = [
            ("DatabaseStorageGb", "1000"),
            ("DatabaseMaxStorageGb", "1000"),
        ];
        let keys = [("AuthJwks", "{}")];
        let issuer = [("AuthIssuer", "https://issuer.example.com")];
        let status = |status: &str| Account {
            stack: Some(status.to_owned()),
            ..account()
        };
        for (parameters, account, expected) in [
            (
                &[][..],
                Account {
                    region: "il-central-1".to_owned(),
                    ..account()
                },
                Some("roots/README.md"),
            ),
            (
                &[],
                status("ROLLBACK_COMPLETE"),
                Some("sam delete --stack-name kea-dev"),
            ),
            (
                &[],
                status("UPDATE_ROLLBACK_FAILED"),
                Some("continue-update-rollback"),
            ),
            (&[], status("UPDATE_IN_PROGRESS"), Some("wait")),
            (&keys, account(), Some("need AuthIssuer")),
            (&issuer, account(), Some("AuthIssuer needs")),
            (&protected, account(), Some("turn it on afterwards")),
            (&protected, status("UPDATE_COMPLETE"), None),
            (&[], status("REVIEW_IN_PROGRESS"), None),
            (
                &protected,
                status("REVIEW_IN_PROGRESS"),
                Some("turn it on afterwards"),
            ),
            (&storage, account(), Some("DatabaseMaxStorageGb=1000")),
            (
                &[],
                Account {
                    has_class: Some(false),
                    ..account()
                },
                Some("offers no"),
            ),
            (
                &backups,
                Account {
                    is_free: true,
                    ..account()
                },
                Some("DatabaseBackupDays=1"),
            ),
        ] {
            let blockers = blockers(&plan(parameters), &account).join("; ");
            assert_eq!(blockers.is_empty(), expected.is_none(), "{blockers}");
            assert!(
                blockers.contains(expected.unwrap_or_default()),
                "{blockers}"
            );
        }
    }

    #[test]
    fn concurrency_that_an_account_does_not_have_is_a_blocker() {
        let reserved = [("Reserved", "20")];
        let provisioned = [("Provisioned", "20")];
        let both = [("Reserved", "20"), ("Provisioned", "21")];
        for (parameters, unreserved, is_new, expected) in [
            (&reserved[..], 120, true, ""),
            (&reserved, 119, true, "set Reserved=0, or"),
            (&reserved, 119, false, ""),
            (&provisioned, 119, true, "set Provisioned=0, or"),
            (&both, 1000, true, "OrdersFunction provisions 21"),
            (&[], 10, true, ""),
        ] {
            let stack = (!is_new).then(|| "UPDATE_COMPLETE".to_owned());
            let account = Account {
                stack,
                unreserved,
                ..account()
            };
            let blockers = blockers(&plan(parameters), &account).join("; ");
            assert_eq!(blockers.is_empty(), expected.is_empty(), "{blockers}");
            assert!(blockers.contains(expected), "{blockers}");
        }
    }

    #[test]
    fn name_of_a_stack_is_part_of_other_names() {
        assert!(is_stack_name("kea-dev2"));
        for name in ["", "Kea", "2nd", "kea_dev", "my-aws-stack", &"k".repeat(51)] {
            assert!(!is_stack_name(name), "{name}");
        }
    }

    #[test]
    fn environments_of_samconfig_are_read() {
        let project = Project::read().unwrap();
        let plan = Plan::read(&project, "dev").unwrap();
        assert_eq!(plan.stack, "kea-dev");
        assert_eq!(plan.parameter("Protected"), "false");
        let taken: u64 = plan.concurrency.iter().map(Concurrency::taken).sum();
        assert_eq!(taken, 0, "new accounts have little");
        // region: mysql
        assert_eq!(plan.parameter("DatabaseClass"), "db.t4g.micro");
        // endregion
        assert!(Plan::read(&project, "none").is_err());
    }
}
