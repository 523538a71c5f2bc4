//! The package diagram: the crates, their modules and their dependencies.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use crate::{
    style::{self, Colour, Sign, alias, wrapped},
    workspace::Crate,
};

/// The groups of external crates, and how the names in each begin.
const GROUPS: [(&str, &[&str]); 7] = [
    ("AWS SDK", &["aws-"]),
    ("AWS Lambda", &["aws_lambda_", "lambda_"]),
    (
        "HTTP",
        &[
            "axum", "http", "hyper", "tower", "url", "percent-", "rustls", "webpki",
        ],
    ),
    ("MySQL", &["mysql_", "refinery"]),
    ("Tokio", &["tokio", "futures-"]),
    ("Serde", &["serde"]),
    ("tracing", &["tracing"]),
];

/// The group of all others.
const SMALL: &str = "small libraries";

/// The folders of deployed crates, whose external dependencies are shown.
const DEPLOYED: [&str; 2] = ["functions", "crates"];

/// Draws the diagram.
#[must_use]
pub fn draw(crates: &BTreeMap<String, Crate>) -> String {
    let mut text = style::begin(
        "package",
        "The crates, their modules and what depends on what",
    );
    text.push_str("allowmixing\nskinparam nodesep 12\nskinparam ranksep 46\n");

    let mut folders = BTreeMap::<&str, BTreeSet<&str>>::new();
    for (name, it) in crates {
        folders.entry(&it.folder).or_default().insert(name);
    }
    for (folder, names) in &folders {
        let _ = writeln!(
            text,
            "package \"{folder}\" as {} {{",
            alias("folder", folder)
        );
        for name in names {
            if let Some(it) = crates.get(*name) {
                text.push_str(&body(it));
            }
        }
        // In one row: no edge places them.
        if *folder == "functions" {
            for (left, right) in names.iter().zip(names.iter().skip(1)) {
                let _ = writeln!(
                    text,
                    "{} -[hidden]r- {}",
                    alias("crate", left),
                    alias("crate", right)
                );
            }
        }
        text.push_str("}\n");
    }

    let external = external(crates);
    let used: BTreeSet<_> = external.values().flatten().copied().collect();
    text.push_str("package \"crates.io\" as external {\n");
    for group in &used {
        let members: BTreeSet<_> = crates
            .values()
            .filter(|it| DEPLOYED.contains(&it.folder.as_str()))
            .flat_map(|it| &it.external)
            .filter(|name| group_of(name) == *group)
            .map(String::as_str)
            .collect();
        let members = wrapped(members, " · ", 22).replace("\\n", "\n");
        let _ = writeln!(
            text,
            "folder {} [\n<b>{group}</b>\n----\n{members}\n]",
            alias("group", group)
        );
    }
    text.push_str("}\n");

    for (from, to) in arrows(crates, &folders) {
        let _ = writeln!(text, "{from} ..> {to}");
    }
    for (name, groups) in &external {
        for group in groups {
            let _ = writeln!(
                text,
                "{} ..> {}",
                alias("crate", name),
                alias("group", group)
            );
        }
    }
    text.push_str(&style::end(&[
        (
            Sign::Box(Colour::Function),
            "a function: a crate that is deployed on its own",
        ),
        (Sign::Box(Colour::Library), "another crate of the workspace"),
        (Sign::Box(Colour::External), "external crates, in groups"),
        (
            Sign::Line("··>"),
            "depends on; what follows from two arrows is left out",
        ),
    ]));
    text
}

fn body(it: &Crate) -> String {
    let colour = match it.folder.as_str() {
        "functions" => Colour::Function,
        _ => Colour::Library,
    };
    let modules = wrapped(it.modules.iter().map(String::as_str), " · ", 20).replace("\\n", "\n");
    let modules = match modules.as_str() {
        "" => String::new(),
        modules => format!("----\n{modules}\n"),
    };
    let (alias, name, colour) = (alias("crate", &it.name), &it.name, colour.light());
    format!("folder {alias} {colour} [\n<b>{name}</b>\n{modules}]\n")
}

/// The dependencies within the workspace, without those that follow from others.
/// One arrow of a folder represents those of its crates, if all of them depend on a
/// crate or most of them are depended on.
fn arrows(
    crates: &BTreeMap<String, Crate>,
    folders: &BTreeMap<&str, BTreeSet<&str>>,
) -> BTreeSet<(String, String)> {
    let mut arrows = BTreeSet::new();
    for (folder, names) in folders {
        let mut direct: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for name in names {
            direct.insert(name, unimplied(crates, name));
        }
        let targets: BTreeSet<_> = direct.values().flatten().copied().collect();
        for target in targets {
            let all = names
                .iter()
                .all(|it| *it != target && reached(crates, it).contains(target));
            let several = direct.values().filter(|it| it.contains(target)).count() > 1;
            if all && several {
                arrows.insert((alias("folder", folder), alias("crate", target)));
                for direct in direct.values_mut() {
                    direct.remove(target);
                }
            }
        }
        for (name, direct) in &mut direct {
            for (other, members) in folders.iter().filter(|(other, _)| *other != folder) {
                let most = members.intersection(direct).count() * 2 > members.len();
                if members.len() > 2 && most {
                    direct.retain(|it| !members.contains(it));
                    arrows.insert((alias("crate", name), alias("folder", other)));
                }
            }
            arrows.extend(
                direct
                    .iter()
                    .map(|to| (alias("crate", name), alias("crate", to))),
            );
        }
    }
    arrows
}

/// The direct dependencies of a crate that are not indirect ones too.
fn unimplied<'c>(crates: &'c BTreeMap<String, Crate>, name: &str) -> BTreeSet<&'c str> {
    let Some(it) = crates.get(name) else {
        return BTreeSet::new();
    };
    let implied: BTreeSet<_> = it.needs.iter().flat_map(|it| reached(crates, it)).collect();
    let direct = it.needs.iter().filter(|it| !implied.contains(*it));
    direct.map(String::as_str).collect()
}

/// All dependencies of a crate within the workspace, direct and indirect.
fn reached(crates: &BTreeMap<String, Crate>, name: &str) -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    let mut next = vec![name];
    while let Some(it) = next.pop().and_then(|name| crates.get(name)) {
        for need in &it.needs {
            if reached.insert(need.clone()) {
                next.push(need);
            }
        }
    }
    reached
}

/// The groups that each deployed crate depends on, without those of its
/// dependencies.
fn external(crates: &BTreeMap<String, Crate>) -> BTreeMap<&str, BTreeSet<&'static str>> {
    let groups = |name: &str| -> BTreeSet<&'static str> {
        let names = crates.get(name).into_iter().flat_map(|it| &it.external);
        names.map(|name| group_of(name)).collect()
    };
    let deployed = crates
        .values()
        .filter(|it| DEPLOYED.contains(&it.folder.as_str()));
    deployed
        .map(|it| {
            let below: BTreeSet<_> = reached(crates, &it.name)
                .iter()
                .flat_map(|it| groups(it))
                .collect();
            let own = groups(&it.name).difference(&below).copied().collect();
            (it.name.as_str(), own)
        })
        .collect()
}

fn group_of(name: &str) -> &'static str {
    let begins = |begins: &&str| name.starts_with(*begins);
    let group = GROUPS.iter().find(|(_, names)| names.iter().any(begins));
    group.map_or(SMALL, |(group, _)| group)
}
