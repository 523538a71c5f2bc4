//! `cargo xtask test`.

use std::{ffi::OsString, process::ExitCode};

use anyhow::Result;

use crate::{
    process::{self, step},
    project::Project,
    stores::{self, Stores},
    tools,
};

/// Run every test, on throw-away stores
///
/// Starts a DynamoDB and a MySQL of its own on free ports, so that it can run
/// beside `up`, and stops them at the end. Needs MariaDB, and Chromium for the tests
/// of the package `tests` in a browser: what is missing is installed after asking.
/// Uses cargo-nextest if it is installed, otherwise `cargo test`. docs/testing.md
/// describes the tests.
#[derive(clap::Args)]
pub struct Arguments {
    /// Only the tests of this package, and build only what they need
    #[arg(short, long, value_name = "NAME")]
    package: Vec<String>,

    /// Only the tests whose name contains this
    filter: Option<String>,

    /// Arguments of cargo-nextest, or of `cargo test`
    #[arg(last = true)]
    runner: Vec<OsString>,
}

/// The package of the tests in a browser.
const WITH_BROWSER: &str = "tests";

pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let project = Project::read()?;
    let packages = &arguments.package;
    project.check_packages(packages)?;
    let are_all = packages.is_empty();
    let use_stores = are_all || packages.iter().any(|name| project.uses_stores(name));
    if use_stores && stores::uses_mysql()? {
        tools::mariadbd()?;
    }
    if are_all || packages.iter().any(|name| name == WITH_BROWSER) {
        tools::chromium()?;
    }

    step("Building");
    let selected = if are_all {
        vec!["--workspace"]
    } else {
        packages
            .iter()
            .flat_map(|name| ["--package", name])
            .collect()
    };
    // As the runner builds, so that it has nothing to compile.
    let kinds = ["--bins", "--tests"];
    project.cargo_build(selected.iter().copied().chain(kinds))?;
    let mut stores = None;
    if use_stores {
        if !are_all {
            project.build(["stores"])?;
        }
        stores = Some(Stores::throw_away(&project, &[])?);
    }

    step("Testing");
    let cargo = |arguments: &[&str]| {
        let mut command = process::cargo(&project.root);
        command.args(arguments).args(&selected);
        if let Some(stores) = &stores {
            stores.set_variables(&project, &mut command);
        }
        command
    };
    let has_nextest = programs::find("cargo-nextest", &[]).is_some();
    // nextest does not run documentation tests. They come first, so that its
    // summary is at the end.
    if has_nextest && are_all && arguments.filter.is_none() && arguments.runner.is_empty() {
        let documentation = cargo(&["test", "--doc", "--quiet"]);
        process::succeed(documentation, "the documentation tests")?;
    }
    let mut runner = if has_nextest {
        cargo(&["nextest", "run"])
    } else {
        cargo(&["test"])
    };
    runner.args(&arguments.filter).args(&arguments.runner);
    process::run(runner)
}
