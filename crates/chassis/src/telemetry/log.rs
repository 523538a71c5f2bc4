//! The log: one JSON object a line in Lambda, readable text in a terminal.

use std::{
    fmt::{self, Debug, Display, Write},
    io::IsTerminal,
    time::{Duration, SystemTime},
};

use time::OffsetDateTime;
use tracing::{Event, Subscriber, field::Field};
use tracing_subscriber::{
    Layer,
    field::{RecordFields, VisitOutput},
    filter::{LevelFilter, Targets},
    fmt::{
        FmtContext, FormatEvent, FormatFields, FormattedFields, MakeWriter,
        format::{Writer, debug_fn},
    },
    layer::SubscriberExt,
    registry::{LookupSpan, Scope},
    util::SubscriberInitExt,
};

use super::Trace;

/// The target of a line that has nothing but metrics: it is written where the
/// level filters out the completion line.
pub(crate) const METRICS: &str = "metrics";

/// The field whose value is members of the line's object, each with a comma in
/// front. The span of a request and its completion line have it, because they are
/// written for every request: this is a fraction of what a field each costs.
const MEMBERS: &str = "members";

/// The field whose value is a JSON object already.
const METADATA: &str = "_aws";

/// Starts the log. The level is `AWS_LAMBDA_LOG_LEVEL` (set by a function's
/// `LoggingConfig`), `RUST_LOG`, or `info`; `LOG_LEVELS` sets that of single
/// targets, such as `chassis::outbound=debug,mysql=trace`.
pub(crate) fn start() {
    let read = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let level = ["AWS_LAMBDA_LOG_LEVEL", "RUST_LOG"]
        .into_iter()
        .find_map(|name| parse_level(&read(name)?))
        .unwrap_or(LevelFilter::INFO);
    let targets = read("LOG_LEVELS").unwrap_or_default();
    let log = tracing_subscriber::registry().with(levels(level, &targets));
    if is_json() {
        log.with(json_lines(std::io::stdout)).init();
    } else {
        // The metrics are for `CloudWatch`, not for a person.
        let fields = debug_fn(|writer, field, value| match field.name() {
            METADATA => Ok(()),
            MEMBERS => {
                let members = Shown(value).to_string();
                let members = members.replace(['"', '\\'], "").replace(':', "=");
                write!(writer, "{}", members.replace(',', " ").trim_start())
            }
            "message" => write!(writer, "{}", Shown(value)),
            name => write!(writer, "{name}={}", Shown(value)),
        });
        let fields = tracing_subscriber::field::MakeExt::delimited(fields, " ");
        let lines = tracing_subscriber::fmt::layer().fmt_fields(fields);
        let lines = lines.with_target(false);
        log.with(lines.with_ansi(std::io::stdout().is_terminal()))
            .init();
    }
    std::panic::set_hook(Box::new(|panic| {
        let location = panic.location().map(ToString::to_string);
        let reason = panic.payload_as_str().unwrap_or("unknown");
        tracing::error!(location, reason, "panic");
    }));
}

/// Lambda's levels are those of `tracing`, and `FATAL`.
fn parse_level(level: &str) -> Option<LevelFilter> {
    if level.eq_ignore_ascii_case("fatal") {
        return Some(LevelFilter::ERROR);
    }
    level.parse().ok()
}

/// The levels by target. What is malformed in `targets` is ignored as a whole.
fn levels(level: LevelFilter, targets: &str) -> Targets {
    let metrics = match level {
        LevelFilter::OFF => LevelFilter::OFF,
        _ => LevelFilter::INFO,
    };
    Targets::new()
        .with_default(level)
        // The runtime's own lines add nothing to a request's line.
        .with_target("lambda_runtime", level.min(LevelFilter::ERROR))
        // It repeats the error of an invocation, which has its line already.
        .with_target("lambda_runtime::layers", LevelFilter::OFF)
        .with_target(METRICS, metrics)
        .with_targets(targets.parse::<Targets>().unwrap_or_default())
}

/// Whether lines are JSON: as `AWS_LAMBDA_LOG_FORMAT` requests, or else if
/// `LAMBDA_TASK_ROOT` shows that this is Lambda.
fn is_json() -> bool {
    match std::env::var("AWS_LAMBDA_LOG_FORMAT") {
        Ok(format) if !format.is_empty() => format.eq_ignore_ascii_case("json"),
        _ => std::env::var_os("LAMBDA_TASK_ROOT").is_some(),
    }
}

/// The members that every line of a request has.
pub(crate) fn ids(function: &str, request_id: &str, trace: Trace) -> String {
    let mut members = String::with_capacity(160);
    push_text(&mut members, "function", function);
    members.push_str(",\"request_id\":\"");
    let _ = Escaped(&mut members).write_str(request_id);
    members.push('"');
    push_text(&mut members, "trace_id", &trace.trace_id());
    members
}

/// A member with a text that has nothing to escape.
pub(crate) fn push_text(members: &mut String, name: &str, text: &str) {
    members.extend([",\"", name, "\":\"", text, "\""]);
}

/// Escapes what is written as a part of a JSON string.
struct Escaped<W>(W);

impl<W: Write> Write for Escaped<W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let plain = |b: u8| b >= b' ' && b != b'"' && b != b'\\';
        if text.bytes().all(plain) {
            return self.0.write_str(text);
        }
        let quoted = serde_json::to_string(text).unwrap_or_default();
        let escaped = quoted
            .strip_prefix('"')
            .and_then(|text| text.strip_suffix('"'));
        self.0.write_str(escaped.unwrap_or_default())
    }
}

/// The log as JSON, one object a line, as it is in Lambda.
pub fn json_lines<S, W>(writer: W) -> impl Layer<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    // Tells apart the versions of a canary deployment.
    let version = std::env::var("AWS_LAMBDA_FUNCTION_VERSION").ok();
    tracing_subscriber::fmt::layer()
        .event_format(JsonLine { version })
        .fmt_fields(Members)
        .with_writer(writer)
}

/// A time as RFC 3339 in UTC, with microseconds.
pub(crate) fn micros(at: SystemTime) -> String {
    let at = OffsetDateTime::from(at);
    let (year, month, day) = (at.year(), u8::from(at.month()), at.day());
    let (hour, minute, second, micros) = at.to_hms_micro();
    let mut text = String::with_capacity(32);
    push_padded(&mut text, year.unsigned_abs().into(), 4);
    for (before, value) in [
        ('-', month),
        ('-', day),
        ('T', hour),
        (':', minute),
        (':', second),
    ] {
        text.push(before);
        push_padded(&mut text, value.into(), 2);
    }
    text.push('.');
    push_padded(&mut text, micros.into(), 6);
    text.push('Z');
    text
}

/// A duration in milliseconds, to the microsecond.
pub(crate) fn milliseconds(duration: Duration) -> f64 {
    let micros = u32::try_from(duration.as_micros()).unwrap_or(u32::MAX);
    f64::from(micros) / 1000.0
}

/// The same as a JSON number.
pub(crate) fn push_milliseconds(text: &mut String, duration: Duration) {
    let micros = u32::try_from(duration.as_micros()).unwrap_or(u32::MAX);
    let _ = write!(text, "{}.", micros / 1000);
    push_padded(text, u64::from(micros % 1000), 3);
}

/// A number in so many digits. Every line has some: this is a fraction of what
/// `format!` costs.
pub(crate) fn push_padded(text: &mut String, value: u64, digits: u32) {
    let mut divisor = 10_u64.pow(digits - 1);
    while divisor > 0 {
        let digit = u8::try_from(value / divisor % 10).unwrap_or_default();
        text.push(char::from(b'0' + digit));
        divisor /= 10;
    }
}

/// A line as one flat JSON object: the version of the function, the fields of the
/// spans around the event, from the outermost, and its own.
struct JsonLine {
    version: Option<String>,
}

impl<S, N> FormatEvent<S, N> for JsonLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        ctx: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        writer.write_str("{\"timestamp\":\"")?;
        writer.write_str(&micros(SystemTime::now()))?;
        writer.write_str("\",\"level\":\"")?;
        writer.write_str(event.metadata().level().as_str())?;
        writer.write_char('"')?;
        if let Some(version) = &self.version {
            // A number, or `$LATEST`: nothing to escape.
            writer.write_str(",\"version\":\"")?;
            writer.write_str(version)?;
            writer.write_char('"')?;
        }
        for span in ctx.event_scope().into_iter().flat_map(Scope::from_root) {
            if let Some(fields) = span.extensions().get::<FormattedFields<N>>() {
                writer.write_str(fields)?;
            }
        }
        ctx.format_fields(writer.by_ref(), event)?;
        writer.write_str("}\n")
    }
}

/// A field's value. `tracing` passes it as [`Debug`], whose text is the [`Display`] of
/// what was logged.
struct Shown<'v>(&'v dyn Debug);

impl Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Fields as members of a JSON object, each with a comma in front.
struct Members;

impl<'w> FormatFields<'w> for Members {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'w>, fields: R) -> fmt::Result {
        let mut members = MemberWriter {
            writer,
            result: Ok(()),
        };
        fields.record(&mut members);
        members.finish()
    }
}

struct MemberWriter<'w> {
    writer: Writer<'w>,
    result: fmt::Result,
}

impl MemberWriter<'_> {
    fn write(&mut self, field: &Field, write: impl FnOnce(&mut Writer<'_>) -> fmt::Result) {
        let member = || {
            self.writer.write_str(",\"")?;
            self.writer.write_str(field.name())?;
            self.writer.write_str("\":")?;
            write(&mut self.writer)
        };
        if self.result.is_ok() {
            self.result = member();
        }
    }

    fn write_text(&mut self, field: &Field, text: impl Display) {
        self.write(field, |writer| {
            writer.write_char('"')?;
            write!(Escaped(&mut *writer), "{text}")?;
            writer.write_char('"')
        });
    }

    fn write_members(&mut self, members: &str) {
        if self.result.is_ok() {
            self.result = self.writer.write_str(members);
        }
    }
}

impl VisitOutput<fmt::Result> for MemberWriter<'_> {
    fn finish(self) -> fmt::Result {
        self.result
    }
}

impl tracing::field::Visit for MemberWriter<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            METADATA => self.write(field, |writer| writer.write_str(value)),
            MEMBERS => self.write_members(value),
            _ => self.write_text(field, value),
        }
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.write(field, |writer| write!(writer, "{value}"));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.write(field, |writer| write!(writer, "{value}"));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.write(field, |writer| write!(writer, "{value}"));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        // JSON has no infinity and no NaN.
        if value.is_finite() {
            self.write(field, |writer| write!(writer, "{value}"));
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.write_text(field, Shown(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_microseconds() {
        let at = |seconds, micros| {
            let since = Duration::from_secs(seconds) + Duration::from_micros(micros);
            super::micros(SystemTime::UNIX_EPOCH + since)
        };
        assert_eq!(at(0, 0), "1970-01-01T00:00:00.000000Z");
        assert_eq!(at(951_827_696, 123_456), "2000-02-29T12:34:56.123456Z");
        assert_eq!(at(1_795_651_199, 7), "2026-11-25T23:59:59.000007Z");
    }

    #[test]
    fn a_target_has_its_own_level() {
        let levels = levels(LevelFilter::WARN, "chassis::outbound=debug,mysql=trace");
        let enabled = |target, level| levels.would_enable(target, &level);
        assert!(enabled(
            "chassis::outbound::call_log",
            tracing::Level::DEBUG
        ));
        assert!(enabled("mysql::session", tracing::Level::TRACE));
        assert!(!enabled("chassis::http", tracing::Level::INFO));
        assert!(enabled(METRICS, tracing::Level::INFO));
        assert!(enabled("lambda_runtime::runtime", tracing::Level::ERROR));
        assert!(!enabled(
            "lambda_runtime::layers::panic",
            tracing::Level::ERROR
        ));
    }
}
