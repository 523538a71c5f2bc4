//! What must agree: the routers, the watch routes, the template and the events.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use chassis::config::Variable;
use serde_json::Value;
use testbed::{FUNCTIONS, routes, services, template};

/// Each path and the function that it goes to.
type Routes = BTreeMap<String, String>;

/// Says what is in `theirs` and not in the routers, and the other way round.
#[track_caller]
fn compare(routers: &Routes, theirs: &Routes, place: &str) {
    let mut wrong = Vec::new();
    for (path, function) in routers {
        match theirs.get(path) {
            None => wrong.push(format!(
                "{path} of {function} is missing in {place}: add it there"
            )),
            Some(other) if other != function => wrong.push(format!(
                "{path} goes to {other} in {place}, and it is {function} that declares it"
            )),
            Some(_) => {}
        }
    }
    for (path, function) in theirs {
        if !routers.contains_key(path) {
            wrong.push(format!(
                "{path} goes to {function} in {place}, and no router declares it: remove it \
                 there, or add it in functions/{function}/src/lib.rs"
            ));
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

/// The functions of the template, by the name of their binary.
fn deployed(template: &Value) -> BTreeMap<String, &Value> {
    let resources = template["Resources"].as_object().unwrap().values();
    let functions = resources.filter(|r| r["Type"] == "AWS::Serverless::Function");
    let named = functions.map(|function| {
        let binary = function["Metadata"]["BuildProperties"]["Binary"].as_str();
        (
            binary.expect("a function names its Binary").to_owned(),
            function,
        )
    });
    named.collect()
}

/// The events of a function of the template: none where it answers no HTTP.
fn events(function: &Value) -> impl Iterator<Item = (&String, &Value)> {
    let events = function["Properties"]["Events"].as_object();
    events.into_iter().flatten()
}

#[tokio::test]
async fn the_watch_routes_are_those_of_the_routers() {
    let manifest = fs::read_to_string(stores::project().join("Cargo.toml")).unwrap();
    let manifest: toml::Table = manifest.parse().unwrap();
    let watched = manifest["workspace"]["metadata"]["lambda"]["watch"]["router"]
        .as_table()
        .unwrap();
    let watched = watched.iter().map(|(path, function)| {
        let function = function
            .as_str()
            .expect("a watch route is a function's name: any method");
        (path.clone(), function.to_owned())
    });
    compare(
        &routes().await,
        &watched.collect(),
        "the watch routes of Cargo.toml",
    );
}

#[tokio::test]
async fn the_events_of_the_template_are_the_paths_of_the_routers() {
    let template = template();
    let mut routed = Routes::new();
    for (function, resource) in deployed(&template) {
        for (name, event) in events(resource) {
            assert_eq!(event["Type"], "HttpApi", "the event {name} of {function}");
            let properties = event["Properties"].as_object().unwrap();
            // The linters let a misspelt property pass.
            let names: BTreeSet<_> = properties.keys().map(String::as_str).collect();
            let known = BTreeSet::from(["ApiId", "Method", "Path"]);
            assert_eq!(
                names, known,
                "the properties of the event {name} of {function}"
            );
            assert_eq!(
                properties["Method"], "ANY",
                "the event {name} of {function}: which methods a path has is the function's to say"
            );
            let path = properties["Path"].as_str().unwrap().to_owned();
            let twice = routed.insert(path.clone(), function.clone());
            assert_eq!(twice, None, "{path} stands twice in template.yaml");
        }
    }
    compare(&routes().await, &routed, "template.yaml");
}

#[test]
fn every_function_is_in_the_workspace_the_template_and_the_tests() {
    let folder = stores::project().join("functions");
    let folders: BTreeSet<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let template = template();
    let deployed = deployed(&template);
    assert_eq!(
        folders,
        deployed.keys().cloned().collect(),
        "left: the folders of functions/, right: the functions of template.yaml"
    );
    let answering = deployed.iter().filter(|(_, f)| events(f).next().is_some());
    let answering: BTreeSet<_> = answering.map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        answering,
        FUNCTIONS.into(),
        "left: the functions of template.yaml with events, right: FUNCTIONS of \
         tests/testbed/src/system.rs"
    );
}

#[test]
fn health_asks_every_function_but_itself() {
    let template = template();
    let functions = deployed(&template);
    let asked = functions["health"]["Properties"]["Environment"]["Variables"]["FUNCTIONS"].as_str();
    let asked: BTreeSet<_> = asked.unwrap().split(',').collect();
    let others = FUNCTIONS
        .into_iter()
        .filter(|&name| name != "health")
        .collect();
    assert_eq!(
        asked, others,
        "left: FUNCTIONS of HealthFunction in template.yaml"
    );
}

#[tokio::test]
async fn the_template_sets_what_the_functions_read() {
    let services = services().await;
    let mut read: BTreeMap<&str, &[Variable]> =
        services.iter().map(|it| (it.name(), it.reads())).collect();
    // It answers no requests, so it is no service.
    read.insert("migrate", migrate::VARIABLES);
    let template = template();
    let functions = deployed(&template);
    assert_eq!(
        functions.keys().collect::<Vec<_>>(),
        read.keys().collect::<Vec<_>>(),
        "left: the functions of template.yaml, right: those whose variables are known here"
    );
    for (function, variables) in read {
        let read: BTreeSet<_> = variables.iter().map(|variable| variable.name).collect();
        let set = functions[function]["Properties"]["Environment"]["Variables"].as_object();
        let set: BTreeSet<_> = set
            .into_iter()
            .flatten()
            .map(|(name, _)| name.as_str())
            .collect();
        assert_eq!(
            read, set,
            "left: what {function} reads, right: what template.yaml sets"
        );
    }
}

#[tokio::test]
async fn every_path_has_events_that_are_replayed() {
    let mut replayed = BTreeSet::new();
    let mut count = 0;
    for function in FUNCTIONS {
        for entry in fs::read_dir(stores::project().join("events").join(function)).unwrap() {
            let event = fs::read_to_string(entry.unwrap().path()).unwrap();
            let event: Value = serde_json::from_str(&event).unwrap();
            replayed.insert((
                function.to_owned(),
                event["rawPath"].as_str().unwrap().to_owned(),
            ));
            count += 1;
        }
    }
    assert!(count >= 60, "there are {count} events");
    for (path, function) in routes().await {
        let prefix = path.split('{').next().unwrap();
        let covers = |(owner, raw): &(String, String)| {
            *owner == function && (*raw == path || path.contains('{') && raw.starts_with(prefix))
        };
        assert!(
            replayed.iter().any(covers),
            "no event under events/{function}/ has the path {path}"
        );
    }
}

#[tokio::test]
async fn arrows_run_one_way_and_small_functions_stay_small() {
    let manifest = stores::project().join("Cargo.toml");
    let metadata = cargo_metadata::MetadataCommand::new()
        .manifest_path(manifest)
        .no_deps()
        .exec()
        .unwrap();
    let ours: BTreeSet<_> = metadata
        .packages
        .iter()
        .map(|package| package.name.to_string())
        .collect();
    let template = template();
    let functions = deployed(&template);
    for package in &metadata.packages {
        let name = package.name.as_str();
        let normal = package
            .dependencies
            .iter()
            .filter(|d| d.kind == cargo_metadata::DependencyKind::Normal);
        let needs: BTreeSet<_> = normal.map(|dependency| dependency.name.as_str()).collect();
        let allowed: &[&str] = match name {
            "dto" => &[],
            "chassis" => &["dto"],
            "rds" => &["chassis"],
            // The two functions of the orders' service, and the only ones that
            // speak to its database.
            "migrate" | "mysqldata" => &["chassis", "dto", "rds"],
            _ if functions.contains_key(name) => &["chassis", "dto"],
            _ => continue,
        };
        for need in needs.iter().filter(|need| ours.contains(**need)) {
            assert!(
                allowed.contains(need),
                "{name} may not depend on {need}: functions depend on chassis and dto (those of the \
                 orders on rds too), rds on chassis, chassis on dto, dto on nothing of ours"
            );
        }
    }

    let tree = |function: &str| {
        let cargo = std::process::Command::new(env!("CARGO"))
            .args([
                "tree",
                "--package",
                function,
                "--edges",
                "normal",
                "--prefix",
                "none",
                "--locked",
            ])
            .current_dir(stores::project())
            .output()
            .unwrap();
        assert!(
            cargo.status.success(),
            "{}",
            String::from_utf8_lossy(&cargo.stderr)
        );
        String::from_utf8(cargo.stdout).unwrap()
    };
    // What is configured by nothing calls nobody.
    let services = services().await;
    let small = services.iter().filter(|service| service.reads().is_empty());
    for function in small.map(chassis::Service::name) {
        let tree = tree(function);
        for heavy in ["aws-", "rustls", "ring ", "mysql", "hyper-rustls"] {
            assert!(
                !tree.lines().any(|line| line.starts_with(heavy)),
                "{function} pulls in {heavy}"
            );
        }
    }
}
