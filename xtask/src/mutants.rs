//! `cargo xtask mutants`.

use std::{ffi::OsString, process::ExitCode};

use anyhow::Result;

use crate::{
    process::{self, step},
    project::Project,
    stores::Stores,
    tools,
};

/// Change the code of a package in small ways, and check that a test fails
///
/// Installs cargo-mutants into .kea/tools if it is missing. Each mutant is tested
/// with the tests of its own package, on throw-away stores. Prints every mutant
/// that no test catches, and a summary; the full report is in .kea/mutants.out.
/// docs/testing.md has the score.
#[derive(clap::Args)]
pub struct Arguments {
    /// The package to change; may be repeated [default: dto and chassis]
    #[arg(long, value_name = "NAME")]
    package: Vec<String>,

    /// Further arguments of cargo-mutants, such as --file 'crates/dto/src/number.rs'
    #[arg(last = true)]
    mutants: Vec<OsString>,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let project = Project::read()?;
    let cargo_mutants = tools::cargo_mutants(&project)?;
    let packages = match &arguments.package[..] {
        [] => vec!["dto".to_owned(), "chassis".to_owned()],
        packages => packages.to_vec(),
    };
    project.build(["stores"])?;
    let stores = Stores::throw_away(&project, &[])?;

    step(format_args!("Testing mutants of {}", packages.join(", ")));
    let mut mutants = process::command(cargo_mutants);
    process::remove_package_variables(&mut mutants);
    mutants
        .args(["mutants", "--colors", "auto", "--caught=false", "--output"])
        .arg(project.own_folder())
        .args(packages.iter().flat_map(|name| ["--package", name]))
        .args(&arguments.mutants)
        .current_dir(&project.root);
    stores.set_variables(&mut mutants);
    process::run(mutants)
}
