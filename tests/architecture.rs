//! The invariants of `docs/architecture.md` that no other test checks.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    process::Command,
};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};
use diagrams::{render, store};
use syn::Item;
use template::{Template, project};

use crate::{alarms, source};

/// The lines of a `main.rs`, at most.
const MOST_LINES_OF_MAIN: usize = 25;

/// The packages of the workspace.
pub fn metadata() -> Metadata {
    let manifest = project().join("Cargo.toml");
    let mut command = MetadataCommand::new();
    command.manifest_path(manifest).no_deps().exec().unwrap()
}

/// The packages of the workspace that one which is deployed may depend on.
fn allowed(package: &str, template: &Template) -> &'static [&'static str] {
    match package {
        "derive" => &[],
        "json" => &["derive"],
        "dto" => &["json"],
        "chassis" => &["derive", "dto", "json"],
        "dynamodb" | "mysql" => &["chassis", "dto", "json"],
        // region: mysqldata
        "sums" => &["mysql"],
        // endregion
        function => {
            let function = template.function(function);
            let function = function.unwrap_or_else(|_| panic!("{package} is not in this list"));
            let variables = function.resource.environment();
            if variables.contains_key("MYSQL_URL") {
                &["chassis", "dto", "json", "mysql", "sums"]
            } else if variables.contains_key("AWS_ENDPOINT_URL_DYNAMODB") {
                &["chassis", "dto", "dynamodb", "json"]
            } else {
                &["chassis", "dto", "json"]
            }
        }
    }
}

#[test]
fn deployed_packages_depend_on_each_other_one_way_and_on_no_others() {
    let (metadata, template) = (metadata(), alarms::template());
    let folders = ["crates", "functions"].map(|it| metadata.workspace_root.join(it));
    let (deployed, others): (Vec<_>, Vec<_>) = metadata.packages.iter().partition(|it| {
        let mut folders = folders.iter();
        folders.any(|folder| it.manifest_path.starts_with(folder))
    });
    let others: BTreeSet<_> = others.iter().map(|it| it.name.as_str()).collect();
    let names: BTreeSet<_> = deployed.iter().map(|it| it.name.as_str()).collect();
    assert!(names.len() >= 5, "{names:?}");
    for package in deployed {
        let allowed = allowed(package.name.as_str(), &template);
        // Normal, build and development dependencies.
        for dependency in &package.dependencies {
            let (from, to) = (&package.name, dependency.name.as_str());
            assert!(!others.contains(to), "{from} may not depend on {to}");
            let is_for_tests = dependency.kind == DependencyKind::Development;
            assert!(
                !names.contains(to) || is_for_tests || allowed.contains(&to),
                "{from} may not depend on {to}: functions → dynamodb | mysql → chassis → dto → json"
            );
        }
    }
}

/// The packages that a function links, with their versions, a line each.
fn linked(function: &str) -> String {
    let mut tree = Command::new(env!("CARGO"));
    tree.args(["tree", "--locked", "--package", function])
        .args(["--edges", "normal", "--prefix", "none"])
        .current_dir(project());
    let output = tree.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn function_without_variables_links_no_client() {
    // It has no outbound calls.
    let functions = testbed::functions().await;
    let small = functions.iter().filter(|it| it.variables.is_empty());
    for function in small.map(|it| it.service.name()) {
        let linked = linked(function);
        for heavy in ["aws-", "rustls", "ring ", "mysql", "hyper-rustls"] {
            assert!(
                !linked.lines().any(|line| line.starts_with(heavy)),
                "{function} depends on {heavy}"
            );
        }
    }
}

/// All that it may depend on. None of these does I/O.
const DEPENDENCIES_OF_DTO: [&str; 4] = ["json", "serde", "time", "uuid"];

#[test]
fn dto_does_no_input_or_output() {
    let metadata = metadata();
    let mut packages = metadata.packages.iter();
    let dto = packages.find(|it| it.name == "dto").unwrap();
    for dependency in &dto.dependencies {
        assert!(
            dependency.kind == DependencyKind::Development
                || DEPENDENCIES_OF_DTO.contains(&dependency.name.as_str()),
            "dto does no I/O, and may not depend on {}",
            dependency.name
        );
    }
    let io = regex::Regex::new(r"\b(?:env|fs|io|net|os|process|thread)::").unwrap();
    for (file, source) in source::deployed(&["crates/dto", "crates/json"]) {
        let found = io.find(&source).map(|it| it.as_str());
        assert_eq!(found, None, "{} does I/O", file.display());
    }
}

#[test]
fn main_of_every_function_only_wires() {
    let functions = alarms::template();
    for function in functions.functions() {
        let name = function.binary;
        let file = project().join(format!("functions/{name}/src/main.rs"));
        let text = fs::read_to_string(&file).unwrap();
        let lines = text.lines().count();
        assert!(lines <= MOST_LINES_OF_MAIN, "{name}: {lines} lines");
        for item in syn::parse_file(&text).unwrap().items {
            let is_wiring = match &item {
                Item::Use(_) => true,
                Item::Fn(function) => function.sig.ident == "main",
                _ => false,
            };
            assert!(is_wiring, "{name} has more than `use` and `main`");
        }
    }
}

/// A panic must become a response, and a small binary starts faster.
#[test]
fn release_profile_unwinds_and_is_small() {
    let manifest = fs::read_to_string(project().join("Cargo.toml")).unwrap();
    let manifest: toml::Table = manifest.parse().unwrap();
    let release = manifest["profile"]["release"].as_table().unwrap();
    let expected = toml::toml! {
        codegen-units = 1
        lto = "fat"
        opt-level = "s"
        panic = "unwind"
        strip = true
    };
    assert_eq!(*release, expected);
}

#[test]
fn every_third_party_crate_has_a_reason() {
    let manifest = fs::read_to_string(project().join("Cargo.toml")).unwrap();
    let (_, rest) = manifest.split_once("\n[workspace.dependencies]\n").unwrap();
    let lines = rest.split("\n[").next().unwrap().lines();
    let with_reason = lines.filter(|line| line.contains(" # "));
    let with_reason = with_reason.map(|line| line.split_once(" = ").unwrap().0.to_owned());
    let packages = metadata().packages.into_iter();
    let dependencies = packages.flat_map(|it| it.dependencies);
    let third_party = dependencies.filter(|it| it.path.is_none());
    let third_party = third_party.map(|it| it.name);
    assert_eq!(
        with_reason.collect::<BTreeSet<_>>(),
        third_party.collect(),
        "left: the lines of [workspace.dependencies] with a reason; right: the manifests"
    );
}

/// A table has one owner. So has a table of a database: the privileges of its
/// users are disjoint, and each is the user of one function.
#[test]
fn no_two_services_share_a_store() {
    let template = alarms::template();
    let mut owners = BTreeMap::<String, &str>::new();
    let mut used = BTreeSet::new();
    // The function that migrates a database answers no requests, and owns nothing.
    for function in template.answering() {
        for store in store::of(&template, function.resource).into_keys() {
            used.insert(store.id.clone());
            let owned = match function.database_user() {
                Some(user) if store.product == "MySQL" => format!("the user {user}"),
                _ => store.id,
            };
            if let Some(other) = owners.insert(owned.clone(), function.binary) {
                panic!("{owned} is of {other} and of {}", function.binary);
            }
        }
    }
    let tables = template.of_type("AWS::DynamoDB::Table");
    let databases = template.of_type("AWS::RDS::DBInstance");
    for (id, _) in tables.chain(databases) {
        assert!(used.contains(id), "no function uses {id}");
    }

    let grants = fs::read_to_string(stores::grants()).unwrap_or_default();
    let mut tables = BTreeMap::new();
    for grant in grants.lines().filter_map(|line| line.strip_suffix(';')) {
        let (_, grant) = grant.split_once(" ON ").unwrap();
        let (table, user) = grant.split_once(" TO ").unwrap();
        assert!(
            owners.contains_key(&format!("the user {user}")),
            "no function signs in as {user}"
        );
        if let Some(other) = tables.insert(table, user) {
            panic!("{table} is of {other} and of {user}");
        }
    }
}

/// The file paths between backticks.
fn named_files(text: &str) -> BTreeSet<&str> {
    let quoted = text.split('`').skip(1).step_by(2);
    let is_path = |it: &&str| {
        let extensions = [".rs", ".json", ".md", ".sql", ".toml", ".yaml"];
        extensions.iter().any(|end| it.ends_with(end)) && !it.contains(['*', ' ', '<'])
    };
    quoted.filter(is_path).collect()
}

#[test]
fn every_file_named_in_the_architecture_document_exists() {
    let text = fs::read_to_string(project().join("docs/architecture.md")).unwrap();
    let named = named_files(&text);
    assert!(named.len() >= 10, "{named:?}");
    for file in named {
        assert!(
            project().join(file).is_file(),
            "docs/architecture.md names {file}, which does not exist"
        );
    }
}

#[test]
fn every_diagram_is_in_the_document_and_on_the_architecture_page() {
    let document = fs::read_to_string(project().join("docs/architecture.md")).unwrap();
    let page = project().join("functions/docs/assets/pages/architecture.html");
    let page = fs::read_to_string(page).unwrap();
    let mut count = 0;
    for entry in fs::read_dir(render::folder(&project())).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if let Some(picture) = name.strip_suffix(".svg") {
            count += 1;
            let referenced = document.contains(&format!("](diagrams/{picture}.svg)"));
            assert!(referenced, "{name} is not in docs/architecture.md");
            let shown = page.contains(&format!("<img src=\"{{{{{name}}}}}\""));
            assert!(shown, "{name} is not on the page of functions/docs");
        }
        let source = name.replace(".svg", ".puml");
        assert!(
            page.contains(&format!("{{{{{source}}}}}")),
            "{source} is not linked from the page"
        );
    }
    let references = document.matches("](diagrams/").count();
    assert_eq!(
        references, count,
        "docs/architecture.md refers to a diagram that does not exist"
    );
}

/// `{:?}` writes Rust syntax, such as `"\u{202e}"`, which does not belong in a
/// problem or a log.
#[test]
fn deployed_code_formats_no_value_with_debug() {
    let debug = regex::Regex::new(r"\{[^{}]*\?\}").unwrap();
    let files = source::deployed(&["crates", "functions"]);
    for (file, source) in &files {
        for (line, text) in (1..).zip(source.lines()) {
            assert!(
                !debug.is_match(text),
                "{}:{line} formats a value with {{:?}}: use its Display, or leave it out",
                file.display()
            );
        }
    }
    assert!(files.len() >= 50, "{} files", files.len());
}
