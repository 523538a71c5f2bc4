//! The metrics, in `CloudWatch`'s embedded metric format.
//!
//! A metric is a member of the completion line: `_aws` names the members that
//! are metrics, so no metric costs a line of its own.
//! Source: Amazon `CloudWatch` User Guide, "Specification: Embedded metric format".

use std::fmt::Write;

use super::Record;

/// The namespace where none is configured.
pub(crate) const NAMESPACE: &str = "kea";

/// A metric that the chassis records for every service. What a service counts
/// beyond these with [`RequestContext::count`](crate::RequestContext::count) has
/// the unit `Count` and the dimension `function`.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// Its name. For a metric of a dependency, what follows the dependency's name.
    pub name: &'static str,
    /// Its unit.
    pub unit: &'static str,
    /// Its sets of dimensions.
    pub dimensions: &'static [&'static [&'static str]],
}

/// The requests, for each route and each class of status.
pub const REQUESTS: Metric = Metric {
    name: "requests",
    unit: "Count",
    dimensions: &[
        &["function"],
        &["function", "route"],
        &["function", "status_class"],
    ],
};

/// The time from the event to the response.
pub const DURATION: Metric = Metric {
    name: "duration_ms",
    unit: "Milliseconds",
    dimensions: &[&["function"], &["function", "route"]],
};

/// The first invocation of a process.
pub const COLD_STARTS: Metric = Metric {
    name: "cold_starts",
    unit: "Count",
    dimensions: &[&["function"]],
};

/// Problems, by their type.
pub const PROBLEMS: Metric = Metric {
    name: "problems",
    unit: "Count",
    dimensions: &[&["function"], &["function", "problem"]],
};

/// Responses that were replayed for an idempotency key.
pub const REPLAYS: Metric = Metric {
    name: "replays",
    unit: "Count",
    dimensions: &[&["function"]],
};

/// What is recorded of each dependency, after its name.
pub const OF_DEPENDENCIES: [Metric; 5] = [
    of_dependency("_calls", "Count"),
    of_dependency("_retries", "Count"),
    of_dependency("_errors", "Count"),
    of_dependency("_ms", "Milliseconds"),
    of_dependency("_breaker_open", "Count"),
];

const fn of_dependency(name: &'static str, unit: &'static str) -> Metric {
    let dimensions = &[&["function"] as &[_]];
    Metric {
        name,
        unit,
        dimensions,
    }
}

/// A response, as its metrics have it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Completed {
    pub(crate) status: u16,
    pub(crate) is_problem: bool,
    pub(crate) is_replay: bool,
}

impl Completed {
    /// The members of the line that are there for the metrics, and the usage of
    /// the dependencies.
    pub(crate) fn members(self, record: &Record) -> String {
        let mut json = String::with_capacity(256);
        let class = self.status / 100;
        let _ = write!(json, ",\"status_class\":\"{class}xx\",\"requests\":1");
        for (metric, counted) in self.counted(record) {
            if counted {
                let _ = write!(json, ",\"{}\":1", metric.name);
            }
        }
        record.write_members(&mut json);
        json
    }

    /// The value of the member `_aws`.
    pub(crate) fn metadata(self, namespace: &str, record: &Record) -> String {
        let mut json = String::with_capacity(1024);
        let since = record.started.duration_since(std::time::UNIX_EPOCH);
        let timestamp = since.unwrap_or_default().as_millis();
        let _ = write!(json, "{{\"Timestamp\":{timestamp},\"CloudWatchMetrics\":[");
        let mut directives = Directives {
            json,
            namespace,
            started: false,
        };
        directives.metric(&REQUESTS);
        directives.metric(&DURATION);
        for (metric, counted) in self.counted(record) {
            if counted {
                directives.metric(metric);
            }
        }
        let counts = record.counts();
        let dependencies = record.dependencies();
        if !counts.is_empty() || !dependencies.is_empty() {
            directives.open(&[&["function"]]);
            let mut separator = "";
            for name in counts {
                directives.entry(separator, &[name], "Count");
                separator = ",";
            }
            for name in dependencies {
                for metric in OF_DEPENDENCIES {
                    directives.entry(separator, &[name, metric.name], metric.unit);
                    separator = ",";
                }
            }
            directives.close();
        }
        directives.json.push_str("]}");
        directives.json
    }

    fn counted(self, record: &Record) -> [(&'static Metric, bool); 3] {
        [
            (&COLD_STARTS, record.cold_start),
            (&PROBLEMS, self.is_problem),
            (&REPLAYS, self.is_replay),
        ]
    }
}

/// The array `CloudWatchMetrics` while it is written.
struct Directives<'n> {
    json: String,
    namespace: &'n str,
    started: bool,
}

impl Directives<'_> {
    fn metric(&mut self, metric: &Metric) {
        self.open(metric.dimensions);
        self.entry("", &[metric.name], metric.unit);
        self.close();
    }

    fn open(&mut self, dimensions: &[&[&str]]) {
        let separator = if self.started { "," } else { "" };
        self.started = true;
        let namespace = self.namespace;
        let _ = write!(
            self.json,
            "{separator}{{\"Namespace\":\"{namespace}\",\"Dimensions\":["
        );
        for (index, set) in dimensions.iter().enumerate() {
            self.json.push_str(if index == 0 { "[" } else { ",[" });
            for (index, dimension) in set.iter().enumerate() {
                self.json.push_str(if index == 0 { "\"" } else { ",\"" });
                self.json.push_str(dimension);
                self.json.push('"');
            }
            self.json.push(']');
        }
        self.json.push_str("],\"Metrics\":[");
    }

    fn entry(&mut self, separator: &str, name: &[&str], unit: &str) {
        self.json.push_str(separator);
        self.json.push_str("{\"Name\":\"");
        self.json.extend(name.iter().copied());
        self.json.push_str("\",\"Unit\":\"");
        self.json.push_str(unit);
        self.json.push_str("\"}");
    }

    fn close(&mut self) {
        self.json.push_str("]}");
    }
}
