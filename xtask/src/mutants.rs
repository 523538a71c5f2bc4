//! `cargo xtask mutants`.

use std::{ffi::OsString, process::ExitCode};

use anyhow::Result;

use crate::{
    process::{self, step},
    project::Project,
    stores::Stores,
    tools,
};

/// The packages that are changed by default.
const PACKAGES: [&str; 3] = ["chassis", "dto", "json"];

/// The packages whose tests are run against every mutant, beside those of its own:
/// they are fast and use all of [`PACKAGES`].
///
/// docs/testing.md has the score.
const TESTS: [&str; 3] = ["chassis", "dto", "openapi"];

/// Change the code of a package in small ways, and check that a test fails
///
/// Installs cargo-mutants into .kea/tools if it is missing. Runs the tests of the
/// package, of chassis, dto and openapi against each mutant, on throw-away stores. Prints
/// every mutant that no test catches, and a summary; the full report is in
/// .kea/mutants.out.
#[derive(clap::Args)]
pub struct Arguments {
    /// The package to change; may be repeated [default: chassis, dto and json]
    #[arg(long, value_name = "NAME")]
    package: Vec<String>,

    /// Further arguments of cargo-mutants: `--file crates/dto/src/money.rs` for some
    /// of the mutants, `--test-package tests` for the tests that cross services
    #[arg(last = true)]
    mutants: Vec<OsString>,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let project = Project::read()?;
    let cargo_mutants = tools::CARGO_MUTANTS.install(&project)?;
    let packages = match &arguments.package[..] {
        [] => PACKAGES.map(str::to_owned).to_vec(),
        packages => packages.to_vec(),
    };
    project.build(["stores"])?;
    let stores = Stores::throw_away(&project, &[])?;

    step(format_args!("Testing mutants of {}", packages.join(", ")));
    let mut mutants = process::command(cargo_mutants);
    mutants
        .args(["mutants", "--output"])
        .arg(project.own_folder())
        .args(packages.iter().flat_map(|name| ["--package", name]))
        .args(packages.iter().flat_map(|name| ["--test-package", name]))
        .args(TESTS.iter().flat_map(|name| ["--test-package", name]))
        .args(&arguments.mutants)
        .current_dir(&project.root);
    stores.set_variables(&project, &mut mutants);
    process::run(mutants)
}
