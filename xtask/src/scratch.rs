//! `cargo xtask scratch`.

use std::{fs, os::unix::fs::symlink, path::Path, process::ExitCode};

use anyhow::{Context, Result, ensure};

use crate::{
    edit::Files,
    process::{self, step},
    project::Project,
};

/// Follow the how-tos in a scratch clone, and run every test there
///
/// Removes a function as docs/removing-an-endpoint.md describes, which must leave
/// everything else building and passing, or adds one as
/// docs/adding-an-endpoint.md describes. The clone in .kea/scratch is of what is
/// committed; it is kept if something fails.
#[derive(clap::Args)]
pub struct Arguments {
    /// The function to remove
    #[arg(long, value_name = "FUNCTION", default_value = "oscheck")]
    remove: String,

    /// The function to add instead; it is then removed again
    #[arg(long, value_name = "FUNCTION", conflicts_with = "remove")]
    add: Option<String>,
}

/// The diagrams that show every function.
const DIAGRAMS: [&str; 3] = ["component", "deployment", "package"];

pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let project = Project::read()?;
    let followed = follow(arguments, &project);
    // Cargo takes what was built of the clone for the project's own.
    let mut clean = process::cargo(&project.root);
    clean.args(["clean", "--quiet", "--workspace"]);
    process::succeed(clean, "cargo clean")?;
    followed
}

fn follow(arguments: &Arguments, project: &Project) -> Result<ExitCode> {
    let clone = &project.own_folder().join("scratch");
    discard(clone)?;
    step("Cloning what is committed");
    let mut git = process::command("git");
    git.args(["clone", "--quiet", "--shared"]);
    git.args([&project.root, clone]);
    process::succeed(git, "git clone")?;
    // The tools that are installed already.
    fs::create_dir_all(project.own_folder().join("tools"))?;
    fs::create_dir_all(clone.join(".kea"))?;
    symlink(project.own_folder().join("tools"), clone.join(".kea/tools"))?;

    let scratch = Scratch { clone, project };
    let files = Files::of(clone);
    let function = arguments.add.as_ref().unwrap_or(&arguments.remove);
    if arguments.add.is_some() {
        step(format_args!("Adding {function}"));
        files.add(function)?;
        scratch.all_passes()?;
        scratch.diagrams_have(function, true)?;
        files.remove(function)?;
        scratch.xtask(&["diagrams"], "no")?;
    } else {
        step(format_args!("Removing {function}"));
        files.remove(function)?;
        scratch.all_passes()?;
    }
    scratch.diagrams_have(function, false)?;
    step("Everything passes, and the diagrams are up to date");
    discard(clone)?;
    Ok(ExitCode::SUCCESS)
}

/// A clone to try things in.
struct Scratch<'s> {
    clone: &'s Path,
    project: &'s Project,
}

impl Scratch<'_> {
    /// Regenerates what is generated, in the order of the how-to, and runs every
    /// test.
    fn all_passes(&self) -> Result<()> {
        let replay = ["test", "--", "replay"].as_slice();
        for (arguments, snapshots) in [
            (replay, "always"),
            (&["openapi"], "no"),
            (replay, "always"),
            (&["diagrams"], "no"),
            (&["test"], "no"),
        ] {
            self.xtask(arguments, snapshots)?;
        }
        Ok(())
    }

    /// Runs the clone's own `cargo xtask`, building to the project's folder.
    fn xtask(&self, arguments: &[&str], snapshots: &str) -> Result<()> {
        step(format_args!("cargo xtask {}", arguments.join(" ")));
        let mut xtask = process::cargo(self.clone);
        xtask
            .args(["run", "--quiet", "--package", "xtask", "--"])
            .args(arguments)
            .env("CARGO_TARGET_DIR", self.project.target())
            .env("INSTA_UPDATE", snapshots);
        process::succeed(xtask, "the clone's xtask")
    }

    /// Fails unless each diagram of functions has the function, or none has.
    fn diagrams_have(&self, function: &str, wanted: bool) -> Result<()> {
        for diagram in DIAGRAMS {
            let file = format!("docs/diagrams/{diagram}.puml");
            let source = fs::read_to_string(self.clone.join(&file)).context(file.clone())?;
            let mut words = source.split(|c: char| !c.is_ascii_alphanumeric());
            ensure!(
                words.any(|word| word == function) == wanted,
                "{function} is {} in {file}",
                if wanted { "not" } else { "still" }
            );
        }
        Ok(())
    }
}

/// Deletes the clone.
fn discard(clone: &Path) -> Result<()> {
    if clone.exists() {
        fs::remove_dir_all(clone)
            .with_context(|| format!("{} cannot be deleted", clone.display()))?;
    }
    Ok(())
}
