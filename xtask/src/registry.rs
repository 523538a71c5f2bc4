//! The files of a project, and the places where a function is registered in them.
//! [`Files::register`] adds them; [`Files::unregister`] removes them, except the
//! dependencies, which [`Files::remove_unused_dependencies`] removes.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};
use fs_err as fs;
use template::Template;

use crate::process;

/// The list of functions in Rust.
const BUNDLE: &str = "xtask/bundle/src/lib.rs";

/// Its manifest.
const BUNDLE_MANIFEST: &str = "xtask/bundle/Cargo.toml";

/// The list of the black-box cases.
const SUITE: &str = "tests/suite/src/lib.rs";

/// The privileges of the users of the database.
pub const GRANTS: &str = "functions/migrate/grants.sql";

/// The guides, whose tables describe an endpoint that is an example.
const GUIDES: [&str; 3] = [
    "docs/adding-an-endpoint.md",
    "docs/removing-an-endpoint.md",
    "xtask/templates/README.md",
];

/// What may precede a path in the documents.
const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

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
    /// What it adds if it has tables in the database.
    pub database: Option<Database>,
}

/// What a function with tables in the database adds.
pub struct Database {
    /// The privileges of its user.
    pub grants: String,
    /// The parameter of its reserved concurrency.
    pub parameter: String,
    /// The condition that it is reserved.
    pub condition: String,
    /// The value of the parameter in the environment `dev`.
    pub of_dev: String,
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
        if let Some(database) = &function.database {
            self.edit("samconfig.toml", |text| {
                let dev = "[dev.deploy.parameters]\n";
                let at = text.find(dev)? + dev.len();
                let (before, rest) = text.split_at_checked(at)?;
                // The list must be that of this environment.
                let (own, after) = rest.split_at_checked(rest.find("\n[").unwrap_or(rest.len()))?;
                let own = insert_line(own, "parameter_overrides = [\n", &database.of_dev)?;
                Some(format!("{before}{own}{after}"))
            })?;
        }
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
            let text = match &function.database {
                Some(database) => {
                    let before = "  ProvisionedConcurrency:\n";
                    let text = insert_before(&text, before, &database.parameter)?;
                    insert_before(&text, "  IsCanary: ", &database.condition)?
                }
                None => text,
            };
            change_functions(&text, |functions| {
                let at = functions.iter().position(|it| *it == "docs");
                functions.insert(at.unwrap_or(functions.len()), name.to_owned());
            })
        })?;
        self.edit(BUNDLE_MANIFEST, |text| {
            insert_line(
                text,
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
        if let Some(database) = &function.database {
            self.edit(GRANTS, |text| Some(format!("{text}{}", database.grants)))?;
        }
        Ok(())
    }

    /// Removes what [`Files::register`] added except the dependencies, what names the
    /// function elsewhere, and the privileges of its user of the database.
    pub fn unregister(&self, name: &str, database_user: Option<&str>) -> Result<()> {
        let user = database_user.unwrap_or(name);
        let lines: [(&str, Vec<String>); 5] = [
            ("Cargo.toml", vec![format!("\" = \"{name}\"\n")]),
            (
                SUITE,
                vec![format!("mod {name};\n"), format!(" {name}::cases(),\n")],
            ),
            (GRANTS, vec![format!(" TO {user};\n")]),
            // Where a reader is shown the functions.
            (
                "README.md",
                vec![format!("  http://127.0.0.1:9000/{name}\n")],
            ),
            ("tests/integration.rs", vec![format!("mod {name};\n")]),
        ];
        for (path, ends) in lines {
            if self.path(path).exists() {
                self.write(path, &drop_lines(&self.read(path)?, &ends))?;
            }
        }
        self.change("functions/hello/src/index.html", |text| {
            let shown = format!("<li><a href=\"/{name}\">");
            drop_if(text, |line| line.starts_with(&shown))
        })?;
        self.edit("template.yaml", |text| {
            let (start, end) = section(text, name)?;
            let text = format!("{}{}", text.get(..start)?, text.get(end..)?);
            let scope = [
                format!("- {{ ScopeName: \"{name}:"),
                format!("- !Sub \"${{AWS::StackName}}/{name}:"),
            ];
            let text = drop_if(&text, |line| {
                scope.iter().any(|it| line.starts_with(it.as_str()))
            });
            let text = drop_widgets(&text, name)?;
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

    /// Removes what the tables in the documents have about these: each row with a
    /// cell whose code names nothing else, their names in the lists of others, and
    /// rows that refer to a document that is gone.
    /// Decisions are records of what was, and the rows of guides are examples.
    pub fn remove_rows(&self, names: &[&str]) -> Result<()> {
        let is_of = |code: &str| {
            let path = match code.split_once(" /") {
                Some((method, path)) if METHODS.contains(&method) => path,
                _ => code.trim_start_matches('/'),
            };
            let path = path.trim_start_matches("functions/");
            let is_named = names.iter().any(|name| {
                let rest = path.strip_prefix(name);
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']))
            });
            let is_path = ["crates/", "functions/", "tests/"]
                .iter()
                .any(|it| code.starts_with(it))
                && !code.contains(['<', '*', '…']);
            is_named || is_path && !self.path(code).exists()
        };
        // A folder of the layout.
        let is_missing = |line: &str| {
            let folder = line.split(' ').next().unwrap_or_default();
            folder.starts_with("crates/") && !folder.contains('…') && !self.path(folder).exists()
        };
        let is_dropped = |line: &str| {
            is_missing(line)
                || line.starts_with('|')
                    && line.split(" | ").any(|cell| {
                        let code = cell.split('`').skip(1).step_by(2);
                        // The second of "`PUT` and `DELETE /parcels/{id}`" has the path.
                        let mut code = code.filter(|it| !METHODS.contains(it)).peekable();
                        code.peek().is_some() && code.all(is_of)
                    })
        };
        let shortened = |line: &str| {
            let mut line = line.to_owned();
            let code: Vec<_> = line
                .split('`')
                .skip(1)
                .step_by(2)
                .map(str::to_owned)
                .collect();
            for name in code.iter().filter(|code| is_of(code)) {
                line = line.replace(&format!("`{name}`, "), "");
                line = line.replace(&format!(", `{name}`"), "");
            }
            line
        };
        for path in self.tracked()? {
            let folder = self.path(&path);
            let is_dead = |line: &str| {
                let targets = line.split("](").skip(1);
                let mut targets = targets.filter_map(|it| it.split([')', '#']).next());
                targets.any(|it| {
                    let is_file = Path::new(it).extension().is_some_and(|it| it == "md");
                    is_file && !folder.with_file_name(it).exists()
                })
            };
            let is_document = Path::new(&path).extension().is_some_and(|it| it == "md");
            let is_record = path.starts_with("docs/decisions/");
            let is_guide = GUIDES.contains(&path.as_str());
            if is_document && !is_record && !is_guide {
                self.change(&path, |text| {
                    let lines = drop_if(text, |line| {
                        is_dropped(line) || line.starts_with('|') && is_dead(line)
                    });
                    let lines = lines.split_inclusive('\n').map(|line| match line {
                        row if row.starts_with('|') => shortened(row),
                        other => other.to_owned(),
                    });
                    lines.collect()
                })?;
            }
        }
        Ok(())
    }

    /// Removes the dependencies on packages that are not there, and third-party
    /// crates that no package needs any more.
    pub fn remove_unused_dependencies(&self) -> Result<()> {
        let tracked = self.tracked()?;
        let manifests = tracked.iter().filter(|path| path.ends_with("/Cargo.toml"));
        let manifests: Vec<_> = manifests
            .filter(|path| !path.contains("templates/"))
            .collect();
        let root: toml::Table = self.read("Cargo.toml")?.parse()?;
        let declared = root
            .get("workspace")
            .and_then(|it| it.get("dependencies"))
            .and_then(toml::Value::as_table)
            .context("Cargo.toml has no [workspace.dependencies]")?;
        let is_missing = |dependency: &toml::Value| {
            let path = dependency.get("path").and_then(toml::Value::as_str);
            path.is_some_and(|path| !self.path(path).exists())
        };
        let missing = declared.iter().filter(|(_, it)| is_missing(it));
        let missing: Vec<_> = missing.map(|(name, _)| name.as_str()).collect();
        let mut used = BTreeSet::new();
        for path in manifests {
            self.change(path, |text| {
                drop_if(text, |line| {
                    missing.iter().any(|name| {
                        line.starts_with(&format!("{name}.workspace"))
                            || line.starts_with(&format!("{name} = {{ workspace"))
                            || line.starts_with(&format!("\"{name}/"))
                    })
                })
            })?;
            let manifest: toml::Table = self.read(path)?.parse()?;
            for kind in ["dependencies", "build-dependencies", "dev-dependencies"] {
                let targets = manifest.get("target").and_then(toml::Value::as_table);
                let targets = targets.into_iter().flat_map(toml::Table::values);
                let targets = targets.filter_map(toml::Value::as_table);
                let tables = targets.chain([&manifest]).filter_map(|it| it.get(kind));
                let names = tables.filter_map(toml::Value::as_table);
                used.extend(names.flat_map(toml::Table::keys).cloned());
            }
        }
        self.change("Cargo.toml", |text| {
            let members = text.split('"').skip(1).step_by(2);
            let is_gone =
                |it: &&str| it.starts_with("xtask/") && !self.path(it).join("Cargo.toml").exists();
            let gone: BTreeSet<_> = members.filter(is_gone).collect();
            gone.iter().fold(text.to_owned(), |text, folder| {
                text.replace(&format!("\"{folder}\", "), "")
            })
        })?;
        let unused: Vec<_> = declared.keys().filter(|it| !used.contains(*it)).collect();
        self.change("Cargo.toml", |text| {
            drop_if(text, |line| {
                let name = line.split(" = ").next().unwrap_or_default();
                unused.iter().any(|it| *it == name) || missing.contains(&name)
            })
        })
    }

    /// Changes a file, if it is there.
    fn change(&self, path: &str, change: impl FnOnce(&str) -> String) -> Result<()> {
        if self.path(path).exists() {
            let before = self.read(path)?;
            let after = change(&before);
            if after != before {
                self.write(path, &after)?;
            }
        }
        Ok(())
    }

    /// Deletes a file or a folder, if it is there.
    pub fn delete(&self, path: &str) -> Result<()> {
        let path = self.path(path);
        if path.is_dir() {
            fs::remove_dir_all(&path)?;
        } else if path.exists() {
            fs::remove_file(&path)?;
        }
        Ok(())
    }

    /// The paths of the files that git has, or would add.
    pub fn tracked(&self) -> Result<Vec<String>> {
        let listed = self.git(&[
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ])?;
        let paths = listed.split_terminator('\0');
        let there = paths.filter(|path| self.path(path).is_file());
        Ok(there.map(str::to_owned).collect())
    }

    // region: new-project
    /// Whether git has every change.
    pub fn is_clean(&self) -> Result<bool> {
        Ok(self.git(&["status", "--porcelain"])?.is_empty())
    }

    // endregion
    /// What a git command writes to its standard output.
    fn git(&self, arguments: &[&str]) -> Result<String> {
        process::output(Command::new("git").args(arguments).current_dir(&self.root)).context(
            "git cannot read this folder; if it is no repository, make it one: \
             git init && git add --all && git commit --message Start",
        )
    }

    /// Changes a file, in which there must be the place to change.
    pub fn edit(&self, path: &str, change: impl FnOnce(&str) -> Option<String>) -> Result<()> {
        let before = self.read(path)?;
        let after = change(&before).filter(|after| *after != before);
        let after = after.with_context(|| {
            format!("{path} does not have the form that xtask/src/registry.rs expects")
        })?;
        self.write(path, &after)
    }

    /// Reads a file.
    pub fn read(&self, path: &str) -> Result<String> {
        Ok(fs::read_to_string(self.path(path))?)
    }

    /// Writes a file and the folders that it is in.
    pub fn write(&self, path: &str, text: &str) -> Result<()> {
        let path = self.path(path);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        Ok(fs::write(&path, text)?)
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
    let rest = template.get(start + first_line..)?;
    let ends = ["\n  # -----", "\n  # region: ", "\n  # endregion"];
    let next = ends.iter().filter_map(|end| rest.find(end)).min()?;
    Some((start, start + first_line + next + 1))
}

/// Inserts lines before the first line that begins with `next`.
fn insert_before(text: &str, next: &str, lines: &str) -> Option<String> {
    let at = text.find(&format!("\n{next}"))? + 1;
    let (before, after) = text.split_at_checked(at)?;
    Some(format!("{before}{lines}{after}"))
}

/// Adds a scope to those that the user pool knows, and to those of operators.
fn add_scope(template: &str, name: &str, scope: &str) -> Option<String> {
    let known = "        - { ScopeName: \"ops:read\"";
    let line = format!("        - {{ ScopeName: \"{scope}\", ScopeDescription: Write {name} }}\n");
    let template = insert_before(template, known, &line)?;
    let allowed = "        - !Sub \"${AWS::StackName}/ops:read\"";
    let line = format!("        - !Sub \"${{AWS::StackName}}/{scope}\"\n");
    insert_before(&template, allowed, &line)
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

/// The text without the lines of which this is true; it gets them without the blanks
/// around.
fn drop_if(text: &str, is_dropped: impl Fn(&str) -> bool) -> String {
    let lines = text.split_inclusive('\n');
    lines.filter(|line| !is_dropped(line.trim())).collect()
}

/// Removes the widgets of the dashboard that show a function, or a resource which is
/// gone. There is one in each line.
fn drop_widgets(template: &str, function: &str) -> Option<String> {
    let resources = Template::parse(template).ok()?.resources;
    let is_known = |name: &str| {
        name.starts_with("AWS::")
            || resources.contains_key(name)
            // A variable of the dashboard's own.
            || template.contains(&format!(" {name}: !"))
    };
    let text = drop_if(template, |line| {
        let names = line.split("${").skip(1);
        let mut names = names.filter_map(|rest| rest.split('}').next());
        let is_of_function = line.contains(&format!("\"{function}\""));
        line.starts_with("{\"type\":") && (is_of_function || !names.all(is_known))
    });
    let mut lines: Vec<_> = text.split_inclusive('\n').map(str::to_owned).collect();
    let mut after = "";
    for line in lines.iter_mut().rev() {
        // JSON has no comma after the last.
        if line.trim_start().starts_with("{\"type\":") && after == "]" {
            *line = line.replacen("},\n", "}\n", 1);
        }
        after = if line.trim() == "]" { "]" } else { "" };
    }
    Some(lines.concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_that_is_not_ascii_is_tracked() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::of(folder.path());
        files.write("docs/över.md", "").unwrap();
        files.git(&["init", "--quiet"]).unwrap();
        assert_eq!(files.tracked().unwrap(), ["docs/över.md"]);
    }
}
