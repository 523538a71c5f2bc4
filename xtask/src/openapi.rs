//! `cargo xtask openapi` and `cargo xtask assets`.

use std::process::ExitCode;

use anyhow::Result;

use crate::{process, project::Project, tools};

/// Write the OpenAPI document from the descriptions of all functions
#[derive(clap::Args)]
pub struct Document {
    /// Write nothing, and fail with the difference if a file is stale
    #[arg(long)]
    check: bool,
}

/// Fetch Swagger UI and ReDoc at their pinned versions, and check every byte
///
/// Needs npm. The files are part of the repository, so a build does not.
#[derive(clap::Args)]
pub struct Assets {
    /// Write nothing, and fail if a file would differ
    #[arg(long)]
    check: bool,
}

pub fn document(arguments: &Document) -> Result<ExitCode> {
    run("openapi", arguments.check)
}

pub fn assets(arguments: &Assets) -> Result<ExitCode> {
    tools::NPM.install()?;
    run("assets", arguments.check)
}

/// Runs the program of a package that is not linked into this one because it
/// takes a while to compile.
fn run(package: &str, check: bool) -> Result<ExitCode> {
    let mut command = process::cargo(&Project::read()?.root);
    command.args(["run", "--quiet", "--package", package, "--"]);
    command.args(check.then_some("--check"));
    process::run(command)
}
