//! `cargo xtask regenerate`.

use std::process::ExitCode;

use anyhow::Result;

use crate::{
    process::{self, step},
    project::Project,
    stores::{self, Stores},
};

/// Regenerate what is generated: snapshots, the OpenAPI document, the diagrams
///
/// And the environment of plain `cargo lambda watch` in Cargo.toml.
#[derive(clap::Args)]
pub struct Arguments;

pub fn run() -> Result<ExitCode> {
    regenerate(&Project::read()?)?;
    Ok(ExitCode::SUCCESS)
}

/// Regenerates what is generated, in the order in which one depends on another: the
/// document has the snapshots as examples, and the snapshots have its size.
pub fn regenerate(project: &Project) -> Result<()> {
    stores::write_manifest_environment(project)?;
    step("Building");
    project.build(["stores"])?;
    {
        let stores = Stores::throw_away(project, &[])?;
        step("Regenerating the snapshots");
        let mut replay = process::cargo(&project.root);
        // Without a package, its dependencies have the features that they have in
        // other builds, so that they are not built again.
        replay.args(["test", "--quiet", "--test", "replay"]);
        replay.env("INSTA_UPDATE", "always");
        stores.set_variables(project, &mut replay);
        process::succeed(replay, "the replay of the events")?;
    }
    step("Regenerating the OpenAPI document");
    let mut openapi = process::cargo(&project.root);
    openapi.args(["run", "--quiet", "--package", "openapi"]);
    process::succeed(openapi, "cargo xtask openapi")?;
    step("Regenerating the diagrams");
    let mut diagrams = process::command(std::env::current_exe()?);
    diagrams.arg("diagrams").current_dir(&project.root);
    process::succeed(diagrams, "cargo xtask diagrams")
}
