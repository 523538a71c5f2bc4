//! `cargo xtask test`.

use std::{ffi::OsString, process::ExitCode};

use anyhow::Result;

use crate::{
    process::{self, step},
    project::Project,
    stores::Stores,
    tools,
};

/// Run every test, on throw-away stores
///
/// Starts a DynamoDB and a MySQL of its own on free ports, so that it can run
/// beside `up`, and stops them at the end. Uses cargo-nextest if it is installed,
/// otherwise `cargo test`. docs/testing.md describes the tests.
#[derive(clap::Args)]
pub struct Arguments {
    /// Arguments of the runner, such as part of a test's name
    #[arg(last = true)]
    runner: Vec<OsString>,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let project = Project::read()?;
    tools::mariadbd()?;
    tools::chromium()?;

    step("Building");
    let mut build = process::cargo(&project.root);
    // As the runner builds, so that it has nothing to compile.
    build.args(["build", "--workspace", "--bins", "--tests"]);
    process::succeed(build, "the build")?;
    let stores = Stores::throw_away(&project, &[])?;

    step("Testing");
    let cargo = |arguments: &[&str]| {
        let mut command = process::cargo(&project.root);
        command.args(arguments);
        stores.set_variables(&project, &mut command);
        command
    };
    let has_nextest = programs::find("cargo-nextest", &[]).is_some();
    // nextest does not run documentation tests. They come first, so that its
    // summary is at the end.
    if has_nextest && arguments.runner.is_empty() {
        let documentation = cargo(&["test", "--doc", "--workspace", "--quiet"]);
        process::succeed(documentation, "the documentation tests")?;
    }
    let mut runner = if has_nextest {
        cargo(&["nextest", "run", "--workspace"])
    } else {
        cargo(&["test", "--workspace"])
    };
    runner.args(&arguments.runner);
    process::run(runner)
}
