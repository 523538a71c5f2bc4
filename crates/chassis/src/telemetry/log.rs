//! The log: one JSON object a line in Lambda, readable text in a terminal.

use std::{fmt, io::IsTerminal};

use tracing::{Event, Subscriber};
use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    fmt::{
        FmtContext, FormatEvent, FormatFields, FormattedFields,
        format::{JsonFields, Writer},
        time::{FormatTime, SystemTime},
    },
    layer::SubscriberExt,
    registry::{LookupSpan, Scope},
    util::SubscriberInitExt,
};

/// Starts the log. The level is `AWS_LAMBDA_LOG_LEVEL` (set by a function's
/// `LoggingConfig`), `RUST_LOG`, or `info`.
pub(crate) fn start() {
    let level = ["AWS_LAMBDA_LOG_LEVEL", "RUST_LOG"]
        .iter()
        .find_map(|name| std::env::var(name).ok()?.parse::<LevelFilter>().ok())
        .unwrap_or(LevelFilter::INFO);
    // The runtime's own lines add nothing to a request's line.
    let levels = Targets::new()
        .with_default(level)
        .with_target("lambda_runtime", level.min(LevelFilter::ERROR));
    let log = tracing_subscriber::registry().with(levels);
    let lines = tracing_subscriber::fmt::layer();
    if is_json() {
        // Tells apart the versions of a canary deployment.
        let version = std::env::var("AWS_LAMBDA_FUNCTION_VERSION").unwrap_or_default();
        let line = JsonLine { version };
        let lines = lines.event_format(line).fmt_fields(JsonFields::new());
        log.with(lines).init();
    } else {
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

/// Lambda sets the first variable for JSON logging, and the second always.
fn is_json() -> bool {
    match std::env::var("AWS_LAMBDA_LOG_FORMAT") {
        Ok(format) => format.eq_ignore_ascii_case("json"),
        Err(_) => std::env::var_os("LAMBDA_TASK_ROOT").is_some(),
    }
}

/// A line as one flat JSON object: the version of the function, the fields of the
/// spans around the event, from the outermost, and its own.
struct JsonLine {
    version: String,
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
        SystemTime.format_time(&mut writer)?;
        let level = event.metadata().level();
        let version = &self.version;
        // A number, or `$LATEST`: nothing to escape.
        write!(writer, "\",\"level\":\"{level}\",\"version\":\"{version}\"")?;
        for span in ctx.event_scope().into_iter().flat_map(Scope::from_root) {
            if let Some(fields) = span.extensions().get::<FormattedFields<N>>() {
                write_members(&mut writer, fields)?;
            }
        }
        let mut fields = String::new();
        ctx.format_fields(Writer::new(&mut fields), event)?;
        write_members(&mut writer, &fields)?;
        writer.write_str("}\n")
    }
}

/// Writes the members of a JSON object, without its braces.
fn write_members(writer: &mut Writer<'_>, object: &str) -> fmt::Result {
    let members = object
        .strip_prefix('{')
        .and_then(|object| object.strip_suffix('}'));
    match members {
        None | Some("") => Ok(()),
        Some(members) => write!(writer, ",{members}"),
    }
}
