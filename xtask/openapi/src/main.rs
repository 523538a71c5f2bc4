//! Writes the OpenAPI document where the docs function embeds it: `cargo xtask
//! openapi` runs it.

use std::{path::PathBuf, process::Command};

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;
use openapi::{breaking, document, files, project};

/// Where the document is, from the project's folder.
const COMMITTED: &str = "functions/docs/assets/openapi.json";

/// Writes the OpenAPI document anew.
#[derive(Parser)]
struct Arguments {
    /// Write nothing, and fail with the difference where there is one
    #[arg(long)]
    check: bool,

    /// Write nothing, and fail where a client of the document at this commit
    /// would break
    #[arg(long, value_name = "GIT REF", conflicts_with = "check")]
    check_breaking: Option<String>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let document = document()?;
    if let Some(commit) = &arguments.check_breaking {
        let before = committed(commit)?;
        let now = serde_json::to_value(&document)?;
        let broken = breaking::between(&before, &now);
        ensure!(
            broken.is_empty(),
            "clients of the document at {commit} would break:\n  {}",
            broken.join("\n  ")
        );
        eprintln!("no client of the document at {commit} breaks");
        return Ok(());
    }
    for (file, content) in files(&document)? {
        let path: PathBuf = project().join(&file);
        let there = std::fs::read_to_string(&path).unwrap_or_default();
        if there == content {
            continue;
        }
        if arguments.check {
            bail!("{}", openapi::stale(&file, &there, &content));
        }
        std::fs::write(&path, content).with_context(|| file.clone())?;
        eprintln!("wrote {file}");
    }
    Ok(())
}

/// The document as it was committed.
fn committed(commit: &str) -> Result<serde_json::Value> {
    let shown = Command::new("git")
        .args(["show", &format!("{commit}:{COMMITTED}")])
        .current_dir(project())
        .output()
        .context("git cannot be started")?;
    ensure!(
        shown.status.success(),
        "{commit} has no {COMMITTED}: {}",
        String::from_utf8_lossy(&shown.stderr)
    );
    Ok(serde_json::from_slice(&shown.stdout)?)
}
