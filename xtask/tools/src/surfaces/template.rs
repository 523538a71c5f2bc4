//! The functions of the template that `sam build` wrote.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use template::{Local, Template};

/// A function that answers HTTP requests.
#[derive(Debug)]
pub struct Function {
    /// The name of its binary.
    pub name: String,
    /// Its program.
    pub bootstrap: PathBuf,
    /// Its timeout in seconds.
    pub timeout: u64,
    /// Its memory in MB.
    pub memory: u64,
    /// Its environment variables on this machine.
    pub variables: BTreeMap<String, String>,
    /// The paths that are routed to it.
    pub paths: Vec<String>,
}

/// The functions of the template in the folder `build` that HTTP requests reach.
pub fn functions(build: &Path, local: &Local) -> Result<Vec<Function>> {
    let file = build.join("template.yaml");
    let template = Template::read(&file).context("run `sam build` first")?;
    let mut functions = Vec::new();
    for function in template.answering() {
        let code = function.code();
        let code = code.with_context(|| format!("{} has no CodeUri", function.id))?;
        functions.push(Function {
            name: function.binary.to_owned(),
            bootstrap: build.join(code).join("bootstrap"),
            // CloudFormation's defaults.
            timeout: function.number("Timeout", 3)?,
            memory: function.number("MemorySize", 128)?,
            variables: function.local_variables(local),
            paths: function.paths(),
        });
    }
    let name = file.display();
    ensure!(
        !functions.is_empty(),
        "{name} has no function with an HttpApi event"
    );
    Ok(functions)
}
