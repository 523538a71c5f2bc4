//! `cargo xtask lambda`.

use std::{
    ffi::OsString,
    os::unix::process::CommandExt,
    process::{Command, ExitCode},
};

use anyhow::{Context, Result};

use crate::{process, project::Project, tools};

/// Run the project's own cargo-lambda
///
/// Installs it into .kea/tools if it is missing, and for `build` the linker that it
/// needs: `cargo xtask lambda invoke hello --data-file events/hello/get.json`. With
/// `watch`, functions accept the tokens of `cargo xtask token`.
#[derive(clap::Args)]
pub struct Arguments {
    /// The arguments of `cargo lambda`
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let project = Project::read()?;
    let mut lambda = Command::new(tools::cargo_lambda(&project)?);
    process::remove_package_variables(&mut lambda);
    let command = arguments.arguments.first();
    if command.is_some_and(|it| it == "build") {
        tools::set_linker(&project, &mut lambda)?;
    }
    if command.is_some_and(|it| it == "watch") {
        // The rest of the environment is in the manifest; the key is this machine's.
        lambda.envs(tokens::environment(&[project.signing_key()?.jwk()]));
    }
    lambda.arg("lambda").args(&arguments.arguments);
    // Replaces this process, since it is that program's terminal.
    Err(lambda.exec()).context("cargo-lambda cannot be started")
}
