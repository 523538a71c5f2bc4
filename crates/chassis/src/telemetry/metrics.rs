//! The metrics, in `CloudWatch`'s embedded metric format.
//!
//! A metric is a member of the completion line: `_aws` names the members that
//! are metrics, so no metric costs a line of its own.
//! Source: Amazon `CloudWatch` User Guide, "Specification: Embedded metric format".

/// What is recorded of each dependency, after its name, with its unit.
const DEPENDENCY_METRICS: [(&str, &str); 5] = [
    ("_calls", "Count"),
    ("_retries", "Count"),
    ("_errors", "Count"),
    ("_ms", "Milliseconds"),
    ("_breaker_open", "Count"),
];

/// The directives of the metrics, as JSON: their names, units and dimensions.
#[derive(Debug)]
pub(crate) struct Metrics {
    namespace: String,
    /// Those of every request, which are always the same: its count and its time.
    pub(super) requests: String,
}

impl Metrics {
    pub(crate) fn new(namespace: &str) -> Self {
        let mut metrics = Self {
            namespace: namespace.to_owned(),
            requests: String::new(),
        };
        let mut requests = String::new();
        let dimensions = r#",["function","route"],["function","status_class"]"#;
        metrics.push_directive(&mut requests, dimensions, "requests", "Count");
        requests.push(',');
        let dimensions = r#",["function","route"]"#;
        metrics.push_directive(&mut requests, dimensions, "duration_ms", "Milliseconds");
        metrics.requests = requests;
        metrics
    }

    /// Writes the directive of one metric. Its dimensions are `function` and these.
    pub(super) fn push_directive(&self, json: &mut String, and: &str, name: &str, unit: &str) {
        self.push_start(json, and);
        push_metric(json, name, "", unit);
        json.push_str(END);
    }

    /// Writes the directive of the counters and of the dependencies with these names.
    pub(super) fn push_directive_of_names(
        &self,
        json: &mut String,
        counters: &[&str],
        dependencies: &[&str],
    ) {
        self.push_start(json, "");
        for name in counters {
            push_metric(json, name, "", "Count");
            json.push(',');
        }
        for name in dependencies {
            for (suffix, unit) in DEPENDENCY_METRICS {
                push_metric(json, name, suffix, unit);
                json.push(',');
            }
        }
        // The last comma.
        json.pop();
        json.push_str(END);
    }

    fn push_start(&self, json: &mut String, and: &str) {
        json.extend([
            r#"{"Namespace":""#,
            &self.namespace,
            r#"","Dimensions":[["function"]"#,
            and,
            r#"],"Metrics":["#,
        ]);
    }
}

/// The end of a directive.
const END: &str = "]}";

fn push_metric(json: &mut String, name: &str, suffix: &str, unit: &str) {
    json.extend([r#"{"Name":""#, name, suffix, r#"","Unit":""#, unit, r#""}"#]);
}

impl Default for Metrics {
    /// In the namespace where none is configured.
    fn default() -> Self {
        Self::new("kea")
    }
}
