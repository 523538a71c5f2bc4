//! `cargo xtask validate`: the template, before anybody deploys it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use anyhow::{Context, Result, bail};
use programs::guard;

use crate::{
    process::{self, Interrupt, step},
    project::Project,
    tools,
};

/// What the transformed template is looked at as: what `samconfig.toml` does not
/// turn on, all of it.
const EVERYTHING: &[&str] = &[
    "AlarmEmail=somebody@example.com",
    "ApiUrl=https://api.example.com",
    "Canary=true",
    "CorsOrigins=https://shop.example.com",
    "DatabaseMultiAz=true",
    "DatabaseProxy=true",
];

/// The transform of SAM's own library, as `CloudFormation` runs it.
const TRANSFORM: &str = include_str!("transform.py");

/// Validate template.yaml by every tool that knows something of it
///
/// By SAM, by cfn-lint before and after the SAM transform, with the parameters
/// of each environment, and by checkov. What is suppressed says why in the
/// template. What these tools miss is held against the code by `cargo xtask test`.
#[derive(clap::Args)]
pub struct Arguments {}

/// Runs every tool, and fails where one did.
pub fn run(_: &Arguments, interrupt: &Interrupt) -> Result<ExitCode> {
    let project = Project::read()?;
    let sam = tools::sam(&project, interrupt)?;
    let checkov = tools::checkov(&project, interrupt)?;
    let template = project.root.join("template.yaml");
    let mut failed = Vec::new();
    let mut check = |name: &str, command: Command| -> Result<()> {
        step(format_args!("{name}"));
        if let Err(error) = process::succeed(command, name, interrupt) {
            interrupt.check()?;
            eprintln!("{error:#}");
            failed.push(name.to_owned());
        }
        Ok(())
    };

    let mut validate = program(&sam.join("bin/sam"));
    validate.args(["validate", "--lint", "--template"]);
    validate.arg(&template);
    check("sam validate --lint", validate)?;

    let mut lint = program(&sam.join("bin/cfn-lint"));
    lint.arg(&template);
    check("cfn-lint", lint)?;

    let folder = project.own_folder().join("transformed");
    fs::create_dir_all(&folder)?;
    let script = folder.join("transform.py");
    fs::write(&script, TRANSFORM)?;
    for (name, parameters) in parameters(&project.root)? {
        let transformed = folder.join(format!("{name}.json"));
        let mut transform = program(&sam.join("bin/python3"));
        transform.arg(&script).arg(&template).arg(&transformed);
        transform.args(&parameters);
        check(&format!("the SAM transform, {name}"), transform)?;
        let mut lint = program(&sam.join("bin/cfn-lint"));
        // The transform puts the value of `Canary` where the parameter was.
        lint.args(["--ignore-checks", "W2001", "--template"]);
        lint.arg(&transformed);
        check(
            &format!("cfn-lint of the transformed template, {name}"),
            lint,
        )?;
    }

    let mut scan = program(&checkov.join("bin/checkov"));
    scan.args(["--framework", "cloudformation", "--compact", "--quiet"])
        .args(["--skip-download", "--file"])
        .arg(&template);
    check("checkov", scan)?;

    if failed.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    bail!("the template did not pass: {}", failed.join("; "))
}

/// A tool of AWS's, that is to know a region and to keep what it knows to itself.
fn program(program: &Path) -> Command {
    let mut command = guard::command(program, std::time::Duration::ZERO);
    command
        .env("AWS_DEFAULT_REGION", "eu-north-1")
        .env("SAM_CLI_TELEMETRY", "0");
    command
}

/// The parameters of each deployment that is written down, and of one with
/// everything in it.
fn parameters(root: &Path) -> Result<Vec<(String, Vec<String>)>> {
    let path: PathBuf = root.join("samconfig.toml");
    let config = fs::read_to_string(&path)?;
    let config: toml::Table = config
        .parse()
        .with_context(|| format!("{}", path.display()))?;
    let mut all = vec![(
        "everything".to_owned(),
        EVERYTHING.iter().map(ToString::to_string).collect(),
    )];
    for (name, environment) in &config {
        let Some(deploy) = environment.get("deploy") else {
            continue;
        };
        let overrides = deploy
            .get("parameters")
            .and_then(|p| p.get("parameter_overrides"));
        let overrides = overrides.and_then(toml::Value::as_array);
        let overrides = overrides.into_iter().flatten();
        let overrides = overrides.filter_map(|o| o.as_str().map(str::to_owned));
        all.push((name.clone(), overrides.collect()));
    }
    Ok(all)
}
