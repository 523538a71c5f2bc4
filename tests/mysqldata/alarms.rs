// region: nosqldata
//! Which alarms of the template a fault raises: those that the runbook names.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;
use serde_json::Value;
use template::Template;
use testbed::{Setup, log::capture, order, wire::Fault};

use super::faults::{self, Dependency, is_certain};
use crate::{
    alarms::{alarms, runbook, template},
    telemetry::directives,
};

/// What `CloudWatch` calls the metrics of the functions themselves: their namespace is
/// the name of the stack.
const OWN: &str = "AWS::StackName";

/// How many clients send requests at the same time, and how often.
const CLIENTS: usize = 8;
const WAVES: usize = 2;

/// The attempts at a fault: on a busy machine, healthy calls exceed their timeouts and
/// raise alarms as well.
const ATTEMPTS: usize = 3;

/// The name and the dimensions of a metric.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Metric {
    namespace: String,
    name: String,
    dimensions: BTreeMap<String, String>,
}

/// The values of each metric in one period.
#[derive(Debug, Default)]
struct Metrics(BTreeMap<Metric, Vec<f64>>);

impl Metrics {
    /// What `CloudWatch` gets from the lines of a log: their metrics in the embedded
    /// metric format, and those that Lambda itself measures.
    fn of(lines: &[Value], template: &Template) -> Self {
        let mut metrics = Self::default();
        for line in lines {
            if !line["_aws"].is_null() {
                metrics.add_embedded(line);
            }
            if line["message"] == "request" {
                metrics.add_invocation(line, template);
            }
        }
        metrics
    }

    fn add(&mut self, namespace: &str, name: &str, dimensions: &[(&str, &str)], value: f64) {
        let dimensions = dimensions.iter();
        let metric = Metric {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            dimensions: dimensions
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        };
        self.0.entry(metric).or_default().push(value);
    }

    /// The embedded metric format: each directive names members of the same object.
    fn add_embedded(&mut self, line: &Value) {
        for directive in directives(line) {
            for set in &directive.dimensions {
                let dimensions: Vec<_> = set
                    .iter()
                    .map(|name| (name.as_str(), line[name].as_str().unwrap()))
                    .collect();
                for metric in &directive.metrics {
                    let value = line[&metric.name].as_f64().unwrap();
                    self.add(OWN, &metric.name, &dimensions, value);
                }
            }
        }
    }

    /// The metrics of Lambda and of the API of an invocation that ended. Functions
    /// call each other through the API, too.
    fn add_invocation(&mut self, line: &Value, template: &Template) {
        let binary = line["function"].as_str().unwrap();
        let mut functions = template.functions();
        let function = functions.find(|it| it.binary == binary).unwrap();
        let dimensions = [("FunctionName", function.id)];
        let duration = line["duration_ms"].as_f64().unwrap();
        self.add("AWS/Lambda", "Invocations", &dimensions, 1.0);
        self.add("AWS/Lambda", "Errors", &dimensions, 0.0);
        self.add("AWS/Lambda", "Duration", &dimensions, duration);
        let class = line["status"].as_u64().unwrap() / 100;
        let is = |other| f64::from(u8::from(class == other));
        let dimensions = [("ApiId", "Api")];
        self.add("AWS/ApiGateway", "Count", &dimensions, 1.0);
        self.add("AWS/ApiGateway", "4xx", &dimensions, is(4));
        self.add("AWS/ApiGateway", "5xx", &dimensions, is(5));
        self.add("AWS/ApiGateway", "Latency", &dimensions, duration);
    }

    /// A statistic of a metric; `None` without any value.
    fn statistic(&self, properties: &Value, statistic: &str) -> Option<f64> {
        // An intrinsic function stays as it is.
        let text = |value: &Value| {
            value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned)
        };
        let dimensions = properties["Dimensions"].as_array().into_iter().flatten();
        let metric = Metric {
            namespace: text(&properties["Namespace"]),
            name: text(&properties["MetricName"]),
            dimensions: dimensions
                .map(|it| (text(&it["Name"]), text(&it["Value"])))
                .collect(),
        };
        let mut values = self.0.get(&metric)?.clone();
        values.sort_by(f64::total_cmp);
        let count = f64::from(u32::try_from(values.len()).unwrap());
        Some(match statistic {
            "Sum" => values.iter().sum(),
            "Maximum" => *values.last()?,
            other => {
                let percentile = other.strip_prefix('p');
                let percentile = percentile.and_then(|it| it.parse::<f64>().ok());
                let percentile = percentile.unwrap_or_else(|| panic!("{other} is not implemented"));
                let rank = (count * percentile / 100.0).ceil().max(1.0) - 1.0;
                let below = values.iter().enumerate();
                let mut at =
                    below.skip_while(|(n, _)| f64::from(u32::try_from(*n).unwrap()) < rank);
                *at.next()?.1
            }
        })
    }

    /// Whether an alarm fires, if each of its periods is like this one. Its threshold
    /// may be a parameter, whose default counts.
    fn raise(&self, alarm: &Value, template: &Template) -> bool {
        if let Some(metrics) = alarm["Metrics"].as_array() {
            // They read what the functions do not emit: the throttled requests of a table, and
            // the metrics of one version.
            let read = metrics.iter().filter(|it| !it["MetricStat"].is_null());
            for metric in read {
                let value = self.statistic(&metric["MetricStat"]["Metric"], "Sum");
                assert_eq!(value, None, "{metric}");
            }
            assert_ne!(alarm["TreatMissingData"], "breaching", "{alarm}");
            return false;
        }
        let statistic = alarm["Statistic"].as_str();
        let statistic = statistic.or(alarm["ExtendedStatistic"].as_str());
        let Some(value) = self.statistic(alarm, statistic.unwrap()) else {
            assert_ne!(alarm["TreatMissingData"], "breaching", "{alarm}");
            return false;
        };
        let threshold = match &alarm["Threshold"] {
            Value::String(parameter) => &template.parameters[parameter]["Default"],
            number => number,
        };
        let threshold = threshold.as_f64().unwrap();
        match alarm["ComparisonOperator"].as_str().unwrap() {
            "GreaterThanThreshold" => value > threshold,
            "GreaterThanOrEqualToThreshold" => value >= threshold,
            other => panic!("{other} is not implemented"),
        }
    }
}

/// The alarms that fire if requests meet this fault for as long as it takes.
async fn raised_by(dependency: Dependency, fault: Fault) -> BTreeSet<String> {
    let system = faults::start(Setup::deployed()).await;
    dependency.wire(&system).set(fault).await;
    let order = order("c", &["cup"]);
    let ((), lines) = capture("info", async {
        for _ in 0..WAVES {
            let clients = (0..CLIENTS).map(async |_| {
                tokio::join!(
                    system.client.post("/mysqldata", &order),
                    system.client.get("/mysqldata?limit=1"),
                    system.client.get("/nosqldata/cup"),
                    system.client.get("/health"),
                )
            });
            join_all(clients).await;
        }
    })
    .await;
    let template = template();
    let metrics = Metrics::of(&lines, &template);
    let alarms = alarms(&template).into_iter();
    let raised = alarms.filter(|(id, alarm)| {
        let is_raised = || metrics.raise(alarm, &template);
        !is_of_another_function(id, &template) && is_raised()
    });
    raised.map(|(id, _)| id.to_owned()).collect()
}

/// Whether an alarm is of a function that the runbook does not know, such as one that
/// was added: `health` calls it, and its store is broken as well.
fn is_of_another_function(alarm: &str, template: &Template) -> bool {
    let known = ["health", "mysqldata", "nosqldata"];
    let mut others = template
        .functions()
        .filter(|it| !known.contains(&it.binary));
    others.any(|it| {
        let (first, rest) = it.binary.split_at(1);
        alarm.starts_with(&format!("{}{rest}", first.to_uppercase()))
    })
}

/// Compares the table of the runbook with what happens.
async fn runbook_lists_the_alarms_of(dependency: Dependency) {
    let runbook = runbook();
    let mut rows = Vec::new();
    let mut is_known = true;
    for &fault in dependency
        .faults()
        .iter()
        .filter(|fault| is_certain(**fault))
    {
        let row = format!("| {dependency} | {fault} | ");
        let known = runbook.lines().find_map(|line| line.strip_prefix(&row));
        let known: BTreeSet<_> = known
            .unwrap_or("unknown")
            .split(['`', ',', ' ', '|'])
            .filter(|name| !name.is_empty() && *name != "none")
            .map(str::to_owned)
            .collect();
        // A machine that is busy with other tests is slow without any fault.
        let is_as_known = |raised: &BTreeSet<String>| {
            let is_slow_besides = raised.difference(&known).all(|it| it.ends_with("Latency"));
            known.is_subset(raised) && is_slow_besides
        };
        let mut raised = raised_by(dependency, fault).await;
        for _ in 1..ATTEMPTS {
            if !is_as_known(&raised) {
                raised = raised_by(dependency, fault).await;
            }
        }
        is_known &= is_as_known(&raised);
        let names: Vec<_> = raised.iter().map(|name| format!("`{name}`")).collect();
        let names = if names.is_empty() {
            "none".to_owned()
        } else {
            names.join(", ")
        };
        rows.push(format!("{row}{names} |"));
    }
    assert!(is_known, "docs/runbook.md must have:\n{}", rows.join("\n"));
}

#[tokio::test]
async fn runbook_lists_the_alarms_of_an_unavailable_catalogue() {
    runbook_lists_the_alarms_of(Dependency::Catalogue).await;
}

#[tokio::test]
async fn runbook_lists_the_alarms_of_a_broken_dynamodb() {
    runbook_lists_the_alarms_of(Dependency::DynamoDb).await;
}

#[tokio::test]
async fn runbook_lists_the_alarms_of_a_broken_mysql() {
    runbook_lists_the_alarms_of(Dependency::MySql).await;
}
// endregion
