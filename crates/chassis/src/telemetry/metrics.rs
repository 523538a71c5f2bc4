//! The metrics, in `CloudWatch`'s embedded metric format.
//!
//! A metric is a member of the completion line: `_aws` names the members that
//! are metrics, so no metric costs a line of its own.
//! Source: Amazon `CloudWatch` User Guide, "Specification: Embedded metric format".

use std::time::{Duration, UNIX_EPOCH};

use super::{Record, Trace, push_milliseconds, push_padded, push_text};

/// The namespace of the metrics.
#[derive(Debug)]
pub(crate) struct Namespace {
    name: String,
    /// The directives of every completion line, which are the same for all.
    directives: String,
}

impl Namespace {
    pub(crate) fn new(name: String) -> Self {
        let mut text = String::new();
        let mut directives = Directives {
            json: &mut text,
            namespace: &name,
        };
        directives.metric("", &REQUESTS);
        directives.metric(",", &DURATION);
        Self {
            directives: text,
            name,
        }
    }
}

impl Default for Namespace {
    /// Where none is configured.
    fn default() -> Self {
        Self::new("kea".to_owned())
    }
}

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

/// A response, as its completion line has it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Completed<'r> {
    pub(crate) trace: Trace,
    pub(crate) method: &'r str,
    pub(crate) route: &'r str,
    pub(crate) status: u16,
    pub(crate) duration: Duration,
    pub(crate) problem: Option<&'static str>,
    pub(crate) is_replay: bool,
}

impl Completed<'_> {
    /// The members of the completion line but the metrics.
    pub(crate) fn push_request(self, json: &mut String, record: &Record) {
        push_text(json, "span_id", &self.trace.span_id());
        if let Some(parent_id) = self.trace.parent_id() {
            push_text(json, "parent_id", &parent_id);
        }
        push_text(json, "method", self.method);
        json.push_str(",\"status\":");
        push_padded(json, self.status.into(), 3);
        json.push_str(if record.cold_start {
            ",\"cold_start\":true"
        } else {
            ",\"cold_start\":false"
        });
        let caller = record.caller();
        push_text(json, "caller", caller.as_deref().unwrap_or("anonymous"));
    }

    /// The members that are metrics, or dimensions of one.
    pub(crate) fn push_metrics(self, json: &mut String, record: &Record) {
        push_text(json, "route", self.route);
        if let Some(problem) = self.problem {
            push_text(json, "problem", problem);
        }
        json.push_str(",\"status_class\":\"");
        push_padded(json, (self.status / 100).into(), 1);
        json.push_str("xx\",\"duration_ms\":");
        push_milliseconds(json, self.duration);
        json.push_str(",\"requests\":1");
        for (metric, counted) in self.counted(record) {
            if counted {
                json.extend([",\"", metric.name, "\":1"]);
            }
        }
        record.push_members(json);
    }

    /// The value of the member `_aws`.
    pub(crate) fn push_metadata(self, json: &mut String, record: &Record) {
        let since = record.started.duration_since(UNIX_EPOCH);
        let timestamp = since.unwrap_or_default();
        json.push_str("{\"Timestamp\":");
        push_padded(json, timestamp.as_secs(), 10);
        push_padded(json, timestamp.subsec_millis().into(), 3);
        json.push_str(",\"CloudWatchMetrics\":[");
        let namespace = &record.telemetry.metrics;
        json.push_str(&namespace.directives);
        let mut directives = Directives {
            json,
            namespace: &namespace.name,
        };
        for (metric, counted) in self.counted(record) {
            if counted {
                directives.metric(",", metric);
            }
        }
        let counts = record.counts();
        let dependencies = record.dependencies();
        if !counts.is_empty() || !dependencies.is_empty() {
            directives.open(",", &[&["function"]]);
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
        json.push_str("]}");
    }

    fn counted(self, record: &Record) -> [(&'static Metric, bool); 3] {
        [
            (&COLD_STARTS, record.cold_start),
            (&PROBLEMS, self.problem.is_some()),
            (&REPLAYS, self.is_replay),
        ]
    }
}

/// The array `CloudWatchMetrics` while it is written.
struct Directives<'n> {
    json: &'n mut String,
    namespace: &'n str,
}

impl Directives<'_> {
    fn metric(&mut self, separator: &str, metric: &Metric) {
        self.open(separator, metric.dimensions);
        self.entry("", &[metric.name], metric.unit);
        self.close();
    }

    fn open(&mut self, separator: &str, dimensions: &[&[&str]]) {
        self.json.extend([
            separator,
            "{\"Namespace\":\"",
            self.namespace,
            "\",\"Dimensions\":[",
        ]);
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
