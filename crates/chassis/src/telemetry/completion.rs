//! The completion line: one for each invocation, with its metrics.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tracing::Level;

use super::{METRICS, Record, Trace, metrics::Metrics, push_milliseconds, push_padded, push_text};

/// A request that was served, for its completion line and as the root of its spans.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Completed<'r> {
    pub(crate) service: &'static str,
    pub(crate) request_id: &'r str,
    pub(crate) trace: Trace,
    pub(crate) method: &'r str,
    pub(crate) route: &'r str,
    pub(crate) status: u16,
    pub(crate) started: SystemTime,
    pub(crate) duration: Duration,
    pub(crate) problem: Option<&'static str>,
    pub(crate) is_replay: bool,
}

impl Completed<'_> {
    /// Writes the line, at the level `INFO`. The metrics are written at any level but `OFF`.
    pub(crate) fn log(&self, record: &Record, metrics: &Metrics) {
        let writes_request_line = tracing::enabled!(Level::INFO);
        if !writes_request_line && !tracing::enabled!(target: METRICS, Level::INFO) {
            return;
        }
        let mut text = String::with_capacity(1536);
        if writes_request_line {
            self.push_request(&mut text, record);
        }
        self.push_metrics(&mut text, record);
        let length = text.len();
        self.push_metadata(&mut text, record, metrics);
        let (members, metadata) = text.split_at(length);
        if writes_request_line {
            tracing::info!(members, _aws = metadata, "request");
        } else {
            tracing::info!(target: METRICS, members, _aws = metadata);
        }
    }

    /// The members of the completion line but the metrics.
    fn push_request(&self, json: &mut String, record: &Record) {
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
    fn push_metrics(&self, json: &mut String, record: &Record) {
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
        for (is_counted, member) in [
            (record.cold_start, ",\"cold_starts\":1"),
            (self.problem.is_some(), ",\"problems\":1"),
            (self.is_replay, ",\"replays\":1"),
        ] {
            if is_counted {
                json.push_str(member);
            }
        }
        record.push_members(json);
    }

    /// The value of the member `_aws`.
    fn push_metadata(&self, json: &mut String, record: &Record, metrics: &Metrics) {
        let since = self.started.duration_since(UNIX_EPOCH);
        let timestamp = since.unwrap_or_default();
        json.push_str("{\"Timestamp\":");
        push_padded(json, timestamp.as_secs(), 10);
        push_padded(json, timestamp.subsec_millis().into(), 3);
        json.extend([",\"CloudWatchMetrics\":[", &metrics.requests]);
        for (is_counted, name, dimensions) in [
            (record.cold_start, "cold_starts", ""),
            (
                self.problem.is_some(),
                "problems",
                r#",["function","problem"]"#,
            ),
            (self.is_replay, "replays", ""),
        ] {
            if is_counted {
                json.push(',');
                metrics.push_directive(json, dimensions, name, "Count");
            }
        }
        let (counters, dependencies) = (record.counts(), record.dependencies());
        if !counters.is_empty() || !dependencies.is_empty() {
            json.push(',');
            metrics.push_directive_of_names(json, &counters, &dependencies);
        }
        json.push_str("]}");
    }
}
