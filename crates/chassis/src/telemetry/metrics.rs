//! The metrics, in `CloudWatch`'s embedded metric format.
//!
//! A metric is a member of the completion line: `_aws` names the members that
//! are metrics, so no metric costs a line of its own.
//! Source: Amazon `CloudWatch` User Guide, "Specification: Embedded metric format".

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

    /// Writes the directives of every completion line; more of them may follow.
    pub(super) fn directives<'j>(&'j self, json: &'j mut String) -> Directives<'j> {
        json.push_str(&self.directives);
        Directives {
            json,
            namespace: &self.name,
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
pub(super) struct Metric {
    /// Its name. For a metric of a dependency, what follows the dependency's name.
    pub name: &'static str,
    /// Its unit.
    pub unit: &'static str,
    /// Its sets of dimensions.
    pub dimensions: &'static [&'static [&'static str]],
}

/// The requests, for each route and each class of status.
pub(super) const REQUESTS: Metric = Metric {
    name: "requests",
    unit: "Count",
    dimensions: &[
        &["function"],
        &["function", "route"],
        &["function", "status_class"],
    ],
};

/// The time from the event to the response.
pub(super) const DURATION: Metric = Metric {
    name: "duration_ms",
    unit: "Milliseconds",
    dimensions: &[&["function"], &["function", "route"]],
};

/// The first invocation of a process.
pub(super) const COLD_STARTS: Metric = Metric {
    name: "cold_starts",
    unit: "Count",
    dimensions: &[&["function"]],
};

/// Problems, by their type.
pub(super) const PROBLEMS: Metric = Metric {
    name: "problems",
    unit: "Count",
    dimensions: &[&["function"], &["function", "problem"]],
};

/// Responses that were replayed for an idempotency key.
pub(super) const REPLAYS: Metric = Metric {
    name: "replays",
    unit: "Count",
    dimensions: &[&["function"]],
};

/// What is recorded of each dependency, after its name.
pub(super) const OF_DEPENDENCIES: [Metric; 5] = [
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

/// The array `CloudWatchMetrics` while it is written.
pub(super) struct Directives<'j> {
    json: &'j mut String,
    namespace: &'j str,
}

impl Directives<'_> {
    pub(super) fn metric(&mut self, separator: &str, metric: &Metric) {
        self.open(separator, metric.dimensions);
        self.entry("", &[metric.name], metric.unit);
        self.close();
    }

    pub(super) fn open(&mut self, separator: &str, dimensions: &[&[&str]]) {
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

    pub(super) fn entry(&mut self, separator: &str, name: &[&str], unit: &str) {
        self.json.push_str(separator);
        self.json.push_str("{\"Name\":\"");
        self.json.extend(name.iter().copied());
        self.json.push_str("\",\"Unit\":\"");
        self.json.push_str(unit);
        self.json.push_str("\"}");
    }

    pub(super) fn close(&mut self) {
        self.json.push_str("]}");
    }
}
