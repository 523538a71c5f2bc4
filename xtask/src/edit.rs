//! The edits that add a function to the project and remove one, as in
//! docs/adding-an-endpoint.md and docs/removing-an-endpoint.md.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail, ensure};

/// The function that a new one is modelled on.
const MODEL: &str = "oscheck";

/// The how-to whose code becomes a new function.
const HOW_TO: &str = "docs/adding-an-endpoint.md";

/// The files in which each function has lines of its own, and how those begin.
const REGISTRATIONS: [(&str, &[&str]); 5] = [
    ("Cargo.toml", &["NAME = {", "\"/NAME\"", "\"/health/NAME\""]),
    ("tests/testbed/Cargo.toml", &["NAME.workspace"]),
    ("tests/testbed/src/system.rs", &["\"NAME\""]),
    ("xtask/openapi/Cargo.toml", &["NAME = {"]),
    ("xtask/openapi/src/lib.rs", &["(NAME::"]),
];

/// The files that may mention a function, and how those lines begin.
const MENTIONS: [(&str, &[&str]); 3] = [
    (
        "README.md",
        &["| `GET /NAME`", "http://127.0.0.1:9000/NAME"],
    ),
    ("functions/hello/src/index.html", &["<li><a href=\"/NAME\""]),
    ("tests/suite/src/lib.rs", &["mod NAME;", "NAME::cases()"]),
];

/// The files of a project.
pub struct Files {
    root: PathBuf,
}

impl Files {
    /// Those of the project in this folder.
    pub fn of(root: &Path) -> Self {
        Self {
            root: root.to_path_buf(),
        }
    }

    /// Adds a function with the code of the how-to.
    pub fn add(&self, name: &str) -> Result<()> {
        let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        ensure!(
            name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(is_name),
            "{name} is not the name of a function: use lower-case letters and digits"
        );
        let function = format!("functions/{name}");
        ensure!(!self.path(&function).exists(), "{function} exists already");
        let [main, lib] = &self.code_of_the_how_to()?[..] else {
            bail!("{HOW_TO} must have two blocks of Rust: main.rs and lib.rs");
        };
        let copies = [
            (
                format!("functions/{MODEL}/Cargo.toml"),
                format!("{function}/Cargo.toml"),
            ),
            (
                format!("events/{MODEL}/get.json"),
                format!("events/{name}/get.json"),
            ),
            (
                format!("events/{MODEL}/health.json"),
                format!("events/{name}/health.json"),
            ),
        ];
        for (from, to) in copies {
            self.write(&to, &self.read(&from)?.replace(MODEL, name))?;
        }
        self.write(
            &format!("{function}/src/main.rs"),
            &main.replace("parcels", name),
        )?;
        self.write(
            &format!("{function}/src/lib.rs"),
            &lib.replace("parcels", name),
        )?;
        for (file, starts) in REGISTRATIONS {
            self.edit(file, |text| {
                Some(map_lines(text, |line| {
                    let copy = begins(line, starts, MODEL).then(|| line.replace(MODEL, name));
                    format!("{line}{}", copy.unwrap_or_default())
                }))
            })?;
        }
        self.count_functions(1)?;
        self.edit("template.yaml", |text| {
            let (start, end) = section(text, MODEL)?;
            let copy = text.get(start..end)?.replace(MODEL, name);
            let copy = copy.replace(&capitalized(MODEL), &capitalized(name));
            let text = format!("{}{copy}{}", text.get(..start)?, text.get(start..)?);
            Some(map_lines(&text, |line| {
                if line.trim_start().starts_with("FUNCTIONS:") {
                    line.replace(MODEL, &format!("{MODEL},{name}"))
                } else {
                    line.to_owned()
                }
            }))
        })
    }

    /// Removes a function and every line about it alone.
    pub fn remove(&self, name: &str) -> Result<()> {
        let function = self.path(&format!("functions/{name}"));
        ensure!(function.is_dir(), "there is no functions/{name}");
        for folder in ["functions", "events", "tests/snapshots"] {
            let folder = self.path(folder).join(name);
            if folder.exists() {
                fs::remove_dir_all(folder)?;
            }
        }
        for (file, starts) in REGISTRATIONS {
            self.edit(file, |text| drop_lines(text, starts, name))?;
        }
        for (file, starts) in MENTIONS {
            let text = self.read(file)?;
            if let Some(text) = drop_lines(&text, starts, name) {
                self.write(file, &text)?;
            }
        }
        self.count_functions(-1)?;
        self.edit("template.yaml", |text| {
            let (start, end) = section(text, name)?;
            let text = format!("{}{}", text.get(..start)?, text.get(end..)?);
            Some(map_lines(&text, |line| {
                match line.split_once("FUNCTIONS: ") {
                    Some((before, names)) => {
                        let names = names.trim_end().split(',').filter(|it| *it != name);
                        format!(
                            "{before}FUNCTIONS: {}\n",
                            names.collect::<Vec<_>>().join(",")
                        )
                    }
                    None => line.to_owned(),
                }
            }))
        })?;
        self.remove_tests(name)
    }

    /// Removes the tests of a function, and its rows in the tests of all.
    fn remove_tests(&self, name: &str) -> Result<()> {
        let case = self.path(&format!("tests/suite/src/{name}.rs"));
        if case.exists() {
            fs::remove_file(case)?;
        }
        if self.path(&format!("tests/{name}.rs")).exists() {
            fs::remove_file(self.path(&format!("tests/{name}.rs")))?;
            let target = format!("[[test]]\nname = \"{name}\"\npath = \"{name}.rs\"\n\n");
            self.edit("tests/Cargo.toml", |text| {
                text.contains(&target).then(|| text.replace(&target, ""))
            })?;
        }
        let hostile = self.read("tests/hostile.rs")?;
        if let Some(start) = hostile.find(&format!("#[test]\nfn {name}_")) {
            let (before, test) = hostile.split_at(start);
            let after = test.split_once("\n}\n").map_or("", |(_, after)| after);
            let after = after.trim_start_matches('\n');
            self.write("tests/hostile.rs", &format!("{before}{after}"))?;
        }
        let rows = ["\"/NAME\"", "(\"/NAME\"", "\"/NAME?"];
        for folder in ["tests", "tests/suite/src"] {
            for entry in fs::read_dir(self.path(folder))? {
                let path = entry?.path();
                if path.extension().is_some_and(|it| it == "rs") {
                    let text = fs::read_to_string(&path)?;
                    if let Some(text) = drop_lines(&text, &rows, name) {
                        fs::write(&path, text)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Changes the number of functions in the tests.
    fn count_functions(&self, change: isize) -> Result<()> {
        self.edit("tests/testbed/src/system.rs", |text| {
            let (before, rest) = text.split_once("FUNCTIONS: [&str; ")?;
            let (count, after) = rest.split_once(']')?;
            let count = count.parse::<usize>().ok()?.checked_add_signed(change)?;
            Some(format!("{before}FUNCTIONS: [&str; {count}]{after}"))
        })
    }

    /// The blocks of Rust in the how-to.
    fn code_of_the_how_to(&self) -> Result<Vec<String>> {
        let text = self.read(HOW_TO)?;
        let blocks = text.split("```rust\n").skip(1);
        let code = blocks.filter_map(|block| block.split_once("   ```"));
        let unindented = code.map(|(code, _)| {
            let lines = code.lines().map(|line| line.get(3..).unwrap_or_default());
            lines.map(|line| line.to_owned() + "\n").collect()
        });
        Ok(unindented.collect())
    }

    /// Changes a file, in which there must be something to change.
    fn edit(&self, path: &str, change: impl FnOnce(&str) -> Option<String>) -> Result<()> {
        let before = self.read(path)?;
        let after = change(&before).filter(|after| *after != before);
        let after = after.with_context(|| {
            format!("{path} is not what the how-tos describe: change them and xtask/src/edit.rs")
        })?;
        self.write(path, &after)
    }

    fn read(&self, path: &str) -> Result<String> {
        fs::read_to_string(self.path(path)).with_context(|| format!("{path} cannot be read"))
    }

    fn write(&self, path: &str, text: &str) -> Result<()> {
        let path = self.path(path);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        Ok(fs::write(path, text)?)
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }
}

/// Whether a line begins with one of these, with the function's name in it.
fn begins(line: &str, starts: &[&str], name: &str) -> bool {
    let line = line.trim_start();
    let mut starts = starts.iter().map(|start| start.replace("NAME", name));
    starts.any(|start| line.starts_with(&start))
}

/// The text without the lines that begin with one of these; `None` if there are
/// none.
fn drop_lines(text: &str, starts: &[&str], name: &str) -> Option<String> {
    let lines = text.split_inclusive('\n');
    let kept: String = lines.filter(|line| !begins(line, starts, name)).collect();
    (kept.len() < text.len()).then_some(kept)
}

fn map_lines(text: &str, change: impl Fn(&str) -> String) -> String {
    text.split_inclusive('\n').map(change).collect()
}

/// Where the section of a function in the template begins and ends: at the rule
/// with its name, and at the next rule.
fn section(template: &str, name: &str) -> Option<(usize, usize)> {
    let rule = format!("- {name} --\n");
    let start = template.find(&rule)?;
    let start = template.get(..start)?.rfind('\n')? + 1;
    let first_line = template.get(start..)?.find('\n')? + 1;
    let next = template.get(start + first_line..)?.find("\n  # -----")?;
    Some((start, start + first_line + next + 1))
}

fn capitalized(name: &str) -> String {
    let mut letters = name.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// A copy of the project's files.
    fn copy(folder: &Path) -> Files {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let listed = Command::new("git")
            .arg("ls-files")
            .current_dir(&root)
            .output();
        for path in String::from_utf8(listed.unwrap().stdout).unwrap().lines() {
            let to = folder.join(path);
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            // A file may be deleted and not yet committed.
            let _ = fs::copy(root.join(path), to);
        }
        Files::of(folder)
    }

    fn texts(files: &Files, paths: &[&str]) -> Vec<String> {
        paths.iter().map(|path| files.read(path).unwrap()).collect()
    }

    #[test]
    fn removing_what_was_added_restores_every_file() {
        let folder = std::env::temp_dir().join(format!("edit-{}", std::process::id()));
        let files = copy(&folder);
        let mut paths: Vec<_> = REGISTRATIONS.map(|(path, _)| path).to_vec();
        paths.extend(["template.yaml", "tests/hostile.rs"]);
        let before = texts(&files, &paths);
        files.add("parcels").unwrap();
        assert!(
            files
                .read("template.yaml")
                .unwrap()
                .contains("ParcelsFunction")
        );
        assert!(
            files
                .read("functions/parcels/src/lib.rs")
                .unwrap()
                .contains("\"/parcels\"")
        );
        assert_ne!(texts(&files, &paths), before);
        files.remove("parcels").unwrap();
        assert_eq!(texts(&files, &paths), before);
        files.remove(MODEL).unwrap();
        assert!(!files.path("functions/oscheck").exists());
        fs::remove_dir_all(folder).unwrap();
    }
}
