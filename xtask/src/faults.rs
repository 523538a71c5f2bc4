// region: mysqldata nosqldata
//! `cargo xtask faults`.

use std::process::ExitCode;

use anyhow::Result;

use crate::{
    process::{self, step},
    project::Project,
    tools,
};

/// Inject every fault under load and measure the outcome
///
/// Runs the functions under the Lambda Runtime API, on throw-away stores and
/// with a fault proxy in front of every dependency; puts them under load; injects
/// one fault after the other, heals it, and prints a table. Fails if an
/// acknowledged write was lost, a write was executed twice, or a response was
/// neither correct nor a problem. A full run takes about 25 minutes.
#[derive(clap::Args)]
pub struct Arguments {
    /// The duration of each fault, in seconds
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..))]
    seconds: u16,

    /// Only the faults and scenarios whose name contains this
    #[arg(long, value_name = "NAME")]
    only: Option<String>,

    /// Write the table to docs/faults.md instead of printing it
    #[arg(long, conflicts_with = "only")]
    write: bool,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let project = Project::read()?;
    let cargo_lambda = tools::cargo_lambda(&project)?;
    tools::mariadbd()?;
    step("Building");
    project.build(["tools", "mysqldata", "nosqldata"])?;

    step("Injecting faults; the logs are in .kea/faults");
    let mut faults = project.tools("faults");
    faults
        .args(["--seconds", &arguments.seconds.to_string()])
        .args(arguments.only.iter().flat_map(|only| ["--only", only]))
        .args(arguments.write.then_some("--write"))
        .arg("--cargo-lambda")
        .arg(cargo_lambda);
    process::run(faults)
}
// endregion
