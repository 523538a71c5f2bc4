//! What `docs/logging.md` documents is what the system writes: the fields of the
//! log, the metrics and the spans.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
    time::Duration,
};

use axum::{Router as Collector, body::Bytes, routing::post};
use chassis::{
    http::Router,
    runtime::Handler,
    telemetry::{Exporter, Telemetry},
};
use lambda_runtime::{Context, LambdaEvent};
use serde::Deserialize;
use serde_json::{Value, json};
// region: mysqldata nosqldata
use testbed::wire::Fault;
// endregion
use testbed::{FUNCTIONS, System, event, log::capture, replay};
use tokio::{net::UdpSocket, sync::mpsc, time::timeout};

use crate::alarms;

/// What no line may contain.
const TELLTALES: [&str; 6] = [
    "telltale-customer",
    "telltale-subject",
    "telltale-key",
    "telltale-name",
    "telltale-query",
    "telltale-token",
];

/// The dependencies of the functions, which are a part of the names of metrics.
const DEPENDENCIES: [&str; 5] = ["catalogue", "dynamodb", "functions", "keys", "mysql"];

/// Everything of the project, and of others what a deployed function logs.
const LEVELS: &str = "info,chassis=trace,dynamodb=trace,mysql=trace,mysqldata=trace,\
                      nosqldata=trace,health=trace";

/// All committed events, requests with telltale values, and faults.
struct Run {
    /// The number of invocations that were sent from outside.
    sent: usize,
    /// The log.
    lines: Vec<Value>,
}

static RUN: LazyLock<Run> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let (sent, lines) = runtime.unwrap().block_on(capture(LEVELS, run()));
    Run { sent, lines }
});

async fn run() -> usize {
    let system = System::with_samples().await;
    let mut sent = 0;
    for function in FUNCTIONS.iter() {
        for event in replay::events(function) {
            system.invoke(function, &event).await;
            sent += 1;
        }
    }
    system.invoke("hello", &json!({ "warmup": true })).await;
    let no_time = [("x-request-deadline", "0")];
    system.client.get_with("/", &no_time).await.expect(503);
    sent += 1;
    // region: mysqldata nosqldata
    let client = system.client.caller(
        "telltale-subject",
        "catalogue:write orders:write orders:read-all",
    );
    let product = json!({
        "name": "telltale-name", "category": "c", "price": { "amount": 1, "currency": "DKK" },
    });
    let order = |quantity| {
        json!({
            "customer": "telltale-customer",
            "lines": [{ "productId": "telltale", "quantity": quantity }],
        })
    };
    client
        .put("/nosqldata/telltale", &product)
        .await
        .expect(201);
    for _ in 0..2 {
        let placed = client
            .post_once("/mysqldata", "telltale-key", &order(1))
            .await;
        placed.expect(201);
    }
    client
        .post_once("/mysqldata", "telltale-key", &order(2))
        .await
        .expect(422);
    client
        .get("/mysqldata?customer=telltale-query")
        .await
        .expect(200);
    let forged = client.authorized("Bearer telltale-token".to_owned());
    forged.get("/mysqldata").await.expect(401);
    sent += 6;
    system.catalogue.set(Fault::Status(503)).await;
    client.post("/mysqldata", &order(1)).await.expect(201);
    sent += 1;
    system.catalogue.heal().await;
    system.mysql.set(Fault::Refused).await;
    for _ in 0..12 {
        client.post("/mysqldata", &order(1)).await.expect(503);
        sent += 1;
    }
    // endregion
    sent + 1
}

fn lines() -> &'static [Value] {
    &RUN.lines
}

fn completed() -> impl Iterator<Item = &'static Value> {
    lines().iter().filter(|line| line["message"] == "request")
}

// region: mysqldata nosqldata
/// The rows of the table after this sentence of the documentation: the first cell
/// of each, without its quotes, and the rest.
fn table(sentence: &str) -> BTreeMap<String, Vec<String>> {
    let page = std::fs::read_to_string(template::project().join("docs/logging.md")).unwrap();
    let (_, rest) = page.split_once(sentence).expect(sentence);
    let lines = rest.lines().skip_while(|line| !line.starts_with('|'));
    let rows = lines.take_while(|line| line.starts_with('|')).skip(2);
    rows.map(|row| {
        let cells = row.trim_matches('|').split('|').map(str::trim);
        let mut cells: Vec<_> = cells.map(str::to_owned).collect();
        let first = cells.remove(0);
        (first.trim_matches('`').to_owned(), cells)
    })
    .collect()
}

fn names(table: &BTreeMap<String, Vec<String>>) -> BTreeSet<String> {
    table.keys().cloned().collect()
}

/// The name of a field or a metric, as the documentation has it.
fn documented_name(name: &str) -> String {
    let dependency = DEPENDENCIES
        .iter()
        .find_map(|dependency| name.strip_prefix(dependency)?.strip_prefix('_'));
    dependency.map_or_else(|| name.to_owned(), |rest| format!("<dependency>_{rest}"))
}

fn fields(line: &Value) -> impl Iterator<Item = String> {
    let members = line.as_object().unwrap().keys();
    members.map(|name| documented_name(name))
}

#[test]
fn the_documented_fields_are_those_of_the_log() {
    let common = names(&table("every line of a request:"));
    let metrics = names(&table("## Metrics"));
    let of_requests: BTreeSet<_> = completed().flat_map(fields).collect();
    let documented: BTreeSet<_> = names(&table("Fields of the completion line:"))
        .into_iter()
        .chain(common.clone())
        .chain(metrics)
        // Lambda sets the version.
        .filter(|name| name != "version")
        .collect();
    assert_eq!(of_requests, documented, "left: the completion lines");

    let calls = lines().iter().filter(|line| line["message"] == "call");
    let of_calls: BTreeSet<_> = calls.flat_map(fields).collect();
    let documented: BTreeSet<_> = names(&table("Fields of a `call`:"))
        .into_iter()
        .chain(common)
        .filter(|name| name != "version")
        .collect();
    assert_eq!(of_calls, documented, "left: the lines of calls");
}

/// Each metric with its unit and its sets of dimensions, as the table has them.
fn emitted(line: &Value) -> BTreeMap<String, (String, BTreeSet<Vec<String>>)> {
    let mut metrics = BTreeMap::<_, (String, BTreeSet<Vec<String>>)>::new();
    for directive in directives(line) {
        for Metric { name, unit } in directive.metrics {
            let known = metrics.entry(documented_name(&name));
            let (_, sets) = known.or_insert((unit, BTreeSet::new()));
            sets.extend(directive.dimensions.clone());
        }
    }
    metrics
}

#[test]
fn the_documented_metrics_are_those_of_the_log() {
    let mut produced = BTreeMap::new();
    for line in completed() {
        for (name, metric) in emitted(line) {
            let known = produced.entry(name).or_insert_with(|| metric.clone());
            assert_eq!(*known, metric);
        }
    }
    let documented = table("## Metrics").into_iter().map(|(name, cells)| {
        let sets = cells[1].split(';');
        let set = |set: &str| -> Vec<_> {
            let dimensions = set.split(',').map(|it| it.trim().trim_matches('`'));
            dimensions.map(str::to_owned).collect()
        };
        (name, (cells[0].clone(), sets.map(set).collect()))
    });
    assert_eq!(produced, documented.collect(), "left: what is emitted");
}
// endregion

/// The metadata of the embedded metric format.
/// Source: Amazon `CloudWatch` User Guide, "Embedded metric format JSON schema".
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Metadata {
    timestamp: u64,
    cloud_watch_metrics: Vec<Directive>,
}

/// Metrics of a line, each under each set of dimensions.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Directive {
    namespace: String,
    pub dimensions: Vec<Vec<String>>,
    pub metrics: Vec<Metric>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Metric {
    pub name: String,
    unit: String,
}

/// The directives of a line with metrics, whose values are members of the line.
#[track_caller]
pub fn directives(line: &Value) -> Vec<Directive> {
    let metadata = Metadata::deserialize(&line["_aws"]);
    let metadata = metadata.unwrap_or_else(|error| panic!("{error}: {line}"));
    assert_ne!(metadata.timestamp, 0);
    metadata.cloud_watch_metrics
}

/// Checks a line with metrics. `CloudWatch` drops a metric silently if its member is
/// absent or not a number.
#[track_caller]
fn expect_metrics(line: &Value) {
    let expect_name = |name: &str, most| {
        assert!((1..=most).contains(&name.len()), "{name}: {line}");
    };
    for directive in directives(line) {
        expect_name(&directive.namespace, 1_024);
        assert!(!directive.dimensions.is_empty(), "{line}");
        for set in &directive.dimensions {
            assert!(set.len() <= 30, "{line}");
        }
        for dimension in directive.dimensions.iter().flatten() {
            expect_name(dimension, 250);
            let value = line[dimension].as_str();
            assert!(
                value.is_some_and(|it| !it.is_empty()),
                "{dimension}: {line}"
            );
        }
        assert!(directive.metrics.len() <= 100, "{line}");
        for Metric { name, unit } in &directive.metrics {
            expect_name(name, 1_024);
            assert!(["Count", "Milliseconds"].contains(&unit.as_str()), "{line}");
            assert!(line[name].is_number(), "{name}: {line}");
        }
    }
}

#[test]
fn every_line_with_metrics_is_valid_embedded_metric_format() {
    let with_metrics = lines().iter().filter(|line| !line["_aws"].is_null());
    let mut count = 0;
    for line in with_metrics {
        expect_metrics(line);
        count += 1;
    }
    assert!(count >= 30, "{count} lines");
    // region: mysqldata nosqldata
    assert!(count >= 100, "{count} lines");
    // endregion
}

/// Whether a line is about an event that is no request.
fn is_refusal(line: &Value) -> bool {
    let message = line["message"].as_str().unwrap_or_default();
    message.starts_with("received an object that is not an event")
}

#[test]
fn every_invocation_has_exactly_one_completion_line() {
    let mut of_request = BTreeMap::<_, usize>::new();
    for line in completed() {
        *of_request
            .entry(line["request_id"].as_str().unwrap())
            .or_default() += 1;
    }
    assert!(
        of_request.values().all(|&count| count == 1),
        "{of_request:?}"
    );
    let refused = lines().iter().filter(|line| is_refusal(line));
    assert_eq!(refused.count(), 1);
    // Requests between the functions have a caller's span, those of a client do not.
    let sent = completed().filter(|line| line["parent_id"].is_null());
    assert_eq!(sent.count() + 1, RUN.sent);
}

#[test]
fn request_without_time_left_is_not_counted_as_a_server_error() {
    let mut failed = completed().filter(|line| line["function"] == "hello");
    let failed = failed.find(|line| line["status"] == 503).unwrap();
    assert_eq!(failed["status_class"], "hurried");
}

#[test]
fn every_line_of_a_request_has_its_ids() {
    // The functions start, and connect, before the first request.
    let since = lines()
        .iter()
        .skip_while(|line| line["request_id"].is_null());
    for line in since {
        assert!(line["request_id"].is_string(), "{line}");
        assert!(line["function"].is_string(), "{line}");
        // An event that is no request has no trace.
        let is_trace_known = line["trace_id"].is_string();
        assert!(is_trace_known || is_refusal(line), "{line}");
    }
    let calls = lines().iter().filter(|line| line["message"] == "call");
    let count = calls.filter(|line| line["request_id"].is_string()).count();
    assert!(count > 0);
    // region: mysqldata nosqldata
    assert!(count > 100, "{count} calls");
    // endregion
}

#[test]
fn no_line_has_personal_data_or_a_token() {
    for line in lines() {
        let text = line.to_string();
        for telltale in TELLTALES {
            assert!(!text.contains(telltale), "{telltale}: {text}");
        }
        // The start of every JSON Web Token.
        assert!(!text.contains("eyJ"), "{text}");
    }
}

#[tokio::test]
async fn metrics_do_not_depend_on_the_log_level() {
    let request = http::Request::get("/").body(Bytes::new()).unwrap();
    let handler = testbed::handler(hello::router());
    let invoked = testbed::invoke(&handler, event::of(&request), Duration::from_secs(10));
    let (_, lines) = capture("warn,metrics=info", invoked).await;
    let [line] = &lines[..] else {
        panic!("{lines:?}")
    };
    expect_metrics(line);
    assert!(line["message"].is_null());
    assert_eq!(
        (&line["requests"], &line["cold_starts"]),
        (&json!(1), &json!(1))
    );
}

/// A service that is called once, with this exporter and these headers.
async fn traced(exporter: Exporter, traceparent: Option<&str>, xray: Option<&str>) -> Value {
    let telemetry = Telemetry::new(Some(exporter));
    let router: Router = hello::router();
    let handler = Handler::new(
        router.into_service().with_telemetry(telemetry),
        String::new(),
    );
    let mut request = http::Request::get("/");
    if let Some(header) = traceparent {
        request = request.header("traceparent", header);
    }
    let event = event::of(&request.body(Bytes::new()).unwrap());
    let mut context = Context::default();
    context.xray_trace_id = xray.map(str::to_owned);
    let event = LambdaEvent::new(serde_json::from_value(event).unwrap(), context);
    serde_json::to_value(handler.handle(event).await.unwrap()).unwrap()
}

const TIMEOUT: Duration = Duration::from_mins(5);
const TRACE_ID: &str = "5759e988bd862e3fe1be46a994272793";
const XRAY: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";

#[tokio::test]
async fn the_x_ray_daemon_gets_a_subsegment_of_the_segment_of_lambda() {
    let daemon = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let exporter = || Exporter::xray(daemon.local_addr().unwrap()).unwrap();
    let unsampled = XRAY.replace("Sampled=1", "Sampled=0");
    traced(exporter(), None, Some(&unsampled)).await;
    let response = traced(exporter(), None, Some(XRAY)).await;
    let mut datagram = vec![0; 65_536];
    // The first datagram: nothing is sent of a trace that is not sampled.
    let received = timeout(TIMEOUT, daemon.recv(&mut datagram)).await;
    let text = std::str::from_utf8(&datagram[..received.unwrap().unwrap()]).unwrap();
    let (header, segment) = text.split_once('\n').unwrap();
    assert_eq!(header, r#"{"format":"json","version":1}"#);
    let segment: Value = serde_json::from_str(segment).unwrap();
    assert_eq!(segment["trace_id"], "1-5759e988-bd862e3fe1be46a994272793");
    assert_eq!(segment["parent_id"], "53995c3f42cd8ad8");
    assert_eq!(segment["type"], "subsegment");
    assert_eq!(segment["name"], "hello");
    assert_eq!(segment["http"]["response"]["status"], 200);
    let ours = format!("00-{TRACE_ID}-{}-01", segment["id"].as_str().unwrap());
    assert_eq!(response["headers"]["traceresponse"], ours);
}

#[tokio::test]
async fn a_collector_gets_the_spans_of_a_request_and_of_its_calls() {
    let (sender, mut received) = mpsc::unbounded_channel();
    let collector = Collector::new().route(
        "/v1/traces",
        post(async move |body: Bytes| {
            let spans: Value = serde_json::from_slice(&body).unwrap();
            sender.send(spans).unwrap();
        }),
    );
    let endpoint = format!("{}/v1/traces", testbed::serve(collector).await);
    let exporter = Exporter::otlp(endpoint.parse().unwrap());
    let config = health::Config {
        api: Some("http://127.0.0.1:9".parse().unwrap()),
        functions: vec!["hello".to_owned()],
        auth: None,
    };
    let authenticator = chassis::auth::Authenticator::open(None).await;
    let service = health::router(config, authenticator).into_service();
    let telemetry = Telemetry::new(Some(exporter));
    let handler = Handler::new(service.with_telemetry(telemetry), String::new());
    let parent = "00f067aa0ba902b7";
    let request = http::Request::get("/health")
        .header("traceparent", format!("00-{TRACE_ID}-{parent}-01"))
        .body(Bytes::new());
    testbed::invoke(&handler, event::of(&request.unwrap()), TIMEOUT).await;
    let traces = timeout(TIMEOUT, received.recv()).await.unwrap().unwrap();
    let resource = &traces["resourceSpans"][0];
    assert_eq!(
        resource["resource"]["attributes"][0]["value"]["stringValue"],
        "health"
    );
    let spans = resource["scopeSpans"][0]["spans"].as_array().unwrap();
    let [request, call] = &spans[..] else {
        panic!("{traces}")
    };
    assert_eq!(request["name"], "GET /health");
    assert_eq!((&request["kind"], &call["kind"]), (&json!(2), &json!(3)));
    assert_eq!(request["parentSpanId"], parent);
    assert_eq!(call["name"], "GET /health/hello");
    assert_eq!(call["parentSpanId"], request["spanId"]);
    for span in spans {
        assert_eq!(span["traceId"], TRACE_ID);
        // Nothing listens at the address of the API.
        assert_eq!(span["status"]["code"], 2);
    }
}

/// The metrics that the run emitted, each with its dimensions and their values.
fn series() -> BTreeSet<(String, BTreeMap<String, String>)> {
    let mut series = BTreeSet::new();
    for line in completed() {
        for directive in directives(line) {
            for set in directive.dimensions {
                let values = set.into_iter().map(|name| {
                    let value = line[&name].as_str().unwrap().to_owned();
                    (name, value)
                });
                let dimensions: BTreeMap<_, _> = values.collect();
                for metric in &directive.metrics {
                    series.insert((metric.name.clone(), dimensions.clone()));
                }
            }
        }
    }
    series
}

/// An alarm on a metric that does not exist never goes off.
#[test]
fn every_alarm_on_a_metric_of_the_stack_watches_one_that_is_emitted() {
    let series = series();
    let template = alarms::template();
    let mut count = 0;
    for (id, alarm) in alarms::alarms(&template) {
        if alarm["Namespace"] != "AWS::StackName" {
            continue;
        }
        let name = alarm["MetricName"].as_str().unwrap().to_owned();
        let dimensions = alarm["Dimensions"].as_array().unwrap().iter();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let dimensions: BTreeMap<_, _> = dimensions
            .map(|it| (text(&it["Name"]), text(&it["Value"])))
            .collect();
        let is_emitted = series.iter().any(|(known, of)| {
            // Not every function has failed in the run, but each has a class of status.
            let same =
                |name: &String| name == "status_class" || of.get(name) == dimensions.get(name);
            *known == name && of.keys().eq(dimensions.keys()) && of.keys().all(same)
        });
        assert!(is_emitted, "{id}: {name} {dimensions:?}");
        count += 1;
    }
    assert!(count >= 3, "{count} alarms");
}

#[test]
fn every_search_and_metric_of_the_dashboard_finds_an_emitted_metric() {
    let by_function: BTreeSet<_> = series()
        .into_iter()
        .filter(|(_, dimensions)| dimensions.keys().eq(["function"]))
        .collect();
    let is_emitted = |name: &str| by_function.iter().any(|(known, _)| known == name);
    let template = testbed::template();
    let body = template["Resources"]["Dashboard"]["Properties"]["DashboardBody"][0].clone();
    let body: Value = serde_json::from_str(body.as_str().unwrap()).expect("the dashboard is JSON");
    let mut searches = 0;
    for widget in body["widgets"].as_array().unwrap() {
        for metric in widget["properties"]["metrics"].as_array().unwrap() {
            let expression = metric[0]["expression"].as_str().unwrap_or_default();
            if let Some(rest) = expression.strip_prefix("SEARCH('{\"${AWS::StackName}\",function} ")
            {
                let names = rest.strip_prefix("MetricName=").unwrap();
                let names = names.split('\'').next().unwrap().split('"');
                for name in names.skip(1).step_by(2) {
                    let mut dependencies = DEPENDENCIES.iter();
                    let is_of_dependency = dependencies.any(|it| name.starts_with(it));
                    assert!(is_of_dependency || is_emitted(name), "{name}");
                    // region: mysqldata nosqldata
                    assert!(is_emitted(name), "{name} in {expression}");
                    // endregion
                    searches += 1;
                }
            } else {
                let other = expression.starts_with("SEARCH('{AWS/Lambda,");
                assert!(other || !expression.contains("SEARCH"), "{expression}");
            }
            // region: nosqldata
            // Without a catalogue no order is placed.
            if metric[0] == "${AWS::StackName}" {
                let name = metric[1].as_str().unwrap();
                let function = metric[3].as_str().unwrap().to_owned();
                let dimensions = BTreeMap::from([("function".to_owned(), function)]);
                assert!(
                    by_function.contains(&(name.to_owned(), dimensions)),
                    "{metric}"
                );
            }
            // endregion
        }
    }
    assert!(searches >= 15, "{searches} names");
    // region: mysqldata nosqldata
    // `.` repeats what is in the row above.
    assert!(is_emitted("snapshot_prices"));
    // endregion
}
