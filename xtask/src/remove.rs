//! `cargo xtask remove`.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    process::ExitCode,
};

use anyhow::{Context, Result, ensure};
use template::Template;

use crate::{
    process::{self, step},
    project::Project,
    regenerate::{prepare, regenerate},
    regions,
    registry::{Files, GRANTS},
};

/// Remove endpoints with everything that concerns them alone
///
/// Deletes the crate of each, its section in template.yaml with its store, its
/// tests and its events, removes its registrations, and regenerates what is
/// generated. Refuses what cannot be removed before it changes anything.
#[derive(clap::Args)]
pub struct Arguments {
    /// The names of the functions
    #[arg(required = true)]
    names: Vec<String>,
}

/// Functions that the bundle does not work without, and why.
const NEEDED: [(&str, &str); 4] = [
    ("docs", "every problem refers to its pages"),
    ("health", "it reports the health of all others"),
    ("hello", "it responds at /, the first page of the bundle"),
    (
        "migrate",
        "it goes with the last function that uses the database",
    ),
];

/// The region of what goes with the last function that uses the database.
const DATABASE: &str = "mysql";

/// The folders of it.
const DATABASE_FOLDERS: [&str; 3] = ["crates/mysql", "functions/migrate", "xtask/templates/mysql"];

/// Where the migrations are, each of the function whose tables it changes.
const MIGRATIONS: &str = "functions/migrate/migrations";

pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let project = Project::read()?;
    let files = Files::of(&project.root);
    let names: BTreeSet<_> = arguments.names.iter().map(String::as_str).collect();
    let names: Vec<_> = names.into_iter().collect();
    check(&names, &files)?;
    prepare(&project)?;
    let mut migrations = Vec::new();
    for name in &names {
        step(format_args!("Removing {name}"));
        migrations.extend(remove(name, &files)?);
    }
    process::format(&project.root)?;
    regenerate(&Project::read()?)?;
    step(format_args!("Removed {}", names.join(", ")));
    if !migrations.is_empty() {
        println!(
            "
  Removed migrations: {}. A database that has run them keeps their tables, and rejects
  another migration with such a number: give the next one a higher number. The local
  database is dropped by `cargo xtask up --fresh`.",
            migrations.join(", ")
        );
    }
    Ok(ExitCode::SUCCESS)
}

// region: new-project
/// Whether the bundle does not work without a function.
pub fn is_needed(name: &str) -> bool {
    NEEDED.iter().any(|(needed, _)| *needed == name)
}
// endregion

/// Fails if the functions cannot be removed together.
pub fn check(names: &[&str], files: &Files) -> Result<()> {
    let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    for path in files.tracked()? {
        if let Ok(text) = files.read(&path) {
            regions::without(&text, &[]).context(path)?;
        }
    }
    for name in names {
        ensure!(
            name.chars().all(is_name) && files.path(&format!("functions/{name}")).is_dir(),
            "there is no functions/{name}"
        );
        for (needed, why) in NEEDED {
            ensure!(*name != needed, "{name} cannot be removed: {why}");
        }
        let mentions = mentions(name, names, files)?;
        ensure!(
            mentions.is_empty(),
            "{name} cannot be removed, because these files use it too: {}. Change them first: what \
             concerns one function belongs to files or regions of its own",
            mentions.join(", ")
        );
    }
    Ok(())
}

/// The part of a path up to the folder or file that has the name of a function, if
/// one has.
pub fn own<'p>(path: &'p str, name: &str) -> Option<&'p str> {
    let mut end = 0;
    for part in path.split('/') {
        end += part.len();
        if part.split('.').next() == Some(name) {
            return path.get(..end);
        }
        end += 1;
    }
    None
}

/// The files that use a function and are neither its own, nor those of others that
/// are removed with it, nor registrations.
fn mentions(name: &str, removed: &[&str], files: &Files) -> Result<Vec<String>> {
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
    let is_registration = |path: &str| {
        path.starts_with("xtask/bundle/") || path == "tests/suite/src/lib.rs"
            // Its tests name functions.
            || path.starts_with("xtask/src/")
            // A function that calls it is one that works without it.
            || path.starts_with("functions/")
    };
    let mut mentions = Vec::new();
    for path in files.tracked()? {
        let is_source = Path::new(&path).extension().is_some_and(|it| it == "rs")
            && !is_registration(&path)
            && !removed.iter().any(|name| own(&path, name).is_some());
        if is_source {
            let text = regions::without(&files.read(&path)?, removed).context(path.clone())?;
            // The tests of a tool name functions as examples.
            let code = match path.strip_prefix("xtask/") {
                Some(_) => text.split("#[cfg(test)]").next().unwrap_or_default(),
                None => &text,
            };
            let mut lines = code
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"));
            if lines.any(|line| uses.iter().any(|it| line.contains(it.as_str()))) {
                mentions.push(path);
            }
        }
    }
    Ok(mentions)
}

/// Removes a function and everything that concerns it alone. Returns the names of its
/// migrations, if others remain.
pub fn remove(name: &str, files: &Files) -> Result<Vec<String>> {
    let template = Template::read(&files.path("template.yaml"))?;
    let functions = template.answering();
    let user = |binary: &str| {
        let function = functions.iter().find(|it| it.binary == binary);
        function.and_then(template::Function::database_user)
    };
    let user_of_this = user(name);
    let mut others = functions.iter().filter(|it| it.binary != name);
    let is_last = user_of_this.is_some() && others.all(|it| it.database_user().is_none());
    let mut removed = vec![name];
    let mut migrations = Vec::new();
    if is_last {
        removed.push(DATABASE);
        for folder in DATABASE_FOLDERS {
            files.delete(folder)?;
        }
    } else if let Some(user) = &user_of_this {
        migrations = remove_migrations(user, files)?;
    }
    for path in files.tracked()? {
        if let Some(own) = own(&path, name) {
            files.delete(own)?;
        } else if path != "xtask/src/regions.rs"
            && let Ok(text) = files.read(&path)
            && regions::has_regions(&text)
        {
            let kept = regions::without(&text, &removed).context(path.clone())?;
            if kept.trim().is_empty() {
                // A package goes with its manifest.
                files.delete(path.strip_suffix("/Cargo.toml").unwrap_or(&path))?;
            } else if kept != text {
                files.write(&path, &kept)?;
            }
        }
    }
    files.unregister(name, user_of_this.as_deref())?;
    let mut rows = vec![name];
    if is_last {
        rows.extend(["migrate", "crates/mysql"]);
    }
    let left = Template::read(&files.path("template.yaml"))?;
    rows.extend(gone(&template.parameters, &left.parameters));
    rows.extend(gone(&template.resources, &left.resources));
    files.remove_rows(&rows)?;
    files.remove_unused_dependencies()?;
    Ok(migrations)
}

/// The names that are not there any more.
fn gone<'b, T>(before: &'b BTreeMap<String, T>, after: &BTreeMap<String, T>) -> Vec<&'b str> {
    let names = before.keys().filter(|name| !after.contains_key(*name));
    names.map(String::as_str).collect()
}

/// Removes the migrations of the tables of this user of the database, and returns
/// their names.
fn remove_migrations(user: &str, files: &Files) -> Result<Vec<String>> {
    let mut removed = Vec::new();
    let grants = files.read(GRANTS)?;
    let own: Vec<_> = grants
        .lines()
        .filter_map(|grant| {
            let (_, grant) = grant.split_once(" ON ")?;
            let (table, of) = grant.strip_suffix(';')?.split_once(" TO ")?;
            (of == user).then_some(table)
        })
        .collect();
    for migration in files.list(MIGRATIONS)? {
        let path = format!("{MIGRATIONS}/{migration}");
        let text = files.read(&path)?.replace("IF NOT EXISTS ", "");
        let mut tables = text.split(" TABLE ").skip(1);
        let is_own = |rest: &str| {
            let table = rest.split_whitespace().next();
            table.is_some_and(|table| own.contains(&table))
        };
        if tables.any(is_own) {
            files.delete(&path)?;
            removed.push(migration);
        }
    }
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_that_is_not_needed_can_be_removed() {
        let files = Files::of(&template::project());
        let template = Template::read(&files.path("template.yaml")).unwrap();
        for function in template.answering() {
            let name = function.binary;
            let is_needed = NEEDED.iter().any(|(needed, _)| *needed == name);
            let result = check(&[name], &files);
            assert_eq!(result.is_err(), is_needed, "{name}: {result:?}");
        }
    }

    #[test]
    fn path_with_the_name_of_a_function_is_its_own() {
        assert_eq!(own("tests/a/b.rs", "a"), Some("tests/a"));
        assert_eq!(
            own("tests/suite/src/a.rs", "a"),
            Some("tests/suite/src/a.rs")
        );
        assert_eq!(own("tests/ab/c.rs", "a"), None);
    }
}
