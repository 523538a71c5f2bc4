//! What cargo knows of the project: where it is, its functions and their routes.

use std::{
    collections::BTreeMap,
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::process::without_cargos_variables;

/// The function that asks all the others how they are.
pub const HEALTH: &str = "health";

/// The workspace.
pub struct Project {
    /// Its folder.
    pub root: PathBuf,
    /// Where cargo builds to.
    target: PathBuf,
    /// The paths that `cargo lambda watch` routes to each function, by function.
    pub routes: BTreeMap<String, Vec<String>>,
}

impl Project {
    /// Asks cargo.
    pub fn read() -> Result<Self> {
        // This package is one folder below the workspace.
        let here: PathBuf = [env!("CARGO_MANIFEST_DIR"), ".."].iter().collect();
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        without_cargos_variables(&mut command);
        let output = command
            .args(["metadata", "--format-version=1", "--no-deps"])
            .current_dir(here)
            .stderr(Stdio::inherit())
            .output()?;
        if !output.status.success() {
            bail!("cargo cannot read the workspace; what it said is above");
        }
        Self::from_metadata(&serde_json::from_slice(&output.stdout)?)
    }

    fn from_metadata(metadata: &Value) -> Result<Self> {
        let folder = |name: &str| {
            let folder = metadata.get(name).and_then(Value::as_str);
            folder
                .map(PathBuf::from)
                .with_context(|| format!("cargo metadata has no {name}"))
        };
        let watched = metadata
            .pointer("/metadata/lambda/watch/router")
            .and_then(Value::as_object)
            .context("the root Cargo.toml has no [workspace.metadata.lambda.watch.router]")?;
        let mut routes = BTreeMap::<String, Vec<String>>::new();
        for (path, target) in watched {
            for function in functions(target) {
                routes.entry(function).or_default().push(path.clone());
            }
        }
        Ok(Self {
            root: folder("workspace_root")?,
            target: folder("target_directory")?,
            routes,
        })
    }

    /// The folder of the tools and of the data that is kept.
    pub fn own_folder(&self) -> PathBuf {
        self.root.join(".kea")
    }

    /// Where cargo builds to.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// Where cargo puts the program `name`, built for development.
    pub fn program(&self, name: &str) -> PathBuf {
        self.target.join("debug").join(name)
    }

    /// The function names, each also the name of its binary.
    pub fn functions(&self) -> impl Iterator<Item = &str> {
        self.routes.keys().map(String::as_str)
    }
}

/// The functions of one route, which is a name, a table with a method and a
/// name, or several such.
fn functions(target: &Value) -> Vec<String> {
    match target {
        Value::String(name) => vec![name.clone()],
        Value::Object(table) => table.get("function").map(functions).unwrap_or_default(),
        Value::Array(targets) => targets.iter().flat_map(functions).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_each_form_of_a_route() {
        let project = Project::from_metadata(&serde_json::json!({
            "workspace_root": "/kea",
            "target_directory": "/kea/target",
            "metadata": { "lambda": { "watch": { "router": {
                "/": "hello",
                "/a": { "method": "GET", "function": "a" },
                "/b": [{ "method": "GET", "function": "a" }, { "method": "PUT", "function": "b" }],
            }}}},
        }))
        .unwrap();
        assert_eq!(project.functions().collect::<Vec<_>>(), ["a", "b", "hello"]);
        assert_eq!(project.routes["a"], ["/a", "/b"]);
    }
}
