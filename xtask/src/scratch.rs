//! `cargo xtask scratch`.

use std::{
    fs,
    os::unix::fs::symlink,
    path::Path,
    process::{Command, ExitCode},
};

use anyhow::{Context, Result, ensure};
use programs::guard;

use crate::{
    process::{self, Interrupt, step},
    project::Project,
};

/// Follow the how-tos in a scratch clone, and run every test there
///
/// Removes a function as docs/removing-an-endpoint.md says, which has to leave
/// everything else building and passing, or adds one as docs/adding-an-endpoint.md
/// says. The diagrams have to follow by themselves. The clone, in .kea/scratch, is
/// of what is committed; it stays to be looked at where something failed.
#[derive(clap::Args)]
pub struct Arguments {
    /// The function to remove
    #[arg(long, value_name = "FUNCTION", default_value = "oscheck")]
    remove: String,

    /// The function to add instead; it is then removed again
    #[arg(long, value_name = "FUNCTION", conflicts_with = "remove")]
    add: Option<String>,
}

/// The diagrams that every function is in.
const DIAGRAMS: [&str; 3] = ["component", "deployment", "package"];

pub fn run(arguments: &Arguments, interrupt: &Interrupt) -> Result<ExitCode> {
    let project = Project::read()?;
    let done = follow(arguments, &project, interrupt);
    // What was built of the clone knows the clone's folder, and cargo takes it for
    // the project's own.
    let mut clean = process::cargo();
    clean
        .args(["clean", "--quiet", "--workspace"])
        .current_dir(&project.root);
    process::succeed(clean, "cargo clean", interrupt)?;
    done
}

fn follow(arguments: &Arguments, project: &Project, interrupt: &Interrupt) -> Result<ExitCode> {
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

    let scratch = Scratch {
        clone,
        project,
        interrupt,
    };
    if let Some(function) = &arguments.add {
        scratch.follow("add.py", function)?;
        scratch.all_passes()?;
        scratch.are_in_the_diagrams(function, true)?;
        scratch.follow("remove.py", function)?;
        scratch.xtask(&["diagrams"], "no")?;
        scratch.are_in_the_diagrams(function, false)?;
        step(format_args!(
            "With {function} everything passes, and it is drawn"
        ));
    } else {
        let function = &arguments.remove;
        scratch.follow("remove.py", function)?;
        scratch.all_passes()?;
        scratch.are_in_the_diagrams(function, false)?;
        step(format_args!("Without {function} everything passes"));
    }
    discard(clone)?;
    Ok(ExitCode::SUCCESS)
}

/// A clone to try things in.
struct Scratch<'s> {
    clone: &'s Path,
    project: &'s Project,
    interrupt: &'s Interrupt,
}

impl Scratch<'_> {
    /// Does what a how-to says.
    fn follow(&self, script: &str, function: &str) -> Result<()> {
        step(format_args!("{script} {function}"));
        let python = programs::find("python3", &[]).context("there is no python3")?;
        let mut command = guard::command(&python, process::GRACE);
        command.arg(format!("tests/scratch/{script}")).arg(function);
        command.current_dir(self.clone);
        process::succeed(command, script, self.interrupt)
    }

    /// Makes anew what is made from the rest, and runs every test.
    fn all_passes(&self) -> Result<()> {
        // In the order of the how-to; only the last has to say that all is well.
        for (arguments, snapshots) in [
            (["test", "--", "replay"].as_slice(), "always"),
            (&["openapi"], "no"),
            (&["test", "--", "replay"], "always"),
            (&["diagrams"], "no"),
            (&["test"], "no"),
        ] {
            self.xtask(arguments, snapshots)?;
        }
        Ok(())
    }

    fn xtask(&self, arguments: &[&str], snapshots: &str) -> Result<()> {
        step(format_args!("cargo xtask {}", arguments.join(" ")));
        let mut xtask = xtask(self.clone, self.project);
        xtask.args(arguments).env("INSTA_UPDATE", snapshots);
        process::succeed(xtask, "the clone's xtask", self.interrupt)
    }

    /// Fails where the function is not in each diagram of functions, or, where it
    /// is not to be, in any.
    fn are_in_the_diagrams(&self, function: &str, wanted: bool) -> Result<()> {
        for diagram in DIAGRAMS {
            let file = format!("docs/diagrams/{diagram}.puml");
            let source = fs::read_to_string(self.clone.join(&file)).context(file.clone())?;
            let words = source.split(|c: char| !c.is_ascii_alphanumeric());
            let is_there = words.into_iter().any(|word| word == function);
            ensure!(
                is_there == wanted,
                "{function} is {} in {file}",
                if wanted { "not" } else { "still" }
            );
        }
        Ok(())
    }
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
