//! `cargo xtask deny` and `cargo xtask sbom`.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Result;
use fs_err as fs;

use crate::{
    process::{self, step},
    project::Project,
    tools,
};

/// Check the licences, sources and advisories of all third-party crates
///
/// Builds cargo-deny in .kea/tools if it is missing. The rules are in deny.toml.
/// Advisories are skipped if the database of `RustSec` cannot be reached.
#[derive(clap::Args)]
pub struct Deny {}

pub fn deny() -> Result<ExitCode> {
    let project = Project::read()?;
    let program = tools::CARGO_DENY.install(&project)?;
    let cargo_deny = |arguments: &[&str]| {
        let mut command = process::command(&program);
        command.args(arguments).current_dir(&project.root);
        command
    };
    let mut checks = vec!["bans", "licenses", "sources"];
    step("Fetching the advisories of RustSec");
    let has_advisories = process::status(cargo_deny(&["fetch", "db"]))?.success();
    if has_advisories {
        checks.push("advisories");
    }
    step(format_args!("Checking {}", checks.join(", ")));
    let check = ["--locked", "check", "--hide-inclusion-graph"];
    let code = process::run(cargo_deny(&[&check[..], &checks].concat()))?;
    if !has_advisories {
        step("Left out: the advisories, because the database of RustSec cannot be reached");
    }
    Ok(code)
}

/// Write a software bill of materials (`CycloneDX`) for each function
///
/// Builds cargo-cyclonedx in .kea/tools if it is missing. Writes the crates that a
/// function is built from, with their versions, licences and checksums, to
/// .kea/sbom/<function>.cdx.json. Optional crates are listed if another package of
/// the workspace turns them on.
#[derive(clap::Args)]
pub struct Sbom {}

pub fn sbom() -> Result<ExitCode> {
    let project = Project::read()?;
    let program = tools::CARGO_CYCLONEDX.install(&project)?;
    step("Describing the functions");
    let mut describe = process::command(&program);
    describe
        .args(["cyclonedx", "--quiet", "--format", "json"])
        .args(["--spec-version", "1.5", "--no-build-deps"])
        .args(["--target", "aarch64-unknown-linux-musl"])
        .current_dir(&project.root);
    process::succeed(describe, "cargo cyclonedx")?;
    let folder = project.create_folder("sbom")?;
    // It writes a file beside the manifest of every package.
    for manifests in ["crates", "functions", "tests", "xtask"] {
        for file in documents(&project.root.join(manifests))? {
            if manifests == "functions" {
                let target = folder.join(file.file_name().unwrap_or_default());
                fs::rename(&file, &target)?;
                println!("{}", target.display());
            } else {
                fs::remove_file(file)?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The bills of materials of the package in a folder and of those below it.
fn documents(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(documents(&path)?);
        } else if path.to_string_lossy().ends_with(".cdx.json") {
            found.push(path);
        }
    }
    Ok(found)
}
