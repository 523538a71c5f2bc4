//! The crates of the workspace, their modules and what they depend on.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use anyhow::{Context, Result};
use cargo_metadata::{DependencyKind, MetadataCommand, Package, TargetKind};
use syn::{Item, ItemMod, parse::Parser, punctuated::Punctuated};

/// A crate of the workspace.
#[derive(Debug, Clone)]
pub struct Crate {
    /// Its name.
    pub name: String,
    /// What its `Cargo.toml` says of it.
    pub description: String,
    /// The folder that it stands in, such as `functions`; its own where it
    /// stands in none.
    pub folder: String,
    /// Its modules one level down, by the alphabet.
    pub modules: Vec<String>,
    /// The crates of the workspace that it depends on.
    pub needs: BTreeSet<String>,
    /// The crates of others that it depends on.
    pub external: BTreeSet<String>,
}

/// Every crate of the workspace in this folder, by name.
///
/// # Errors
///
/// Cargo cannot read the workspace, or a source file is not Rust.
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

/// What the crate's root declares as modules: of its library, or of its program
/// where it is that alone.
fn modules(package: &Package) -> Result<Vec<String>> {
    let of = |kind: TargetKind| package.targets.iter().find(|it| it.kind.contains(&kind));
    let Some(target) = of(TargetKind::Lib).or_else(|| of(TargetKind::Bin)) else {
        return Ok(Vec::new());
    };
    let path = target.src_path.as_std_path();
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let file = syn::parse_file(&text).with_context(|| path.display().to_string())?;
    let mut modules: Vec<_> = file
        .items
        .iter()
        .filter_map(|item| match item {
            Item::Mod(module) if !is_for_tests(module) => Some(module.ident.to_string()),
            _ => None,
        })
        .collect();
    modules.sort();
    Ok(modules)
}

/// Whether it stands under `#[cfg(test)]`.
fn is_for_tests(module: &ItemMod) -> bool {
    module.attrs.iter().any(|attribute| {
        let conditions = Punctuated::<syn::Meta, syn::Token![,]>::parse_terminated;
        attribute.path().is_ident("cfg")
            && (attribute.meta.require_list())
                .and_then(|list| conditions.parse2(list.tokens.clone()))
                .is_ok_and(|all| all.iter().any(|it| it.path().is_ident("test")))
    })
}
