//! The routers, the watch routes, the template, the events and the document agree.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use chassis::{Environment, runtime::Handler, telemetry::Telemetry};
use http::Method;
use serde_json::{Value, json};
use template::Function;
use testbed::{FUNCTIONS, System, replay, routes};

use crate::alarms::template;

/// The function of each path.
type Routes = BTreeMap<String, String>;

/// The events of a function of the template: none if it serves no HTTP.
fn events<'t>(function: &Function<'t>) -> impl Iterator<Item = (&'t String, &'t Value)> {
    let events = function.resource.properties["Events"].as_object();
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
    assert_eq!(
        watched.collect::<Routes>(),
        routes().await,
        "left: the watch routes of Cargo.toml, right: the routers"
    );
}

#[tokio::test]
async fn template_events_are_the_paths_of_the_routers() {
    let template = template();
    let mut routed = Routes::new();
    for function in template.functions() {
        let binary = function.binary;
        for (name, event) in events(&function) {
            assert_eq!(event["Type"], "HttpApi", "the event {name} of {binary}");
            let properties = event["Properties"].as_object().unwrap();
            // The linters ignore unknown properties.
            let names: BTreeSet<_> = properties.keys().map(String::as_str).collect();
            let known = BTreeSet::from(["ApiId", "Method", "Path", "RouteSettings"]);
            assert!(
                names.is_subset(&known),
                "the properties of the event {name} of {binary}: {names:?}"
            );
        }
        // Other methods than any are there for their limits: see the test below.
        for path in function.paths() {
            let duplicate = routed.insert(path.clone(), binary.to_owned());
            assert_eq!(duplicate, None, "{path} is in template.yaml twice");
        }
    }
    assert_eq!(
        routed,
        routes().await,
        "left: template.yaml, right: the routers"
    );
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
    for function in template.functions() {
        for (name, event) in events(&function) {
            let properties = &event["Properties"];
            let method = properties["Method"].as_str().unwrap();
            if method != "ANY" {
                assert_eq!(properties["RouteSettings"], limit, "{name}");
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
    let health = template.function("health").unwrap();
    let limits = events(&health).map(|(_, event)| &event["Properties"]);
    let limits = limits.filter(|properties| !properties["RouteSettings"].is_null());
    let paths: Vec<_> = limits.map(|properties| &properties["Path"]).collect();
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
    let deployed = template.functions().map(|it| it.binary.to_owned());
    assert_eq!(
        folders,
        deployed.collect(),
        "left: the folders of functions/, right: the functions of template.yaml"
    );
}

#[test]
fn health_queries_every_function_but_itself() {
    let variables = template().function("health").unwrap().variables();
    let queried: BTreeSet<_> = variables["FUNCTIONS"].split(',').collect();
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
    // What every function reads.
    let mut common = Environment::of([("", "")]);
    Handler::custom_base_path(&mut common);
    Telemetry::read(&mut common);
    let read = read.into_iter().map(|(function, variables)| {
        let variables = variables.iter().chain(common.variables()).copied();
        (function.to_owned(), variables.map(str::to_owned).collect())
    });
    let template = template();
    let set = template.functions().map(|function| {
        let variables = function.variables().into_keys();
        (function.binary.to_owned(), variables.collect())
    });
    assert_eq!(
        read.collect::<BTreeMap<_, BTreeSet<_>>>(),
        set.collect(),
        "left: what each function reads, right: what template.yaml sets"
    );
}

#[tokio::test]
async fn every_path_has_a_replayed_event() {
    let mut replayed = BTreeSet::new();
    let mut count = 0;
    for &function in FUNCTIONS.iter() {
        for event in replay::events(function) {
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

// region: nosqldata
#[test]
fn replayed_responses_have_every_status() {
    let mut statuses = BTreeSet::new();
    for function in FUNCTIONS.iter() {
        let folder = template::project().join("tests/snapshots").join(function);
        for file in fs::read_dir(folder).unwrap() {
            let snapshot = fs::read_to_string(file.unwrap().path()).unwrap();
            // The status line follows the header of the snapshot.
            let response = snapshot.split("---\n").nth(2).unwrap();
            statuses.insert(response[..3].to_owned());
        }
    }
    for status in [
        "200", "201", "204", "304", "400", "401", "403", "404", "405", "412", "413", "415", "422",
    ] {
        assert!(statuses.contains(status), "no event has a {status}");
    }
}
// endregion
