// region: new-project
//! `cargo xtask new-project`.

use std::{collections::BTreeSet, process::ExitCode};

use anyhow::{Context, Result, ensure};
use fs_err as fs;
use template::Template;

use crate::{
    new, preflight,
    process::{self, step},
    project::Project,
    regenerate, regions,
    registry::Files,
    remove,
};

/// Make a project of your own out of this clone
///
/// Names it in every file, removes the sample services that are not kept, and
/// regenerates what is generated. Nothing is committed. docs/starting-your-own.md
/// describes what remains.
#[derive(clap::Args)]
pub struct Arguments {
    /// The name: lower-case letters and digits, such as acme
    name: String,

    /// The functions to keep, separated by commas. The bundle itself needs hello,
    /// health and docs
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    keep: Vec<String>,
}

/// The name of this project.
const NAME: &str = "kea";

/// The region of what only this project needs: the command itself.
const REGION: &str = "new-project";

pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let project = Project::read()?;
    let files = Files::of(&project.root);
    let name = &arguments.name;
    check_name(name)?;
    let own_folder = format!(".{name}");
    ensure!(
        !files.path(&own_folder).exists(),
        "{name} cannot be the name of a project, because {own_folder} exists: choose another"
    );
    ensure!(
        files.is_clean()?,
        "there are changes that are not committed: commit or stash them first, so that `git diff` \
         shows what this command did"
    );
    let template = Template::read(&files.path("template.yaml"))?;
    let functions: BTreeSet<_> = template.answering().iter().map(|it| it.binary).collect();
    for kept in &arguments.keep {
        ensure!(
            functions.contains(kept.as_str()),
            "{kept} cannot be kept, because it is not a function; these are: {}",
            functions.into_iter().collect::<Vec<_>>().join(", ")
        );
    }
    let is_removed =
        |name: &&str| !remove::is_needed(name) && !arguments.keep.iter().any(|it| it == name);
    let removed: Vec<_> = functions.iter().copied().filter(is_removed).collect();
    remove::check(&removed, &files)?;
    regenerate::prepare(&project)?;

    for function in &removed {
        step(format_args!("Removing {function}"));
        remove::remove(function, &files)?;
    }
    step(format_args!("Naming the project {name}"));
    for path in files.tracked()? {
        // A licence is its authors'.
        if path.contains("LICENSE") {
            continue;
        }
        // What is not text has no name in it: `mentions` finds one.
        if let Ok(before) = files.read(&path) {
            let own = regions::without(&before, &[REGION]).context(path.clone())?;
            let after = renamed(&own, name);
            if after.trim().is_empty() && !before.trim().is_empty() {
                files.delete(&path)?;
            } else if after != before {
                files.write(&path, &after)?;
            }
        }
    }
    files.remove_rows(&[])?;
    let (before, after) = (project.own_folder(), files.path(&own_folder));
    if before.exists() && !after.exists() {
        fs::rename(&before, &after)?;
        // Its database has the name of this project.
        files.delete(&format!("{own_folder}/data"))?;
    }
    process::format(&project.root)?;
    // Names are part of the commands: these are the new ones.
    let mut regenerate = process::cargo(&project.root);
    regenerate.args(["run", "--quiet", "--package", "xtask", "--", "regenerate"]);
    process::succeed(regenerate, "cargo xtask regenerate")?;
    step("Done");
    println!(
        "
  git diff                       what changed: commit it
  cargo xtask test               runs all tests
  cargo xtask up                 serves {name} at http://127.0.0.1:9000
  cargo xtask new parcels --store dynamodb
                                 adds an endpoint"
    );
    Ok(ExitCode::SUCCESS)
}

/// The files in which the name of this project is left, but for licences, and for what
/// is compressed, in which it is a coincidence.
pub fn mentions(files: &Files) -> Result<Vec<String>> {
    let mut mentions = Vec::new();
    for path in files.tracked()? {
        let bytes = fs::read(files.path(&path))?;
        let text = String::from_utf8_lossy(&bytes);
        let is_exempt = path.contains("LICENSE") || path.rsplit('.').next() == Some("br");
        if !is_exempt && renamed(&text, "") != text {
            mentions.push(path);
        }
    }
    Ok(mentions)
}

/// Fails unless the name can be that of a stack, a folder, a database and a prefix of
/// environment variables.
fn check_name(name: &str) -> Result<()> {
    new::check_name(name, "project", 20)?;
    ensure!(name != NAME, "this project is named {NAME} already");
    ensure!(
        !["mysql", "sys"].contains(&name) && preflight::is_stack_name(name),
        "{name} cannot be the name of a project, because MySQL or AWS uses it: choose another"
    );
    Ok(())
}

/// The text with the name of this project replaced, in each of its spellings.
fn renamed(text: &str, name: &str) -> String {
    let spellings = [
        (NAME.to_owned(), name.to_owned()),
        ("Kea".to_owned(), new::capitalized(name)),
        (NAME.to_uppercase(), name.to_uppercase()),
    ];
    spellings.iter().fold(text.to_owned(), |text, (from, to)| {
        replace_words(&text, from, to)
    })
}

/// Replaces `from` where no letter or digit is beside it.
fn replace_words(text: &str, from: &str, to: &str) -> String {
    let mut parts = text.split(from).peekable();
    let mut replaced = String::with_capacity(text.len());
    while let Some(part) = parts.next() {
        replaced.push_str(part);
        if let Some(next) = parts.peek() {
            let is_part = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
            let is_within = is_part(replaced.chars().next_back()) || is_part(next.chars().next());
            replaced.push_str(if is_within { from } else { to });
        }
    }
    replaced
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_is_replaced_in_each_spelling() {
        let text = "Kea: ~/.kea/data, KEA_URL, mysql://kea@kea, Hello KEA!, AeKeax, bskea9";
        let expected =
            "Acme: ~/.acme/data, ACME_URL, mysql://acme@acme, Hello ACME!, AeKeax, bskea9";
        assert_eq!(renamed(text, "acme"), expected);
    }

    #[test]
    fn only_text_has_the_name() {
        let files = Files::of(&template::project());
        let mut mentions = mentions(&files).unwrap();
        mentions.retain(|path| files.read(path).is_err());
        assert!(
            mentions.is_empty(),
            "these are not text, so the name in them cannot be replaced; delete them: {mentions:?}"
        );
    }

    #[test]
    fn name_must_be_usable_everywhere() {
        for wrong in ["", "Acme", "a-b", "1st", "kea", "a_b", &"a".repeat(21)] {
            assert!(check_name(wrong).is_err(), "{wrong}");
        }
        check_name("acme2").unwrap();
    }
}
// endregion
