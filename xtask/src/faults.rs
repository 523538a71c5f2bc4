//! `cargo xtask faults`.

use std::process::ExitCode;

use anyhow::Result;
use programs::guard;

use crate::{
    process::{self, Interrupt, step},
    project::Project,
    test::exit_code,
    tools,
};

/// The functions that have something to lose.
const FUNCTIONS: [&str; 2] = ["mysqldata", "nosqldata"];

/// Break the system in every way there is, and measure what comes of it
///
/// Runs the functions under the Lambda Runtime API, on throw-away stores and
/// with a proxy on every wire; puts them under load; breaks one thing after the
/// other, heals it, and prints a table. Ends with an error if an acknowledged
/// write was lost, one was done twice, or an answer was neither right nor a
/// problem. All of it takes about 25 minutes.
#[derive(clap::Args)]
pub struct Arguments {
    /// How long each fault lasts, in seconds
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..))]
    seconds: u16,

    /// Only the faults and scenarios whose name contains this
    #[arg(long, value_name = "NAME")]
    only: Option<String>,

    /// Write the table to docs/faults.md instead
    #[arg(long)]
    write: bool,
}

pub fn run(arguments: &Arguments, interrupt: &Interrupt) -> Result<ExitCode> {
    let project = Project::read()?;
    let cargo_lambda = tools::cargo_lambda(&project, interrupt)?;
    let mariadbd = tools::mariadbd(interrupt)?;

    step(format_args!("Building"));
    let mut build = process::cargo();
    build
        .args(["build", "--bin", "tools"])
        .args(FUNCTIONS.iter().flat_map(|function| ["--bin", function]))
        .current_dir(&project.root);
    process::succeed(build, "the build", interrupt)?;

    let program = project.program("tools");
    let logs = project.own_folder().join("faults");
    step(format_args!(
        "Breaking things; the logs are in {}",
        logs.display()
    ));
    let mut faults = guard::command(&program, process::GRACE);
    faults
        .arg("faults")
        .args(["--seconds", &arguments.seconds.to_string()])
        .args(arguments.only.iter().flat_map(|only| ["--only", only]))
        .arg("--functions")
        .arg(program.with_file_name(""))
        .arg("--logs")
        .arg(logs)
        .arg("--cargo-lambda")
        .arg(cargo_lambda)
        .arg("--mariadbd")
        .arg(mariadbd);
    if arguments.write {
        faults
            .arg("--write")
            .arg(project.root.join("docs/faults.md"));
    }
    Ok(exit_code(process::run(faults, interrupt)?))
}
