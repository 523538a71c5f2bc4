//! `cargo xtask openapi` and `cargo xtask assets`.

use std::{ffi::OsString, process::ExitCode};

use anyhow::Result;

use crate::{process, project::Project};

/// Write the OpenAPI document from the descriptions of all functions
///
/// `--check` writes nothing and fails with the difference.
#[derive(clap::Args)]
pub struct Document {
    #[arg(allow_hyphen_values = true, num_args = 0.., hide = true)]
    arguments: Vec<OsString>,
}

/// Fetch Swagger UI and ReDoc at their pinned versions, and check every byte
///
/// Needs npm. The files are part of the repository, so a build does not. `--check`
/// writes nothing and fails if a file would differ.
#[derive(clap::Args)]
pub struct Assets {
    #[arg(allow_hyphen_values = true, num_args = 0.., hide = true)]
    arguments: Vec<OsString>,
}

pub fn document(arguments: &Document) -> Result<ExitCode> {
    run("openapi", &arguments.arguments)
}

pub fn assets(arguments: &Assets) -> Result<ExitCode> {
    run("assets", &arguments.arguments)
}

/// Runs the program of a package that is not linked into this one because it
/// takes a while to compile.
fn run(package: &str, arguments: &[OsString]) -> Result<ExitCode> {
    let mut command = process::cargo(&Project::read()?.root);
    command
        .args(["run", "--quiet", "--package", package, "--"])
        .args(arguments);
    process::run(command)
}
