//! The crates, their modules and which way the arrows run.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use crate::{
    style::{self, Colour, Sign, alias, wrapped},
    workspace::Crate,
};

/// What others wrote, folded: a group, and how its crates' names begin.
const GROUPS: [(&str, &[&str]); 7] = [
    ("AWS SDK", &["aws-"]),
    ("AWS Lambda", &["lambda_"]),
    (
        "HTTP",
        &[
            "axum", "http", "hyper", "tower", "url", "percent-", "rustls", "webpki",
        ],
    ),
    ("MySQL driver", &["mysql_"]),
    ("Tokio", &["tokio", "futures-"]),
    ("Serde", &["serde"]),
    ("tracing", &["tracing"]),
];

/// Any other.
const SMALL: &str = "small libraries";

/// The folders whose crates are deployed: of these it is told what of others'
/// they depend on.
const DEPLOYED: [&str; 2] = ["functions", "crates"];

/// The diagram.
#[must_use]
pub fn draw(crates: &BTreeMap<String, Crate>) -> String {
    let mut text = style::begin(
        "package",
        "The crates, their modules and what depends on what",
    );
    text.push_str("allowmixing\nskinparam nodesep 24\nskinparam ranksep 46\n");

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
        // In one row: nothing else says where they stand.
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
        let members = wrapped(members, " · ", 34).replace("\\n", "\n");
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
        (
            Sign::Box(Colour::Library),
            "a crate that functions, tools and tests share",
        ),
        (
            Sign::Box(Colour::External),
            "crates of others, folded into groups",
        ),
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
    let modules = wrapped(it.modules.iter().map(String::as_str), " · ", 30).replace("\\n", "\n");
    let modules = match modules.as_str() {
        "" => String::new(),
        modules => format!("----\n{modules}\n"),
    };
    let (alias, name, colour) = (alias("crate", &it.name), &it.name, colour.light());
    format!("folder {alias} {colour} [\n<b>{name}</b>\n{modules}]\n")
}

/// Who depends on whom of ours; where a whole folder does, or is depended on, an
/// arrow of the folder stands for those of its crates.
fn arrows(
    crates: &BTreeMap<String, Crate>,
    folders: &BTreeMap<&str, BTreeSet<&str>>,
) -> BTreeSet<(String, String)> {
    let mut arrows: BTreeSet<(String, String)> = BTreeSet::new();
    let needs = |name: &str| {
        crates
            .get(name)
            .map(|it| it.needs.clone())
            .unwrap_or_default()
    };
    let folder_of = |name: &str| crates.get(name).map_or("", |it| it.folder.as_str());
    for (folder, names) in folders {
        let mut of_all = BTreeSet::new();
        let mut of_each = BTreeMap::<&str, BTreeSet<String>>::new();
        for name in names {
            let mut direct = needs(name);
            let implied: BTreeSet<_> = direct.iter().flat_map(|it| reached(crates, it)).collect();
            direct.retain(|it| !implied.contains(it));
            // All of another folder is that folder.
            for (other, members) in folders {
                let all = members.iter().all(|it| direct.contains(*it));
                if other != folder && members.len() > 1 && all {
                    direct.retain(|it| folder_of(it) != *other);
                    direct.insert(format!("{other}/"));
                }
            }
            of_each.insert(name, direct);
        }
        if names.len() > 1 {
            let mut common = of_each.values().cloned();
            let first = common.next().unwrap_or_default();
            of_all = common.fold(first, |all, it| all.intersection(&it).cloned().collect());
        }
        let end = |name: &str| match name.strip_suffix('/') {
            Some(folder) => alias("folder", folder),
            None => alias("crate", name),
        };
        arrows.extend(of_all.iter().map(|to| (alias("folder", folder), end(to))));
        for (name, direct) in &of_each {
            let own = direct.difference(&of_all);
            arrows.extend(own.map(|to| (alias("crate", name), end(to))));
        }
    }
    arrows
}

/// The crates of ours that one depends on, over any number of others.
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

/// The groups that each deployed crate depends on and none of what it depends
/// on does.
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
