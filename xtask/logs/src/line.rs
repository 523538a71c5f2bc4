//! One line of the log.

use std::collections::BTreeMap;

use serde_json::Value;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tracing::Level;

/// The name of the server in front of the functions, as their `function`, and the
/// message of its lines.
pub const GATEWAY: &str = "gateway";

/// A line of the log: a flat JSON object with a level and a message.
#[derive(Debug, Clone)]
pub struct Line {
    level: Level,
    /// In the order of their names, whatever the order in the line.
    members: BTreeMap<String, Value>,
}

impl Line {
    /// Parses a line; `None` for other output, and for lines of metrics alone.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let members: BTreeMap<String, Value> = serde_json::from_str(text).ok()?;
        members.get("message")?.as_str()?;
        let level = members.get("level")?.as_str()?.parse().ok()?;
        Some(Self { level, members })
    }

    /// Its level: `ERROR` is the least, `TRACE` the greatest.
    #[must_use]
    pub fn level(&self) -> Level {
        self.level
    }

    /// A member that is a string.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.members.get(name)?.as_str()
    }

    /// A member that is a number.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<f64> {
        self.members.get(name)?.as_f64()
    }

    /// Whether a member is `true`.
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        self.members.get(name).is_some_and(|it| it == true)
    }

    /// All members.
    pub fn members(&self) -> impl Iterator<Item = (&str, &Value)> {
        let members = self.members.iter();
        members.map(|(name, value)| (name.as_str(), value))
    }

    /// What happened.
    #[must_use]
    pub fn message(&self) -> &str {
        self.text("message").unwrap_or_default()
    }

    /// The function that wrote it; empty if the line does not name it.
    #[must_use]
    pub fn function(&self) -> &str {
        self.text("function").unwrap_or_default()
    }

    /// The HTTP status of a request or a call.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        let status = self.members.get("status")?.as_u64()?;
        u16::try_from(status).ok()
    }

    /// When it was written.
    #[must_use]
    pub fn time(&self) -> Option<OffsetDateTime> {
        instant(self.text("timestamp")?)
    }

    /// When the call of this line began.
    pub(crate) fn start(&self) -> Option<OffsetDateTime> {
        instant(self.text("start")?)
    }

    /// Whether it is the line of a completed request. The gateway has one for a
    /// request that no function responded to.
    #[must_use]
    pub fn is_request(&self) -> bool {
        match self.message() {
            "request" => true,
            GATEWAY => self.level <= Level::INFO,
            _ => false,
        }
    }

    /// Whether it is only of interest as a part of a trace.
    #[must_use]
    pub fn is_span(&self) -> bool {
        self.level > Level::INFO && ["call", "call started", GATEWAY].contains(&self.message())
    }
}

fn instant(text: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(text, &Rfc3339).ok()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The line of an order that was placed; shortened are only the metrics.
    pub const PLACED: &str = r#"{"timestamp":"2026-11-26T04:00:00.060000Z","level":"INFO","version":"$LATEST","function":"mysqldata","request_id":"6a9d9a4c-4b5c-4b43-8d3c-5b1f2b0a7c10","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"00000000000000a2","parent_id":"00000000000000a1","route":"/mysqldata","method":"POST","status":201,"duration_ms":50.0,"cold_start":true,"caller":"1f2e3d4c","catalogue_calls":1,"catalogue_retries":1,"catalogue_ms":20.0,"mysql_calls":1,"mysql_retries":0,"mysql_ms":10.0,"message":"request","_aws":{"Timestamp":1,"CloudWatchMetrics":[]},"Requests":1}"#;

    /// The line of a call.
    pub const CALL: &str = r#"{"timestamp":"2026-11-26T04:00:00.040000Z","level":"DEBUG","function":"mysqldata","request_id":"01a2","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"00000000000000b1","parent_id":"00000000000000a2","message":"call","dependency":"catalogue","operation":"GET /nosqldata?ids=moka-pot","start":"2026-11-26T04:00:00.020000Z","duration_ms":20.0,"status":200}"#;

    /// The line of a request that failed.
    pub const FAILED: &str = r#"{"timestamp":"2026-11-26T04:00:01.000000Z","level":"INFO","function":"nosqldata","request_id":"77c0","trace_id":"aaf92f3577b34da6a3ce929d0e0e4736","span_id":"00000000000000c1","route":"/nosqldata/{id}","method":"GET","status":503,"duration_ms":2.5,"cold_start":false,"caller":"anonymous","problem":"service-unavailable","message":"request"}"#;

    #[test]
    fn what_is_no_line_of_the_log_is_not_parsed() {
        for other in [
            "",
            "thread 'main' panicked",
            "[]",
            r#"{"message":"x"}"#,
            r#"{"level":"INFO"}"#,
            r#"{"level":"LOUD","message":"x"}"#,
            r#"{"_aws":{},"Requests":1}"#,
        ] {
            assert!(Line::parse(other).is_none(), "{other}");
        }
    }

    #[test]
    fn gateway_has_a_request_where_no_function_responded() {
        let line = |level| {
            let line = format!(r#"{{"level":"{level}","message":"gateway"}}"#);
            Line::parse(&line).unwrap()
        };
        assert!(!line("DEBUG").is_request() && line("DEBUG").is_span());
        assert!(line("WARN").is_request() && !line("WARN").is_span());
    }
}
