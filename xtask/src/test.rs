//! `cargo xtask test`.

use std::{
    ffi::OsString,
    process::{Command, ExitCode, ExitStatus},
};

use anyhow::Result;

use crate::{
    process::{self, Interrupt, step},
    project::Project,
    stores::Stores,
    tools,
};

/// Run every test, on throw-away stores
///
/// Starts a DynamoDB and a MySQL of its own on free ports, so that it can run
/// beside `up`, and stops them at the end. Runs the tests with cargo-nextest
/// where that is installed, and with `cargo test` otherwise.
#[derive(clap::Args)]
pub struct Arguments {
    /// Passed to the runner, such as a part of a test's name
    #[arg(last = true)]
    runner: Vec<OsString>,
}

pub fn run(arguments: &Arguments, interrupt: &Interrupt) -> Result<ExitCode> {
    let project = Project::read()?;
    let mariadbd = tools::mariadbd(interrupt)?;
    tools::chromium(interrupt)?;

    step(format_args!("Building"));
    let mut build = process::cargo();
    // As the runner builds them, so that it finds everything done.
    build
        .args(["build", "--workspace", "--bins", "--tests"])
        .current_dir(&project.root);
    process::succeed(build, "the build", interrupt)?;

    step(format_args!("Starting throw-away stores"));
    let stores = Stores::throw_away(&project, &mariadbd, &[], interrupt)?;

    step(format_args!("Testing"));
    let cargo = |subcommand: &[&str]| {
        let mut command = process::cargo();
        command.args(subcommand).current_dir(&project.root);
        stores.tell(&mut command);
        command
    };
    let nextest = has_nextest();
    // nextest leaves these out. They come first, so that its summary is the
    // last that is read. A choice of tests is unlikely to mean them.
    if nextest && arguments.runner.is_empty() {
        let documentation = cargo(&["test", "--doc", "--workspace", "--quiet"]);
        let status = process::run(documentation, interrupt)?;
        if !status.success() {
            return Ok(exit_code(status));
        }
    }
    let mut runner = if nextest {
        cargo(&["nextest", "run", "--workspace"])
    } else {
        cargo(&["test", "--workspace"])
    };
    runner.args(&arguments.runner);
    Ok(exit_code(process::run(runner, interrupt)?))
}

fn has_nextest() -> bool {
    Command::new("cargo-nextest")
        .args(["nextest", "--version"])
        .output()
        .is_ok_and(|said| said.status.success())
}

/// The runner's own.
pub fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    ExitCode::from(code.unwrap_or(1))
}
