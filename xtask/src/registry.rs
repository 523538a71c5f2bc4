//! The files of a project, and the places where a function is registered in them:
//! each is added by [`Files::register`] and removed by [`Files::unregister`].

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

/// The list of functions in Rust.
const BUNDLE: &str = "xtask/bundle/src/lib.rs";

/// Its manifest.
const BUNDLE_MANIFEST: &str = "xtask/bundle/Cargo.toml";

/// The list of the black-box cases.
const SUITE: &str = "tests/suite/src/lib.rs";

/// The privileges of the users of the database.
const GRANTS: &str = "functions/migrate/grants.sql";

/// The files of a project.
pub struct Files {
    root: PathBuf,
}

/// What a function adds to the files that it shares with others.
pub struct Registration<'r> {
    /// Its name.
    pub name: &'r str,
    /// The paths that it has.
    pub paths: Vec<String>,
    /// Its section of the template, without the rule above it.
    pub section: String,
    /// Its arm in the list of functions.
    pub arm: String,
    /// The scope of its writes, if it has any.
    pub scope: Option<String>,
    /// The privileges of its user of the database.
    pub grants: String,
}

impl Files {
    /// Those of the project in this folder.
    pub fn of(root: &Path) -> Self {
        Self {
            root: root.to_path_buf(),
        }
    }

    /// Registers a function.
    pub fn register(&self, function: &Registration) -> Result<()> {
        let name = function.name;
        self.edit("Cargo.toml", |text| {
            let dependency = format!("{name} = {{ path = \"functions/{name}\" }}\n");
            let text = insert_line(text, "# of this workspace\n", &dependency)?;
            let router = "[workspace.metadata.lambda.watch.router]\n";
            function.paths.iter().try_fold(text, |text, path| {
                insert_line(&text, router, &format!("\"{path}\" = \"{name}\"\n"))
            })
        })?;
        self.edit("template.yaml", |text| {
            let (start, _) = section(text, "docs")?;
            let (before, after) = text.split_at_checked(start)?;
            let text = format!("{before}{}\n{}\n{after}", rule(name), function.section);
            let text = match &function.scope {
                Some(scope) => add_scope(&text, name, scope)?,
                None => text,
            };
            change_functions(&text, |functions| {
                let at = functions.iter().position(|it| *it == "docs");
                functions.insert(at.unwrap_or(functions.len()), name.to_owned());
            })
        })?;
        self.edit(BUNDLE_MANIFEST, |text| {
            let feature = format!("    \"{name}/openapi\",\n");
            let text = insert_line(text, "openapi = [\n", &feature)?;
            insert_line(
                &text,
                "[dependencies]\n",
                &format!("{name}.workspace = true\n"),
            )
        })?;
        self.edit(BUNDLE, |text| {
            let (before, after) = text.split_once("        _ => return None,\n")?;
            let arm = &function.arm;
            Some(format!("{before}{arm}        _ => return None,\n{after}"))
        })?;
        self.edit(SUITE, |text| {
            let text = insert_line(text, "mod api;\n", &format!("mod {name};\n"))?;
            let next = "        documents::cases(),\n";
            Some(text.replace(next, &format!("        {name}::cases(),\n{next}")))
        })?;
        if !function.grants.is_empty() {
            self.edit(GRANTS, |text| Some(format!("{text}{}", function.grants)))?;
        }
        Ok(())
    }

    /// Removes what [`Files::register`] added.
    pub fn unregister(&self, name: &str) -> Result<()> {
        let lines: [(&str, Vec<String>); 7] = [
            (
                "Cargo.toml",
                vec![
                    format!("{name} = {{ path = \"functions/{name}\" }}\n"),
                    format!("\" = \"{name}\"\n"),
                ],
            ),
            (
                BUNDLE_MANIFEST,
                vec![
                    format!("    \"{name}/openapi\",\n"),
                    format!("{name}.workspace = true\n"),
                ],
            ),
            (
                SUITE,
                vec![format!("mod {name};\n"), format!(" {name}::cases(),\n")],
            ),
            (GRANTS, vec![format!(" TO {name};\n")]),
            // Where a reader is shown the functions.
            (
                "README.md",
                vec![format!("  http://127.0.0.1:9000/{name}\n")],
            ),
            ("functions/hello/src/index.html", Vec::new()),
            ("tests/Cargo.toml", Vec::new()),
        ];
        for (path, ends) in lines {
            if self.path(path).exists() {
                let text = drop_lines(&self.read(path)?, &ends);
                let target = format!("[[test]]\nname = \"{name}\"\npath = \"{name}.rs\"\n\n");
                let text = text.replace(&target, "");
                let shown = [
                    format!("| `GET /{name}` |"),
                    format!("| `/{name}`, "),
                    format!("<li><a href=\"/{name}\">"),
                ];
                let lines = text.split_inclusive('\n').filter(|line| {
                    let line = line.trim_start();
                    !shown.iter().any(|it| line.starts_with(it.as_str()))
                });
                self.write(path, &lines.collect::<String>())?;
            }
        }
        self.edit("template.yaml", |text| {
            let (start, end) = section(text, name)?;
            let text = format!("{}{}", text.get(..start)?, text.get(end..)?);
            let scope = [
                format!("- {{ ScopeName: \"{name}:"),
                format!("- !Sub \"${{AWS::StackName}}/{name}:"),
            ];
            let lines = text.split_inclusive('\n');
            let text: String = lines
                .filter(|line| {
                    !scope
                        .iter()
                        .any(|it| line.trim_start().starts_with(it.as_str()))
                })
                .collect();
            change_functions(&text, |functions| functions.retain(|it| *it != name))
        })?;
        self.edit(BUNDLE, |text| {
            let start = text.find(&format!("        \"{name}\" => "))?;
            let (before, arm) = text.split_at_checked(start)?;
            // The next arm begins at the same indentation.
            let next = ["\n        \"", "\n        _ =>"];
            let end = next.iter().filter_map(|next| arm.find(next)).min()?;
            Some(format!("{before}{}", arm.get(end + 1..)?))
        })
    }

    /// Deletes a file or a folder, if it is there.
    pub fn delete(&self, path: &str) -> Result<()> {
        let path = self.path(path);
        if path.is_dir() {
            fs::remove_dir_all(&path)
        } else if path.exists() {
            fs::remove_file(&path)
        } else {
            Ok(())
        }
        .with_context(|| format!("{} cannot be deleted", path.display()))
    }

    /// The paths of the files that git has, or would add.
    pub fn tracked(&self) -> Result<Vec<String>> {
        let listed = Command::new("git")
            .args(["ls-files", "--cached", "--others", "--exclude-standard"])
            .current_dir(&self.root)
            .output()
            .context("git is needed")?;
        let listed = String::from_utf8(listed.stdout)?;
        let there = listed.lines().filter(|path| self.path(path).is_file());
        Ok(there.map(str::to_owned).collect())
    }

    /// Changes a file, in which there must be the place to change.
    pub fn edit(&self, path: &str, change: impl FnOnce(&str) -> Option<String>) -> Result<()> {
        let before = self.read(path)?;
        let after = change(&before).filter(|after| *after != before);
        let after = after.with_context(|| {
            format!("{path} has not the form that xtask/src/registry.rs expects")
        })?;
        self.write(path, &after)
    }

    /// Reads a file.
    pub fn read(&self, path: &str) -> Result<String> {
        fs::read_to_string(self.path(path)).with_context(|| format!("{path} cannot be read"))
    }

    /// Writes a file and the folders that it is in.
    pub fn write(&self, path: &str, text: &str) -> Result<()> {
        let path = self.path(path);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&path, text).with_context(|| format!("{} cannot be written", path.display()))
    }

    /// The names in a folder, in alphabetical order; none if there is no folder.
    pub fn list(&self, folder: &str) -> Result<Vec<String>> {
        let folder = self.path(folder);
        if !folder.exists() {
            return Ok(Vec::new());
        }
        let mut names = Vec::new();
        for entry in fs::read_dir(folder)? {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        Ok(names)
    }

    /// The path of a file.
    pub fn path(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }
}

/// The rule above a section of the template.
fn rule(name: &str) -> String {
    let line = format!(" {name} --");
    format!(
        "  # {}{line}\n",
        "-".repeat(74_usize.saturating_sub(line.len()))
    )
}

/// Where the section of a function in the template begins and ends: at the rule
/// with its name, and at the next rule.
fn section(template: &str, name: &str) -> Option<(usize, usize)> {
    let start = template.find(&format!("- {name} --\n"))?;
    let start = template.get(..start)?.rfind('\n')? + 1;
    let first_line = template.get(start..)?.find('\n')? + 1;
    let next = template.get(start + first_line..)?.find("\n  # -----")?;
    Some((start, start + first_line + next + 1))
}

/// Adds a scope to those that the user pool knows, and to those of operators.
fn add_scope(template: &str, name: &str, scope: &str) -> Option<String> {
    let known = "        - { ScopeName: \"ops:read\"";
    let allowed = "        - !Sub \"${AWS::StackName}/ops:read\"";
    let at = template.find(known)?;
    let (before, after) = template.split_at_checked(at)?;
    let line = format!("        - {{ ScopeName: \"{scope}\", ScopeDescription: Write {name} }}\n");
    let template = format!("{before}{line}{after}");
    let at = template.find(allowed)?;
    let (before, after) = template.split_at_checked(at)?;
    let line = format!("        - !Sub \"${{AWS::StackName}}/{scope}\"\n");
    Some(format!("{before}{line}{after}"))
}

/// Changes the list of the functions whose health is checked.
fn change_functions(template: &str, change: impl FnOnce(&mut Vec<String>)) -> Option<String> {
    let (before, rest) = template.split_once("          FUNCTIONS: ")?;
    let (list, after) = rest.split_once('\n')?;
    let mut functions: Vec<_> = list.split(',').map(str::to_owned).collect();
    change(&mut functions);
    let list = functions.join(",");
    Some(format!("{before}          FUNCTIONS: {list}\n{after}"))
}

/// Inserts a line into the block that follows `start`, in alphabetical order. The
/// block ends at an empty line, or at one that closes a list.
fn insert_line(text: &str, start: &str, line: &str) -> Option<String> {
    let start = text.find(start)? + start.len();
    let (before, block) = text.split_at_checked(start)?;
    let mut at = 0;
    for other in block.split_inclusive('\n') {
        if other == "\n" || other == "]\n" || other > line {
            break;
        }
        at += other.len();
    }
    let (head, tail) = block.split_at_checked(at)?;
    Some(format!("{before}{head}{line}{tail}"))
}

/// The text without the lines that end with one of these.
fn drop_lines(text: &str, ends: &[String]) -> String {
    let kept = text.split_inclusive('\n').filter(|line| {
        let whole = |end: &String| {
            line == end || (end.starts_with([' ', '"']) && line.ends_with(end.as_str()))
        };
        !ends.iter().any(whole)
    });
    kept.collect()
}
