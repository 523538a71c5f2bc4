//! The completion line: one for each invocation, with its metrics.

use std::time::UNIX_EPOCH;

use super::{
    Completed, Record,
    metrics::{COLD_STARTS, Metric, OF_DEPENDENCIES, PROBLEMS, REPLAYS},
    push_milliseconds, push_padded, push_text,
};

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
        if self.status == 503 && record.is_hurried() {
            // No alarm counts it: any caller could raise it.
            json.push_str("hurried");
        } else {
            push_padded(json, (self.status / 100).into(), 1);
            json.push_str("xx");
        }
        json.push_str("\",\"duration_ms\":");
        push_milliseconds(json, self.duration);
        json.push_str(",\"requests\":1");
        for metric in self.counted(record) {
            json.extend([",\"", metric.name, "\":1"]);
        }
        record.push_members(json);
    }

    /// The value of the member `_aws`.
    pub(crate) fn push_metadata(self, json: &mut String, record: &Record) {
        let since = self.started.duration_since(UNIX_EPOCH);
        let timestamp = since.unwrap_or_default();
        json.push_str("{\"Timestamp\":");
        push_padded(json, timestamp.as_secs(), 10);
        push_padded(json, timestamp.subsec_millis().into(), 3);
        json.push_str(",\"CloudWatchMetrics\":[");
        let mut directives = record.telemetry.metrics.directives(json);
        for metric in self.counted(record) {
            directives.metric(",", metric);
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

    /// The metrics that this request counts beside those of every request.
    fn counted(self, record: &Record) -> impl Iterator<Item = &'static Metric> {
        let metrics = [
            (&COLD_STARTS, record.cold_start),
            (&PROBLEMS, self.problem.is_some()),
            (&REPLAYS, self.is_replay),
        ];
        let counted = |(metric, is_counted): (_, bool)| is_counted.then_some(metric);
        metrics.into_iter().filter_map(counted)
    }
}
