//! `cargo xtask remove`.

use std::{path::Path, process::ExitCode};

use anyhow::{Result, ensure};

use crate::{
    process::{self, step},
    project::Project,
    registry::Files,
    stores::{self, Stores},
};

/// Remove an endpoint with everything that concerns it alone
///
/// Deletes its crate, its section in template.yaml with its store, its tests and
/// its events, removes its registrations, and regenerates what is generated.
/// Refuses what cannot be removed before it changes anything.
#[derive(clap::Args)]
pub struct Arguments {
    /// The name of the function
    name: String,
}

/// Functions that the bundle does not work without, and why.
const NEEDED: [(&str, &str); 4] = [
    ("docs", "every problem refers to its pages"),
    ("health", "it reports the health of all others"),
    ("hello", "it answers at /, where a bundle begins"),
    (
        "migrate",
        "it goes with the last function that uses the database",
    ),
];

pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let project = Project::read()?;
    let files = Files::of(&project.root);
    let name = &arguments.name;
    check(name, &files)?;
    step(format_args!("Removing {name}"));
    remove(name, &files)?;
    regenerate(&project)?;
    step(format_args!("Removed {name}"));
    Ok(ExitCode::SUCCESS)
}

/// Fails if the function cannot be removed.
fn check(name: &str, files: &Files) -> Result<()> {
    let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    ensure!(
        name.chars().all(is_name) && files.path(&format!("functions/{name}")).is_dir(),
        "there is no functions/{name}"
    );
    for (needed, why) in NEEDED {
        ensure!(name != needed, "{name} cannot be removed: {why}");
    }
    let mentions = mentions(name, files)?;
    ensure!(
        mentions.is_empty(),
        "{name} cannot be removed, because these files use it too: {}. Change them first: what \
         concerns one function belongs to files of its own",
        mentions.join(", ")
    );
    Ok(())
}

/// The files that use a function and are neither its own nor registrations.
fn mentions(name: &str, files: &Files) -> Result<Vec<String>> {
    let own = [
        format!("functions/{name}/"),
        format!("events/{name}/"),
        "tests/snapshots/".to_owned(),
        format!("tests/{name}.rs"),
        format!("tests/suite/src/{name}.rs"),
        "xtask/bundle/".to_owned(),
        // Its tests name functions that do not exist.
        "xtask/src/new.rs".to_owned(),
        "tests/suite/src/lib.rs".to_owned(),
    ];
    let uses = [
        format!("\"/{name}\""),
        format!("\"/{name}/"),
        format!("\"/{name}?"),
        format!("{{prefix}}/{name}"),
        format!("/health/{name}\""),
        format!("\"{name}\""),
        format!(" {name}::"),
        format!("({name}::"),
    ];
    let mut mentions = Vec::new();
    for path in files.tracked()? {
        let is_source = Path::new(&path).extension().is_some_and(|it| it == "rs")
            && !own.iter().any(|own| path.starts_with(own));
        if is_source {
            let text = files.read(&path)?;
            if uses.iter().any(|it| text.contains(it.as_str())) {
                mentions.push(path);
            }
        }
    }
    Ok(mentions)
}

/// Removes a function and everything that concerns it alone.
fn remove(name: &str, files: &Files) -> Result<()> {
    for folder in ["functions", "events", "tests/snapshots", "fuzz/corpus"] {
        files.delete(&format!("{folder}/{name}"))?;
    }
    files.delete(&format!("tests/suite/src/{name}.rs"))?;
    files.delete(&format!("tests/{name}.rs"))?;
    for migration in files.list("functions/migrate/migrations")? {
        if migration.ends_with(&format!("__{name}.sql")) {
            files.delete(&format!("functions/migrate/migrations/{migration}"))?;
        }
    }
    files.unregister(name)
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
        replay.args(["test", "--quiet", "--package", "tests", "--test", "replay"]);
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
