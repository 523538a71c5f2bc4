//! No two modules of a crate depend on each other in a cycle, and no two folders.
//!
//! A module depends on the modules whose items it names. `mod` and what a module
//! re-exports are no dependencies, and neither is what tests name.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    slice,
};

use cargo_metadata::TargetKind;
use syn::{
    Attribute, Item, ItemMod, ItemUse, UseTree, Visibility,
    visit::{self, Visit},
};

use crate::architecture;

/// The names on the way to a module or to an item.
type Names = Vec<String>;

/// A module.
#[derive(Default)]
struct Module {
    /// The path of each name that a `use` brings into scope.
    imports: BTreeMap<String, Names>,
    /// The paths that the module names, without those that it re-exports.
    named: Vec<Names>,
}

/// The modules of a crate by their paths. That of the root is empty.
struct Crate {
    folder: PathBuf,
    modules: BTreeMap<Names, Module>,
}

impl Crate {
    /// The crate with this root, such as `lib.rs`.
    fn read(root: &Path) -> Self {
        let folder = root.parent().unwrap().to_owned();
        let modules = BTreeMap::new();
        let mut read = Self { folder, modules };
        read.add(Vec::new(), root);
        read
    }

    /// Adds the module in a file, and those that it declares.
    fn add(&mut self, path: Names, file: &Path) {
        let text = fs::read_to_string(file).unwrap();
        let parsed = syn::parse_file(&text).unwrap_or_else(|it| panic!("{}: {it}", file.display()));
        self.modules.insert(path.clone(), Module::default());
        Reader { read: self, path }.visit_file(&parsed);
    }

    /// The file of a module.
    fn file(&self, path: &[String]) -> PathBuf {
        let path: PathBuf = path.iter().collect();
        let own = self.folder.join(&path).with_extension("rs");
        if own.exists() {
            own
        } else {
            self.folder.join(path).join("mod.rs")
        }
    }

    /// The module that has what `from` calls `path`; none if that is another crate's.
    fn resolve(&self, from: &[String], path: &[String]) -> Option<Names> {
        let (first, rest) = path.split_first()?;
        match first.as_str() {
            "crate" => self.descend(&[], rest),
            "self" => self.descend(from, rest),
            "super" => {
                let parent = &from[..from.len().checked_sub(1)?];
                match rest.first() {
                    Some(next) if next == "super" => self.resolve(parent, rest),
                    _ => self.descend(parent, rest),
                }
            }
            _ => {
                let child = [from, slice::from_ref(first)].concat();
                if self.modules.contains_key(&child) {
                    self.descend(&child, rest)
                } else {
                    let import = self.modules[from].imports.get(first)?;
                    (import.first() != Some(first))
                        .then(|| self.resolve(from, &[import, rest].concat()))?
                }
            }
        }
    }

    /// The module that has what is called `path` in the module `from`.
    fn descend(&self, from: &[String], path: &[String]) -> Option<Names> {
        let Some((first, rest)) = path.split_first() else {
            return Some(from.to_vec());
        };
        let child = [from, slice::from_ref(first)].concat();
        if self.modules.contains_key(&child) {
            self.descend(&child, rest)
        } else if let Some(import) = self.modules[from].imports.get(first) {
            self.resolve(from, import)
        } else {
            Some(from.to_vec())
        }
    }

    /// The modules that each depends on. What is deeper than `depth` counts as part of
    /// its ancestor there.
    fn dependencies(&self, depth: usize) -> BTreeMap<Names, BTreeSet<Names>> {
        let ancestor = |path: &Names| path[..path.len().min(depth)].to_vec();
        let mut dependencies = BTreeMap::<_, BTreeSet<_>>::new();
        for (path, module) in &self.modules {
            let named = module.named.iter();
            let modules = named.filter_map(|name| self.resolve(path, name));
            let others = modules.map(|other| ancestor(&other));
            let others = others.filter(|other| *other != ancestor(path));
            dependencies
                .entry(ancestor(path))
                .or_default()
                .extend(others);
        }
        dependencies
    }

    /// The modules of cycles, and those on the ways between them: those of the root with
    /// all that they contain, or any.
    fn cycle(&self) -> Option<Vec<String>> {
        [1, usize::MAX].into_iter().find_map(|depth| {
            let cycle = in_cycles(self.dependencies(depth));
            let paths: Vec<_> = cycle.iter().map(|path| path.join("::")).collect();
            (!paths.is_empty()).then_some(paths)
        })
    }
}

/// What remains when modules are dropped as long as there is one that depends on none, or
/// that none depends on.
fn in_cycles(mut dependencies: BTreeMap<Names, BTreeSet<Names>>) -> BTreeSet<Names> {
    loop {
        let all: BTreeSet<_> = dependencies.keys().cloned().collect();
        let needed: BTreeSet<_> = dependencies.values().flatten().cloned().collect();
        dependencies.retain(|path, needs| {
            needs.retain(|other| all.contains(other));
            !needs.is_empty() && needed.contains(path)
        });
        if dependencies.len() == all.len() {
            return all;
        }
    }
}

/// Reads one module.
struct Reader<'c> {
    read: &'c mut Crate,
    path: Names,
}

impl Reader<'_> {
    fn module(&mut self) -> &mut Module {
        self.read.modules.get_mut(&self.path).unwrap()
    }

    fn add_use(&mut self, tree: &UseTree, mut path: Names, is_reexport: bool) {
        let name = match tree {
            UseTree::Path(tree) => {
                path.push(tree.ident.to_string());
                return self.add_use(&tree.tree, path, is_reexport);
            }
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.add_use(tree, path.clone(), is_reexport);
                }
                return;
            }
            UseTree::Glob(_) => None,
            UseTree::Name(name) => Some((name.ident.to_string(), name.ident.to_string())),
            UseTree::Rename(name) => Some((name.ident.to_string(), name.rename.to_string())),
        };
        if let Some((item, name)) = name {
            // `use module::{self}`
            let name = if item == "self" {
                path.last().cloned().unwrap_or_default()
            } else {
                path.push(item);
                name
            };
            self.module().imports.insert(name, path.clone());
        }
        if !is_reexport {
            self.module().named.push(path);
        }
    }
}

impl<'a> Visit<'a> for Reader<'_> {
    fn visit_item(&mut self, item: &'a Item) {
        let attributes: &[Attribute] = match item {
            Item::Fn(item) => &item.attrs,
            Item::Impl(item) => &item.attrs,
            Item::Mod(item) => &item.attrs,
            Item::Use(item) => &item.attrs,
            _ => &[],
        };
        let is_test = |it: &Attribute| {
            let list = it.meta.require_list();
            it.path().is_ident("cfg") && list.is_ok_and(|it| it.tokens.to_string() == "test")
        };
        if !attributes.iter().any(is_test) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_mod(&mut self, item: &'a ItemMod) {
        let path = [&self.path[..], &[item.ident.to_string()]].concat();
        let Some((_, items)) = &item.content else {
            let file = self.read.file(&path);
            return self.read.add(path, &file);
        };
        self.read.modules.insert(path.clone(), Module::default());
        let mut inner = Reader {
            read: self.read,
            path,
        };
        for item in items {
            inner.visit_item(item);
        }
    }

    fn visit_item_use(&mut self, item: &'a ItemUse) {
        let is_reexport = !matches!(item.vis, Visibility::Inherited);
        self.add_use(&item.tree, Vec::new(), is_reexport);
    }

    fn visit_path(&mut self, path: &'a syn::Path) {
        if path.segments.len() > 1 {
            let names = path.segments.iter().map(|it| it.ident.to_string());
            let names = names.collect();
            self.module().named.push(names);
        }
        visit::visit_path(self, path);
    }
}

#[test]
fn modules_do_not_depend_on_each_other_in_a_cycle() {
    let packages = architecture::metadata().packages;
    let (mut count, mut cycles) = (0, Vec::new());
    let kinds = [TargetKind::Lib, TargetKind::Bin, TargetKind::ProcMacro];
    for target in packages.iter().flat_map(|it| &it.targets) {
        if target.kind.iter().any(|kind| kinds.contains(kind)) {
            let read = Crate::read(target.src_path.as_std_path());
            count += read.modules.len();
            cycles.extend(read.cycle().map(|it| (target.src_path.clone(), it)));
        }
    }
    assert_eq!(cycles, [], "(the root of a crate is \"\")");
    assert!(count > 50, "{count} modules");
}

#[test]
fn a_cycle_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    let cycle = || Crate::read(&folder.path().join("lib.rs")).cycle();
    write("lib.rs", "mod a; mod b; mod c; pub use c::C;");
    write("a.rs", "use super::b::{self, B}; pub struct A(B);");
    write("b.rs", "pub struct B; fn f() -> crate::C { crate::C }");
    write(
        "c.rs",
        "#[cfg(test)] mod tests { use crate::a::A; } pub struct C;",
    );
    assert_eq!(cycle(), None);
    write("c.rs", "use crate::a::A; pub struct C(A);");
    let found = cycle().map(|it| it.join(" "));
    assert_eq!(found.as_deref(), Some("a b c"));

    write("c.rs", "mod d { use crate::a; } pub struct C;");
    let found = cycle().map(|it| it.join(" "));
    assert_eq!(found.as_deref(), Some("a b c"), "of folders");
}
