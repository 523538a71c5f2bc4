//! `cargo xtask regenerate`.

use std::process::ExitCode;

use anyhow::{Result, ensure};
use fs_err as fs;

use crate::{
    process::{self, step},
    project::Project,
    stores::{self, Stores},
    tools,
};

/// Regenerate what is generated: snapshots, the OpenAPI document, the diagrams
///
/// Also writes the environment of plain `cargo lambda watch` to Cargo.toml.
#[derive(clap::Args)]
pub struct Arguments;

pub fn run() -> Result<ExitCode> {
    let project = Project::read()?;
    prepare(&project)?;
    regenerate(&project)?;
    Ok(ExitCode::SUCCESS)
}

/// The assets of `docs` that are made of snapshots.
const MADE_OF_SNAPSHOTS: [&str; 2] = ["openapi.json", "problems.json"];

/// How often the document is written at most.
const ROUNDS: usize = 3;

/// Installs what [`regenerate`] needs, or fails before anything is changed.
pub fn prepare(project: &Project) -> Result<()> {
    tools::java()?;
    tools::PLANTUML.install(project)?;
    if stores::uses_mysql()? {
        tools::mariadbd()?;
    }
    Ok(())
}

/// Regenerates what is generated. The document has the snapshots as examples, and
/// the snapshots of `docs` have the document: they are repeated until it is stable.
pub fn regenerate(project: &Project) -> Result<()> {
    stores::write_manifest_environment(project)?;
    step("Building");
    project.build(["stores"])?;
    {
        let stores = Stores::throw_away(project, &[])?;
        step("Regenerating the snapshots");
        replay(project, &stores, "")?;
        let mut is_stable = false;
        for _ in 0..ROUNDS {
            let before = assets(project)?;
            step("Regenerating the OpenAPI document");
            let mut openapi = process::cargo(&project.root);
            openapi.args(["run", "--quiet", "--package", "openapi"]);
            process::succeed(openapi, "cargo xtask openapi")?;
            is_stable = assets(project)? == before;
            if is_stable {
                break;
            }
            step("Regenerating the snapshots of the document");
            replay(project, &stores, "docs/")?;
        }
        ensure!(
            is_stable,
            "the OpenAPI document still changes after {ROUNDS} rounds"
        );
    }
    step("Regenerating the diagrams");
    let mut diagrams = process::command(std::env::current_exe()?);
    diagrams.arg("diagrams").current_dir(&project.root);
    process::succeed(diagrams, "cargo xtask diagrams")
}

/// Replays the events whose path contains this text, and writes their snapshots.
fn replay(project: &Project, stores: &Stores, path: &str) -> Result<()> {
    let mut replay = process::cargo(&project.root);
    // Without a package, its dependencies have the features that they have in other
    // builds, so that they are not built again.
    replay.args(["test", "--quiet", "--test", "replay", "--", path]);
    replay.env("INSTA_UPDATE", "always");
    stores.set_variables(project, &mut replay);
    process::succeed(replay, "the replay of the events")
}

fn assets(project: &Project) -> Result<[Vec<u8>; 2]> {
    let folder = project.root.join("functions/docs/assets");
    let read = |name| fs::read(folder.join(name));
    let [document, problems] = MADE_OF_SNAPSHOTS;
    Ok([read(document)?, read(problems)?])
}
