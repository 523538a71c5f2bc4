// region: nosqldata
//! Which alarms of the template a fault raises: those that the runbook names.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;
use serde_json::Value;
use template::Template;
use testbed::{Setup, log::capture, order, wire::Fault};

use super::faults::{self, Dependency, is_certain};
use crate::alarms::{alarms, runbook, template};

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
            metrics.add_embedded(line);
            if line["message"] == "request" {
                metrics.add_invocation(line, template);
            }
        }
        metrics
    }

    fn add(&mut self, namespace: &str, name: &str, dimensions: &[(&str, &str)], values: &[f64]) {
        let dimensions = dimensions.iter();
        let metric = Metric {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            dimensions: dimensions
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        };
        self.0.entry(metric).or_default().extend(values);
    }

    /// The embedded metric format: each directive names members of the same object.
    fn add_embedded(&mut self, line: &Value) {
        let directives = line.pointer("/_aws/CloudWatchMetrics");
        for directive in directives.and_then(Value::as_array).into_iter().flatten() {
            let names = |value: &Value| -> Vec<String> {
                let names = value.as_array().into_iter().flatten();
                names
                    .map(|name| name.as_str().unwrap().to_owned())
                    .collect()
            };
            for set in directive["Dimensions"].as_array().unwrap() {
                let dimensions = names(set);
                let dimensions: Vec<_> = dimensions
                    .iter()
                    .map(|name| (name.as_str(), line[name].as_str().unwrap()))
                    .collect();
                for metric in directive["Metrics"].as_array().unwrap() {
                    let name = metric["Name"].as_str().unwrap();
                    let values: Vec<f64> = match &line[name] {
                        Value::Array(values) => {
                            values.iter().map(|it| it.as_f64().unwrap()).collect()
                        }
                        value => vec![value.as_f64().unwrap()],
                    };
                    self.add(OWN, name, &dimensions, &values);
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
        self.add("AWS/Lambda", "Invocations", &dimensions, &[1.0]);
        self.add("AWS/Lambda", "Errors", &dimensions, &[0.0]);
        self.add("AWS/Lambda", "Duration", &dimensions, &[duration]);
        let class = line["status"].as_u64().unwrap() / 100;
        let is = |other| f64::from(u8::from(class == other));
        let dimensions = [("ApiId", "Api")];
        self.add("AWS/ApiGateway", "Count", &dimensions, &[1.0]);
        self.add("AWS/ApiGateway", "4xx", &dimensions, &[is(4)]);
        self.add("AWS/ApiGateway", "5xx", &dimensions, &[is(5)]);
        self.add("AWS/ApiGateway", "Latency", &dimensions, &[duration]);
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
        let sum: f64 = values.iter().sum();
        let count = f64::from(u32::try_from(values.len()).unwrap());
        Some(match statistic {
            "Sum" => sum,
            "SampleCount" => count,
            "Average" => sum / count,
            "Minimum" => *values.first()?,
            "Maximum" => *values.last()?,
            percentile => {
                let percentile: f64 = percentile.strip_prefix('p')?.parse().unwrap();
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
        let value = if let Some(metrics) = alarm["Metrics"].as_array() {
            let returned = metrics.iter().filter(|it| it["ReturnData"] != false);
            let returned: Vec<_> = returned.collect();
            assert_eq!(returned.len(), 1, "{alarm}");
            self.result(returned[0], metrics)
        } else {
            let statistic = alarm["Statistic"].as_str();
            let statistic = statistic.or(alarm["ExtendedStatistic"].as_str());
            self.statistic(alarm, statistic.unwrap())
        };
        let Some(value) = value else {
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
            "LessThanThreshold" => value < threshold,
            "LessThanOrEqualToThreshold" => value <= threshold,
            other => panic!("{other} is not implemented"),
        }
    }

    /// The value of an element of an alarm's `Metrics`.
    fn result(&self, element: &Value, metrics: &[Value]) -> Option<f64> {
        if let Some(expression) = element["Expression"].as_str() {
            let mut expression = Expression {
                rest: expression,
                value: &|id| {
                    let mut others = metrics.iter();
                    self.result(others.find(|it| it["Id"] == id)?, metrics)
                },
            };
            let value = expression.sum();
            assert!(expression.rest.trim().is_empty(), "{element}");
            return value;
        }
        let stat = &element["MetricStat"];
        self.statistic(&stat["Metric"], stat["Stat"].as_str().unwrap())
    }
}

/// The part of `CloudWatch`'s metric math that the template uses, on one period.
/// `None` is missing data; so is the result of what is calculated with it.
struct Expression<'e> {
    rest: &'e str,
    value: &'e dyn Fn(&str) -> Option<f64>,
}

impl Expression<'_> {
    fn take(&mut self, symbol: char) -> bool {
        let rest = self.rest.trim_start().strip_prefix(symbol);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn word(&mut self) -> String {
        self.rest = self.rest.trim_start();
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
        let end = self.rest.find(|c| !is_part(c)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        assert!(!word.is_empty(), "{} is not implemented", self.rest);
        self.rest = rest;
        word.to_owned()
    }

    fn sum(&mut self) -> Option<f64> {
        let mut sum = self.product();
        loop {
            if self.take('+') {
                sum = sum.zip(self.product()).map(|(a, b)| a + b);
            } else if self.take('-') {
                sum = sum.zip(self.product()).map(|(a, b)| a - b);
            } else {
                return sum;
            }
        }
    }

    fn product(&mut self) -> Option<f64> {
        let mut product = self.factor();
        loop {
            if self.take('*') {
                product = product.zip(self.factor()).map(|(a, b)| a * b);
            } else if self.take('/') {
                // A division by zero has no result.
                let quotient = product.zip(self.factor()).map(|(a, b)| a / b);
                product = quotient.filter(|it| it.is_finite());
            } else {
                return product;
            }
        }
    }

    fn factor(&mut self) -> Option<f64> {
        if self.take('(') {
            let inner = self.sum();
            assert!(self.take(')'), "{}", self.rest);
            return inner;
        }
        let word = self.word();
        if let Ok(number) = word.parse() {
            return Some(number);
        }
        if !self.take('(') {
            return (self.value)(&word);
        }
        let mut arguments = vec![self.sum()];
        while self.take(',') {
            arguments.push(self.sum());
        }
        assert!(self.take(')'), "{}", self.rest);
        match (word.as_str(), &arguments[..]) {
            ("FILL", [value, other]) => value.or(*other),
            other => panic!("{other:?} is not implemented"),
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
