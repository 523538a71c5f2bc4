//! The component diagram: what each function provides and requires.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use template::Template;

use crate::{
    store::{self, Store},
    style::{self, Colour, Sign, alias, wrapped},
    workspace::Crate,
};

/// A function as its router declares it.
#[derive(Debug, Clone, Default)]
pub struct Routed {
    /// Its paths.
    pub paths: Vec<String>,
    /// The paths of other functions that it calls.
    pub calls: Vec<String>,
}

/// A function with all that the diagram shows of it.
#[derive(Debug, Default)]
struct Function<'f> {
    about: String,
    /// Its paths for clients, and its path for `health`.
    paths: BTreeSet<&'f str>,
    health: BTreeSet<&'f str>,
    calls: BTreeSet<&'f str>,
    stores: BTreeMap<Store, BTreeSet<&'f str>>,
}

/// Draws the diagram.
#[must_use]
pub fn draw(
    template: &Template,
    routed: &BTreeMap<String, Routed>,
    crates: &BTreeMap<String, Crate>,
) -> String {
    let functions = functions(template, routed, crates);
    let mut text = style::begin("component", "What each function provides and requires");
    text.push_str("skinparam nodesep 22\nskinparam ranksep 60\nleft to right direction\n");

    let mut edges = String::new();
    for (name, function) in &functions {
        for (kind, paths) in [("health", &function.health), ("api", &function.paths)] {
            if paths.is_empty() {
                continue;
            }
            let (interface, component) = (alias(kind, name), alias("function", name));
            let label = paths.iter().copied().collect::<Vec<_>>().join("\\n");
            let _ = writeln!(text, "() \"{label}\" as {interface}");
            let _ = writeln!(edges, "{interface} -- {component}");
        }
        for path in &function.calls {
            if let Some(interface) = interface_of(&functions, path) {
                let _ = writeln!(edges, "{} --( {interface}", alias("function", name));
            }
        }
    }
    for service in services(&functions) {
        draw_service(&service, &mut text, &mut edges);
    }
    text.push_str(&edges);
    text.push_str(&style::end(&[
        (
            Sign::Box(Colour::Function),
            "a function: one binary, deployed on its own",
        ),
        (
            Sign::Box(Colour::Store),
            "a store, in the box of its owners: nothing else reaches it",
        ),
        (
            Sign::Line("──○"),
            "provides: paths of the API; tables of a store",
        ),
        (
            Sign::Line("──("),
            "requires: over HTTP through the API; of a store, by this variable",
        ),
    ]));
    text
}

fn functions<'f>(
    template: &'f Template,
    routed: &'f BTreeMap<String, Routed>,
    crates: &BTreeMap<String, Crate>,
) -> BTreeMap<&'f str, Function<'f>> {
    let mut functions = BTreeMap::new();
    let called: BTreeSet<_> = routed.values().flat_map(|it| &it.calls).collect();
    for template::Function {
        binary: name,
        resource,
        ..
    } in template.functions()
    {
        let mut function = Function {
            about: about(crates.get(name)),
            stores: store::of(template, resource),
            ..Function::default()
        };
        if let Some(routed) = routed.get(name) {
            let own = format!("/health/{name}");
            let (health, paths) = routed
                .paths
                .iter()
                .partition(|path| **path == own && called.contains(path));
            function.health = strs(health).collect();
            function.paths = roots(&strs(paths).collect());
            function.calls = routed.calls.iter().map(String::as_str).collect();
        }
        functions.insert(name, function);
    }
    functions
}

fn strs(paths: Vec<&String>) -> impl Iterator<Item = &str> {
    paths.into_iter().map(String::as_str)
}

/// The paths that are not below another one.
fn roots<'p>(paths: &BTreeSet<&'p str>) -> BTreeSet<&'p str> {
    let under = |path: &str, root: &str| {
        path.strip_prefix(root)
            .is_some_and(|rest| rest.starts_with('/'))
    };
    let roots = paths
        .iter()
        .filter(|path| !paths.iter().any(|root| under(path, root)));
    roots.copied().collect()
}

/// The interface that has `path`.
fn interface_of(functions: &BTreeMap<&str, Function<'_>>, path: &str) -> Option<String> {
    if let Some((name, _)) = functions.iter().find(|(_, it)| it.health.contains(path)) {
        return Some(alias("health", name));
    }
    functions.iter().find_map(|(name, function)| {
        let holds = |root: &&str| {
            path.strip_prefix(*root)
                .is_some_and(|rest| rest.is_empty() || (*root != "/" && rest.starts_with('/')))
        };
        let has = function.paths.iter().any(holds);
        has.then(|| alias("api", name))
    })
}

/// Functions that share a store, or one without.
type Service<'s> = BTreeMap<&'s str, &'s Function<'s>>;

/// Draws the functions of a service in one box with their stores.
fn draw_service(service: &Service<'_>, text: &mut String, edges: &mut String) {
    let stores: BTreeSet<_> = service.values().flat_map(|it| it.stores.keys()).collect();
    let grouped = !stores.is_empty();
    if grouped {
        let names: Vec<_> = service.keys().copied().collect();
        let whose = if names.len() == 1 { "its" } else { "their" };
        let names = names.join(", ");
        let _ = writeln!(text, "package \"{names} and {whose} data\" {{");
    }
    for (name, function) in service {
        let (about, alias) = (&function.about, alias("function", name));
        let _ = writeln!(text, "component \"**{name}**\\n{about}\" as {alias}");
    }
    let mut servers = BTreeSet::new();
    for store in stores {
        let (interface, database) = (alias("data", &store.id), server(store));
        let _ = writeln!(text, "() \"{}\" as {interface}", store.id);
        if servers.insert(database.clone()) {
            let _ = writeln!(text, "database \"{}\" as {database}", store.product);
        }
        let _ = writeln!(edges, "{interface} -- {database}");
        for (name, function) in service {
            if let Some(variables) = function.stores.get(store) {
                let variables = wrapped(variables.iter().copied(), "", 0);
                let function = alias("function", name);
                let _ = writeln!(edges, "{function} --( {interface} : {variables}");
            }
        }
    }
    if grouped {
        text.push_str("}\n");
    }
}

fn services<'s>(functions: &'s BTreeMap<&'s str, Function<'s>>) -> Vec<Service<'s>> {
    let mut services: Vec<Service<'_>> = Vec::new();
    for (name, function) in functions {
        let mut service = Service::from([(*name, function)]);
        services.retain(|other| {
            let theirs = |it: &Store| other.values().any(|other| other.stores.contains_key(it));
            let shared = function.stores.keys().any(theirs);
            if shared {
                service.extend(other);
            }
            !shared
        });
        services.push(service);
    }
    services
}

/// The server of a store: one for all tables, one for each database.
fn server(store: &Store) -> String {
    match store.product {
        "DynamoDB" => alias("server", store.product),
        _ => alias("server", &store.id),
    }
}

/// The description of a crate without its routes, in short lines.
fn about(of: Option<&Crate>) -> String {
    let description = of.map_or("", |it| it.description.as_str());
    let about = description
        .split_once(": ")
        .map_or(description, |(_, about)| about);
    wrapped(about.trim_end_matches('.').split(' '), " ", 26)
}
