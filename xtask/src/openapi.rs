//! `cargo xtask openapi` and `cargo xtask assets`.

use std::{ffi::OsString, process::ExitCode};

use anyhow::Result;

use crate::{
    process::{self, Interrupt},
    project::Project,
    test::exit_code,
};

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
/// Needs npm, and nothing else does: what is fetched lies in the repository.
/// `--check` writes nothing and fails where a file would differ.
#[derive(clap::Args)]
pub struct Assets {
    #[arg(allow_hyphen_values = true, num_args = 0.., hide = true)]
    arguments: Vec<OsString>,
}

pub fn document(arguments: &Document, interrupt: &Interrupt) -> Result<ExitCode> {
    run("openapi", &arguments.arguments, interrupt)
}

pub fn assets(arguments: &Assets, interrupt: &Interrupt) -> Result<ExitCode> {
    run("assets", &arguments.arguments, interrupt)
}

/// Runs the program of the package, which is not linked into this one: it
/// takes a while to compile.
fn run(package: &str, arguments: &[OsString], interrupt: &Interrupt) -> Result<ExitCode> {
    let mut command = process::cargo();
    command
        .args(["run", "--quiet", "--package", package, "--"])
        .args(arguments)
        .current_dir(Project::read()?.root);
    Ok(exit_code(process::run(command, interrupt)?))
}
