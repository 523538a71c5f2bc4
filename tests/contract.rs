//! The routers, the watch routes, the template, the events and the document agree.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use chassis::{Environment, runtime::Handler, telemetry::Telemetry};
use http::Method;
use serde_json::{Value, json};
use testbed::{FUNCTIONS, System, routes, template};

/// The function of each path.
type Routes = BTreeMap<String, String>;

/// Asserts that `declared`, the routes in `place`, are those of the routers.
#[track_caller]
fn compare(routers: &Routes, declared: &Routes, place: &str) {
    let mut differences = Vec::new();
    for (path, function) in routers {
        match declared.get(path) {
            None => differences.push(format!(
                "{path} of {function} is missing in {place}: add it there"
            )),
            Some(other) if other != function => differences.push(format!(
                "{path} is routed to {other} in {place}, but {function} declares it"
            )),
            Some(_) => {}
        }
    }
    for (path, function) in declared {
        if !routers.contains_key(path) {
            differences.push(format!(
                "{path} is routed to {function} in {place}, but no router declares it: remove it \
                 there, or add it in functions/{function}/src/lib.rs"
            ));
        }
    }
    assert!(differences.is_empty(), "\n{}\n", differences.join("\n"));
}

/// The functions of the template, by their binary.
fn deployed(template: &Value) -> BTreeMap<String, &Value> {
    let resources = template["Resources"].as_object().unwrap().values();
    let functions = resources.filter(|r| r["Type"] == "AWS::Serverless::Function");
    let named = functions.map(|function| {
        let binary = function["Metadata"]["BuildProperties"]["Binary"].as_str();
        (
            binary.expect("a function has a Binary").to_owned(),
            function,
        )
    });
    named.collect()
}

/// The events of a function of the template: none if it serves no HTTP.
fn events(function: &Value) -> impl Iterator<Item = (&String, &Value)> {
    let events = function["Properties"]["Events"].as_object();
    events.into_iter().flatten()
}

#[tokio::test]
async fn watch_routes_are_the_routes_of_the_routers() {
    let manifest = fs::read_to_string(template::project().join("Cargo.toml")).unwrap();
    let manifest: toml::Table = manifest.parse().unwrap();
    let watched = manifest["workspace"]["metadata"]["lambda"]["watch"]["router"]
        .as_table()
        .unwrap();
    let watched = watched.iter().map(|(path, function)| {
        let function = function
            .as_str()
            .expect("the value of a watch route is a function: any method");
        (path.clone(), function.to_owned())
    });
    compare(
        &routes().await,
        &watched.collect(),
        "the watch routes of Cargo.toml",
    );
}

#[tokio::test]
async fn template_events_are_the_paths_of_the_routers() {
    let template = template();
    let mut routed = Routes::new();
    for (function, resource) in deployed(&template) {
        for (name, event) in events(resource) {
            assert_eq!(event["Type"], "HttpApi", "the event {name} of {function}");
            let properties = event["Properties"].as_object().unwrap();
            // The linters ignore unknown properties.
            let names: BTreeSet<_> = properties.keys().map(String::as_str).collect();
            let known = BTreeSet::from(["ApiId", "Method", "Path", "RouteSettings"]);
            assert!(
                names.is_subset(&known),
                "the properties of the event {name} of {function}: {names:?}"
            );
            // Other methods are there for their limits: see the test below.
            if properties["Method"] == "ANY" {
                let path = properties["Path"].as_str().unwrap().to_owned();
                let duplicate = routed.insert(path.clone(), function.clone());
                assert_eq!(duplicate, None, "{path} is in template.yaml twice");
            }
        }
    }
    compare(&routes().await, &routed, "template.yaml");
}

#[tokio::test]
async fn document_has_the_paths_and_methods_of_the_routers() {
    let system = System::start().await;
    let document = system.client.get("/openapi.json").await.expect(200).json();
    let mut documented = BTreeMap::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let methods = item.as_object().unwrap().keys();
        let mut methods: Vec<_> = methods.map(|method| method.to_uppercase()).collect();
        // The chassis adds these two to every path.
        methods.extend(["HEAD".to_owned(), "OPTIONS".to_owned()]);
        methods.sort();
        documented.insert(path.clone(), methods);
    }
    let mut routed = BTreeMap::new();
    for path in routes().await.into_keys() {
        let target = path.replace(['{', '}'], "");
        let options = system.client.send(Method::OPTIONS, &target, &[], "").await;
        let options = options.expect(204);
        let methods = options.header("allow").split(", ").map(str::to_owned);
        let mut methods: Vec<_> = methods.collect();
        methods.sort();
        routed.insert(path, methods);
    }
    assert_eq!(
        documented, routed,
        "left: the document, right: the routers; describe the operation beside its handler, and run \
         `cargo xtask openapi`"
    );
}

/// The function decides which methods a path has, so its route is `ANY`. A write has
/// a route of its own beside it, because API Gateway limits by route.
#[test]
fn every_write_has_a_route_with_a_limit_of_its_own() {
    let template = template();
    let limit = json!({
        "ThrottlingBurstLimit": "WriteThrottlingBurst",
        "ThrottlingRateLimit": "WriteThrottlingRate",
    });
    let mut limited = BTreeSet::new();
    for (function, resource) in deployed(&template) {
        for (name, event) in events(resource) {
            let properties = &event["Properties"];
            let method = properties["Method"].as_str().unwrap();
            if method != "ANY" {
                assert_eq!(properties["RouteSettings"], limit, "{name} of {function}");
                let path = properties["Path"].as_str().unwrap();
                limited.insert((path.to_owned(), method.to_owned()));
            }
        }
    }
    let document =
        fs::read(template::project().join("functions/docs/assets/openapi.json")).unwrap();
    let document: Value = serde_json::from_slice(&document).unwrap();
    let mut writes = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in ["post", "put", "patch", "delete"] {
            if methods.get(method).is_some() {
                writes.insert((path.clone(), method.to_uppercase()));
            }
        }
    }
    assert_eq!(
        limited, writes,
        "left: the events of template.yaml with a method, right: the writes of openapi.json"
    );
    // One request multiplies: it calls every function.
    let health = &deployed(&template)["health"]["Properties"]["Events"];
    let limits = health.as_object().unwrap().values();
    let limits = limits.filter(|event| !event["Properties"]["RouteSettings"].is_null());
    let paths: Vec<_> = limits.map(|event| &event["Properties"]["Path"]).collect();
    assert_eq!(paths, ["/health"]);
}

#[test]
fn functions_folder_equals_the_template() {
    let folder = template::project().join("functions");
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
}

#[test]
fn health_queries_every_function_but_itself() {
    let template = template();
    let functions = deployed(&template);
    let queried =
        functions["health"]["Properties"]["Environment"]["Variables"]["FUNCTIONS"].as_str();
    let queried: BTreeSet<_> = queried.unwrap().split(',').collect();
    let others = FUNCTIONS
        .iter()
        .copied()
        .filter(|&name| name != "health")
        .collect();
    assert_eq!(
        queried, others,
        "left: FUNCTIONS of HealthFunction in template.yaml"
    );
}

/// The names of the variables in an environment of the template.
fn variables(properties: &Value) -> BTreeSet<&str> {
    let variables = properties["Environment"]["Variables"].as_object();
    let variables = variables.into_iter().flatten();
    variables.map(|(name, _)| name.as_str()).collect()
}

#[tokio::test]
async fn template_sets_what_the_functions_read() {
    let mut read = BTreeMap::new();
    for function in testbed::functions().await {
        read.insert(function.service.name(), function.variables);
    }
    // region: mysql
    // It serves no HTTP, so the testbed does not build it.
    let mut environment = Environment::of([("MYSQL_URL", "mysql://kea@localhost/kea")]);
    migrate::Config::read(&mut environment).expect("a configuration");
    read.insert("migrate", environment.variables().to_vec());
    // endregion
    let template = template();
    let functions = deployed(&template);
    assert_eq!(
        functions.keys().collect::<Vec<_>>(),
        read.keys().collect::<Vec<_>>(),
        "left: the functions of template.yaml, right: those whose variables are known here"
    );
    for (function, read) in read {
        assert_eq!(
            read.into_iter().collect::<BTreeSet<_>>(),
            variables(&functions[function]["Properties"]),
            "left: what {function} reads, right: what template.yaml sets"
        );
    }
    let mut environment = Environment::of([("", "")]);
    Handler::base_path(&mut environment);
    Telemetry::read(&mut environment);
    assert_eq!(
        environment
            .variables()
            .iter()
            .copied()
            .collect::<BTreeSet<_>>(),
        variables(&template["Globals"]["Function"]),
        "left: what every function reads, right: what template.yaml sets for all"
    );
}

#[tokio::test]
async fn every_path_has_a_replayed_event() {
    let mut replayed = BTreeSet::new();
    let mut count = 0;
    for &function in FUNCTIONS.iter() {
        for entry in fs::read_dir(template::project().join("events").join(function)).unwrap() {
            let event = fs::read_to_string(entry.unwrap().path()).unwrap();
            let event: Value = serde_json::from_str(&event).unwrap();
            replayed.insert((
                function.to_owned(),
                event["rawPath"].as_str().unwrap().to_owned(),
            ));
            count += 1;
        }
    }
    assert!(count >= 30, "there are {count} events");
    let routes = routes().await;
    for (path, function) in &routes {
        let prefix = path.split('{').next().unwrap();
        let covers = |(owner, raw): &(String, String)| {
            let fills = path.contains('{') && raw.starts_with(prefix);
            // `/mysqldata/summary` is not an id of `/mysqldata/{id}`.
            owner == function && (raw == path || fills && !routes.contains_key(raw))
        };
        assert!(
            replayed.iter().any(covers),
            "no event under events/{function}/ has the path {path}"
        );
    }
}

#[tokio::test]
async fn dependencies_point_one_way_and_small_functions_link_no_client() {
    let manifest = template::project().join("Cargo.toml");
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
    let crates = metadata.workspace_root.join("crates");
    for package in &metadata.packages {
        let name = package.name.as_str();
        let normal = package
            .dependencies
            .iter()
            .filter(|d| d.kind == cargo_metadata::DependencyKind::Normal);
        let needs: BTreeSet<_> = normal.map(|dependency| dependency.name.as_str()).collect();
        let allowed: &[&str] = match name {
            "derive" => &[],
            "json" => &["derive"],
            "dto" => &["json"],
            "chassis" => &["derive", "dto", "json"],
            "dynamodb" | "mysql" => &["chassis", "dto", "json"],
            // region: mysqldata
            "sums" => &["mysql"],
            // endregion
            _ => match functions
                .get(name)
                .map(|function| variables(&function["Properties"]))
            {
                None if package.manifest_path.starts_with(&crates) => {
                    panic!("{name} is in crates/ and not in this list")
                }
                None => continue,
                Some(variables) if variables.contains("MYSQL_URL") => {
                    &["chassis", "dto", "json", "mysql", "sums"]
                }
                Some(variables) if variables.contains("AWS_ENDPOINT_URL_DYNAMODB") => {
                    &["chassis", "dto", "dynamodb", "json"]
                }
                Some(_) => &["chassis", "dto", "json"],
            },
        };
        for need in needs.iter().filter(|need| ours.contains(**need)) {
            assert!(
                allowed.contains(need),
                "{name} may not depend on {need}: functions → dynamodb | mysql → chassis → dto → json"
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
            .current_dir(template::project())
            .output()
            .unwrap();
        assert!(
            cargo.status.success(),
            "{}",
            String::from_utf8_lossy(&cargo.stderr)
        );
        String::from_utf8(cargo.stdout).unwrap()
    };
    // A function that reads no variable has no outbound calls.
    let functions = testbed::functions().await;
    let small = functions.iter().filter(|it| it.variables.is_empty());
    for function in small.map(|it| it.service.name()) {
        let tree = tree(function);
        for heavy in ["aws-", "rustls", "ring ", "mysql", "hyper-rustls"] {
            assert!(
                !tree.lines().any(|line| line.starts_with(heavy)),
                "{function} depends on {heavy}"
            );
        }
    }
}
