//! The crates of the workspace, their modules and their dependencies.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use anyhow::{Context, Result};
use cargo_metadata::{DependencyKind, MetadataCommand, Package, TargetKind};

/// A crate of the workspace.
#[derive(Debug, Clone)]
pub struct Crate {
    /// Its name.
    pub name: String,
    /// The description in its `Cargo.toml`.
    pub description: String,
    /// The first folder of its path, such as `functions`.
    pub folder: String,
    /// Its modules one level down, in alphabetical order.
    pub modules: Vec<String>,
    /// The crates of the workspace that it depends on.
    pub needs: BTreeSet<String>,
    /// The crates outside of the workspace that it depends on.
    pub external: BTreeSet<String>,
}

/// Every crate of the workspace in this folder, by name.
///
/// # Errors
///
/// Cargo cannot read the workspace.
pub fn crates(project: &Path) -> Result<BTreeMap<String, Crate>> {
    let metadata = MetadataCommand::new()
        .manifest_path(project.join("Cargo.toml"))
        .no_deps()
        .exec()?;
    let ours: BTreeSet<_> = metadata
        .packages
        .iter()
        .map(|it| it.name.to_string())
        .collect();
    let root = metadata.workspace_root.as_std_path();
    let crates = metadata.packages.iter().map(|package| {
        let read = crate_of(package, root, &ours).with_context(|| package.name.to_string())?;
        Ok((read.name.clone(), read))
    });
    crates.collect()
}

fn crate_of(package: &Package, root: &Path, ours: &BTreeSet<String>) -> Result<Crate> {
    let manifest = package.manifest_path.as_std_path();
    let folder = manifest.strip_prefix(root).unwrap_or(manifest);
    let folder = folder
        .components()
        .next()
        .map(|it| it.as_os_str().to_string_lossy());
    let normal = package
        .dependencies
        .iter()
        .filter(|dependency| dependency.kind == DependencyKind::Normal && !dependency.optional);
    let (needs, external) = normal
        .map(|dependency| dependency.name.clone())
        .partition(|name| ours.contains(name));
    Ok(Crate {
        name: package.name.to_string(),
        description: package.description.clone().unwrap_or_default(),
        folder: folder.unwrap_or_default().into_owned(),
        modules: modules(package)?,
        needs,
        external,
    })
}

/// The modules one level down: the files and folders beside the crate's root.
fn modules(package: &Package) -> Result<Vec<String>> {
    let of = |kind: TargetKind| package.targets.iter().find(|it| it.kind.contains(&kind));
    let Some(target) = of(TargetKind::Lib).or_else(|| of(TargetKind::Bin)) else {
        return Ok(Vec::new());
    };
    let root = target.src_path.as_std_path();
    let folder = root.parent().context("a root in no folder")?;
    let mut modules = BTreeSet::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let is_module =
            path.extension().is_some_and(|it| it == "rs") || path.join("mod.rs").exists();
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        if is_module && name != "lib" && name != "main" {
            modules.insert(name.into_owned());
        }
    }
    Ok(modules.into_iter().collect())
}
