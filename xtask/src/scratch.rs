//! `cargo xtask scratch`.

use std::{
    fs,
    os::unix::fs::symlink,
    path::Path,
    process::{Command, ExitCode},
};

use anyhow::{Context, Result};
use programs::guard;

use crate::{
    process::{self, Interrupt, step},
    project::Project,
};

/// Follow the how-tos in a scratch clone, and run every test there
///
/// Removes a function as docs/removing-an-endpoint.md says, which has to leave
/// everything else building and passing. The clone, in .kea/scratch, is of what is
/// committed; it stays to be looked at where something failed.
#[derive(clap::Args)]
pub struct Arguments {
    /// The function to remove
    #[arg(long, value_name = "FUNCTION", default_value = "oscheck")]
    remove: String,
}

pub fn run(arguments: &Arguments, interrupt: &Interrupt) -> Result<ExitCode> {
    let project = Project::read()?;
    let clone = &project.own_folder().join("scratch");
    discard(clone)?;
    step(format_args!("Cloning what is committed"));
    let mut git = guard::command(Path::new("git"), process::GRACE);
    git.args(["clone", "--quiet", "--shared"])
        .arg(&project.root)
        .arg(clone);
    process::succeed(git, "git clone", interrupt)?;
    // The tools that are here already.
    fs::create_dir_all(project.own_folder().join("tools"))?;
    fs::create_dir_all(clone.join(".kea"))?;
    symlink(project.own_folder().join("tools"), clone.join(".kea/tools"))?;

    let function = &arguments.remove;
    step(format_args!("Removing {function}"));
    let python = programs::find("python3", &[]).context("there is no python3")?;
    let mut remove = guard::command(&python, process::GRACE);
    remove.arg("tests/scratch/remove.py").arg(function);
    remove.current_dir(clone);
    process::succeed(remove, "tests/scratch/remove.py", interrupt)?;

    // In the order of the how-to; only the last has to say that all is well.
    for (arguments, snapshots) in [
        (["test", "--", "replay"].as_slice(), "always"),
        (&["openapi"], "no"),
        (&["test", "--", "replay"], "always"),
        (&["diagrams"], "no"),
        (&["test"], "no"),
    ] {
        step(format_args!("cargo xtask {}", arguments.join(" ")));
        let mut xtask = xtask(clone, &project);
        xtask.args(arguments).env("INSTA_UPDATE", snapshots);
        process::succeed(xtask, "the clone's xtask", interrupt)?;
    }
    discard(clone)?;
    step(format_args!("Without {function} everything passes"));
    Ok(ExitCode::SUCCESS)
}

/// Deletes the clone of an earlier run, or of this one.
fn discard(clone: &Path) -> Result<()> {
    if clone.exists() {
        fs::remove_dir_all(clone).with_context(|| format!("{} stays", clone.display()))?;
    }
    Ok(())
}

/// The clone's own `cargo xtask`, building to where the project does.
fn xtask(clone: &Path, project: &Project) -> Command {
    let mut command = process::cargo();
    command
        .args(["run", "--quiet", "--package", "xtask", "--"])
        .env("CARGO_TARGET_DIR", project.target())
        .current_dir(clone);
    command
}
