//! `cargo xtask validate`.

use std::{
    path::Path,
    process::{Command, ExitCode},
};

use anyhow::{Result, bail, ensure};
use template::Template;

use crate::{
    process::{self, step},
    project::Project,
    sam, tools,
};

/// The parameters that turn on all that `samconfig.toml` does not.
const EVERYTHING: &[&str] = &[
    "AlarmEmail=somebody@example.com",
    "ApiUrl=https://api.example.com",
    "BasePath=shop/v1",
    "Canary=true",
    "CorsOrigins=https://shop.example.com",
    // region: mysql
    "DatabaseMultiAz=true",
    // endregion
    // region: mysqldata
    "DatabaseProxy=true",
    // endregion
];

/// Validate template.yaml with SAM, cfn-lint and checkov, and the workflows
///
/// cfn-lint runs with the parameters of each environment of samconfig.toml, and
/// with everything turned on. What is suppressed is explained in the template.
/// actionlint checks .github/workflows. What these tools cannot check, such as routes
/// and permissions, is compared with the code by `cargo xtask test`.
#[derive(clap::Args)]
pub struct Arguments {}

pub fn run() -> Result<ExitCode> {
    let project = Project::read()?;
    let bin = tools::SAM.install(&project)?.join("bin");
    let checkov = tools::CHECKOV.install(&project)?.join("bin/checkov");
    let actionlint = tools::ACTIONLINT.install(&project)?;
    let template = project.root.join("template.yaml");

    let mut checks = Vec::new();
    let mut validate = command(&bin.join("sam"));
    validate.args(["validate", "--lint", "--template"]);
    validate.arg(&template);
    checks.push(("sam validate --lint".to_owned(), validate));
    for (name, parameters) in parameters(&project)? {
        let mut lint = command(&bin.join("cfn-lint"));
        if !parameters.is_empty() {
            lint.arg("--parameters").args(parameters);
        }
        lint.arg("--template").arg(&template);
        checks.push((format!("cfn-lint, {name}"), lint));
    }
    let mut scan = command(&checkov);
    scan.args(["--framework", "cloudformation", "--compact", "--quiet"]);
    scan.args(["--skip-download", "--file"]).arg(&template);
    checks.push(("checkov".to_owned(), scan));
    let mut workflows = process::command(actionlint);
    workflows
        .arg(".github/workflows/*.yml")
        .current_dir(&project.root);
    checks.push(("actionlint".to_owned(), workflows));

    let mut failed = Vec::new();
    for (name, check) in checks {
        step(&name);
        if !process::status(check)?.success() {
            failed.push(name);
        }
    }
    if failed.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    bail!(
        "these checks failed: {}; their output is above",
        failed.join("; ")
    )
}

/// A tool of AWS, with a region and without telemetry.
fn command(program: &Path) -> Command {
    let mut command = process::command(program);
    command
        .env("AWS_DEFAULT_REGION", "eu-north-1")
        .env("SAM_CLI_TELEMETRY", "0");
    command
}

/// The parameters, as `Name=value`, of the defaults, of everything and of each
/// environment.
fn parameters(project: &Project) -> Result<Vec<(String, Vec<String>)>> {
    let everything = EVERYTHING.iter().copied().map(str::to_owned).collect();
    let mut all = vec![
        ("defaults".to_owned(), Vec::new()),
        ("everything".to_owned(), everything),
    ];
    let environments = sam::environments(project)?.into_iter();
    let environments = environments.map(|(name, environment)| (name, environment.overrides));
    all.extend(environments.filter(|(_, overrides)| !overrides.is_empty()));
    let template = Template::read(&project.root.join("template.yaml"))?;
    for parameter in all.iter().flat_map(|(_, parameters)| parameters) {
        let name = parameter.split('=').next().unwrap_or_default();
        ensure!(
            template.parameters.contains_key(name),
            "template.yaml has no parameter {name}: remove it from samconfig.toml or \
             xtask/src/validate.rs"
        );
    }
    Ok(all)
}
