//! The workspace, as `cargo metadata` describes it: its folders, its functions
//! and their routes.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};
use fs_err as fs;
use serde_json::Value;
use tokens::SigningKey;

use crate::process::{self, remove_package_variables};

/// The function that checks the health of all others.
pub const HEALTH: &str = "health";

/// The workspace.
pub struct Project {
    /// Its folder.
    pub root: PathBuf,
    /// The folder that cargo builds to.
    pub target: PathBuf,
    /// The paths that `cargo lambda watch` routes to each function, by function.
    pub routes: BTreeMap<String, Vec<String>>,
    /// The names of what each package of the workspace depends on.
    packages: BTreeMap<String, Vec<String>>,
}

impl Project {
    /// Reads the workspace of this package.
    pub fn read() -> Result<Self> {
        let mut command = Command::new(process::cargo_program());
        remove_package_variables(&mut command);
        let output = command
            .args(["metadata", "--format-version=1", "--no-deps"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .stderr(Stdio::inherit())
            .output()
            .context("`cargo` or the folder of this program's source is missing")?;
        ensure!(
            output.status.success(),
            "cargo cannot read the workspace: fix the error above"
        );
        Self::from_metadata(&serde_json::from_slice(&output.stdout)?)
    }

    fn from_metadata(metadata: &Value) -> Result<Self> {
        let folder = |name: &str| {
            let folder = metadata.get(name).and_then(Value::as_str);
            let folder = folder.map(PathBuf::from);
            folder.with_context(|| format!("cargo metadata has no {name}"))
        };
        let watched = metadata
            .pointer("/metadata/lambda/watch/router")
            .and_then(Value::as_object)
            .context("the root Cargo.toml has no [workspace.metadata.lambda.watch.router]")?;
        let mut routes = BTreeMap::<String, Vec<String>>::new();
        for (path, function) in watched {
            let function = function.as_str();
            let function =
                function.with_context(|| format!("{path} is not routed to a function"))?;
            let paths = routes.entry(function.to_owned()).or_default();
            paths.push(path.clone());
        }
        Ok(Self {
            root: folder("workspace_root")?,
            target: folder("target_directory")?,
            routes,
            packages: packages(metadata),
        })
    }

    /// The folder of installed tools and of data that is kept.
    pub fn own_folder(&self) -> PathBuf {
        self.root.join(".kea")
    }

    /// The folder of this name in [`Project::own_folder`], created if it is missing.
    pub fn create_folder(&self, name: &str) -> io::Result<PathBuf> {
        let folder = self.own_folder().join(name);
        fs::create_dir_all(&folder)?;
        Ok(folder)
    }

    /// The folder of the log of `cargo xtask up`.
    pub fn log_folder(&self) -> PathBuf {
        self.own_folder().join("logs")
    }

    /// The file of the key that signs the tokens of this machine.
    fn signing_key_file(&self) -> PathBuf {
        self.own_folder().join("development-key.der")
    }

    /// Has a program of the tests sign its tokens by this key, which the functions
    /// on this machine trust.
    pub fn set_signing_key(&self, command: &mut Command) {
        command.env("KEA_SIGNING_KEY", self.signing_key_file());
    }

    /// The key that signs the tokens of this machine. It is created if it is
    /// missing.
    pub fn signing_key(&self) -> Result<SigningKey> {
        SigningKey::open(&self.signing_key_file())
    }

    /// The program `name`, built for development.
    pub fn program(&self, name: &str) -> PathBuf {
        self.target.join("debug").join(name)
    }

    /// A command of the program `tools`, which must be built.
    pub fn tools(&self, command: &str) -> Command {
        let mut tools = process::command(self.program("tools"));
        tools.arg(command);
        tools
    }

    /// The program of a function, where cargo-lambda leaves it.
    pub fn bootstrap(&self, function: &str) -> PathBuf {
        self.target.join("lambda").join(function).join("bootstrap")
    }

    /// Builds binaries for development.
    pub fn build<'n>(&self, binaries: impl IntoIterator<Item = &'n str>) -> Result<()> {
        self.cargo_build(binaries.into_iter().flat_map(|name| ["--bin", name]))
    }

    /// Runs `cargo build` with these options.
    pub fn cargo_build<'o>(&self, options: impl IntoIterator<Item = &'o str>) -> Result<()> {
        let mut build = process::cargo(&self.root);
        build.arg("build").args(options);
        process::succeed(build, "cargo build")
    }

    /// The names of the functions, which are those of their binaries.
    pub fn functions(&self) -> impl Iterator<Item = &str> {
        self.routes.keys().map(String::as_str)
    }

    /// Fails if one of these is not a package of the workspace.
    pub fn check_packages(&self, names: &[String]) -> Result<()> {
        check_known(names, "a package of this workspace", &self.packages)
    }

    /// Fails if one of these is not a function with a route.
    pub fn check_functions(&self, names: &[String]) -> Result<()> {
        check_known(names, "a function with a route", &self.routes)
    }

    /// Whether a package depends on the stores, perhaps through others.
    pub fn uses_stores(&self, name: &str) -> bool {
        let mut pending = vec![name];
        let mut seen = BTreeSet::new();
        while let Some(name) = pending.pop() {
            if name == "stores" {
                return true;
            }
            if seen.insert(name) {
                let needed = self.packages.get(name).into_iter().flatten();
                pending.extend(needed.map(String::as_str));
            }
        }
        false
    }

    /// One path of each function: the shortest without parameters that is not its
    /// health. That of `health`, which calls all others, is last.
    pub fn sample_paths(&self) -> Vec<&str> {
        let mut functions: Vec<_> = self.routes.iter().collect();
        functions.sort_by_key(|(function, _)| *function == HEALTH);
        functions
            .into_iter()
            .filter_map(|(function, paths)| {
                let health = format!("/health/{function}");
                let paths = paths.iter().map(String::as_str);
                let paths = paths.filter(|path| !path.contains('{'));
                paths.min_by_key(|path| (*path == health, path.len()))
            })
            .collect()
    }
}

/// Fails if one of these names is not `what`, which all known ones are.
fn check_known<T>(names: &[String], what: &str, known: &BTreeMap<String, T>) -> Result<()> {
    for name in names {
        ensure!(
            known.contains_key(name),
            "{name} is not {what}; these are: {}",
            known.keys().cloned().collect::<Vec<_>>().join(", ")
        );
    }
    Ok(())
}

/// The packages of the workspace, and the names of what each depends on.
fn packages(metadata: &Value) -> BTreeMap<String, Vec<String>> {
    let packages = list(metadata, "packages").iter().filter_map(|package| {
        let needed = list(package, "dependencies").iter().filter_map(name);
        Some((name(package)?, needed.collect()))
    });
    packages.collect()
}

fn name(value: &Value) -> Option<String> {
    value.get("name")?.as_str().map(str::to_owned)
}

fn list<'v>(value: &'v Value, member: &str) -> &'v [Value] {
    let list = value.get(member).and_then(Value::as_array);
    list.map_or(&[], Vec::as_slice)
}

/// Deletes what is in a folder, which is created if it is missing.
pub fn empty_folder(folder: &Path) -> io::Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_and_packages_are_read() {
        let project = Project::from_metadata(&serde_json::json!({
            "workspace_root": "/kea",
            "target_directory": "/kea/target",
            "metadata": { "lambda": { "watch": { "router": {
                "/": "hello",
                "/a": "a",
                "/a/{id}": "a",
                "/b": "b",
            }}}},
            "packages": [
                { "name": "a", "dependencies": [{ "name": "dto" }] },
                { "name": "dto", "dependencies": [] },
                { "name": "tests", "dependencies": [{ "name": "a" }, { "name": "testbed" }] },
                { "name": "testbed", "dependencies": [{ "name": "stores" }] },
            ],
        }))
        .unwrap();
        assert_eq!(project.functions().collect::<Vec<_>>(), ["a", "b", "hello"]);
        assert_eq!(project.routes["a"], ["/a", "/a/{id}"]);
        assert_eq!(project.sample_paths(), ["/a", "/b", "/"]);
        assert!(project.uses_stores("tests") && !project.uses_stores("a"));
        assert!(project.check_packages(&["dto".to_owned()]).is_ok());
        assert!(project.check_functions(&["dto".to_owned()]).is_err());
        assert!(
            project
                .check_packages(&["dto".to_owned(), "b".to_owned()])
                .is_err()
        );
    }
}
