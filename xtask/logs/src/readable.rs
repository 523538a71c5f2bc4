//! A line of the log for a person.

use std::{
    fmt::{Display, Write},
    io::{self, IsTerminal},
};

use serde_json::Value;

use crate::{GATEWAY, Level, Line};

/// The members that have a place of their own, or that a person does not need: the
/// ids of spans and what describes the metrics.
const PLACED: [&str; 14] = [
    "timestamp",
    "level",
    "version",
    "function",
    "request_id",
    "trace_id",
    "span_id",
    "parent_id",
    "message",
    "cause",
    "error",
    "route",
    "caller",
    "_aws",
];

/// Colours, if the output is a terminal.
#[derive(Debug, Clone, Copy)]
pub struct Paint {
    /// Whether there are any.
    pub is_on: bool,
}

impl Paint {
    /// Colours for the standard output.
    #[must_use]
    pub fn of_stdout() -> Self {
        Self {
            is_on: io::stdout().is_terminal(),
        }
    }

    pub(crate) fn dim(self, text: impl Display) -> String {
        self.paint("2", text)
    }

    pub(crate) fn bold(self, text: impl Display) -> String {
        self.paint("1", text)
    }

    pub(crate) fn red(self, text: impl Display) -> String {
        self.paint("31", text)
    }

    pub(crate) fn yellow(self, text: impl Display) -> String {
        self.paint("33", text)
    }

    pub(crate) fn green(self, text: impl Display) -> String {
        self.paint("32", text)
    }

    /// Text about a response with this status.
    pub(crate) fn by_status(self, status: u16, text: impl Display) -> String {
        match status {
            500.. => self.red(text),
            400.. => self.yellow(text),
            _ => self.green(text),
        }
    }

    /// Text of a line of this level.
    fn by_level(self, level: Level, text: impl Display) -> String {
        match level {
            Level::ERROR => self.red(text),
            Level::WARN => self.yellow(text),
            _ => self.dim(text),
        }
    }

    fn paint(self, code: &str, text: impl Display) -> String {
        if self.is_on {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_string()
        }
    }
}

/// One readable line, without a line break.
#[must_use]
pub fn readable(line: &Line, paint: Paint) -> String {
    let time = paint.dim(clock(line));
    let request = line.text("request_id").unwrap_or_default();
    let function = line.function();
    let mut text = match line.status() {
        Some(status) if line.is_request() => {
            let status = paint.by_status(status, status);
            let method = line.text("method").unwrap_or_default();
            let route = target(line);
            let duration = line.number("duration_ms").unwrap_or_default();
            format!("{time}  {status}  {method:<6} {route:<22} {duration:>8.1} ms  {function:<9}")
        }
        _ => {
            let level = paint.by_level(line.level(), format_args!("{:<5}", line.level()));
            let mut text = format!("{time}  {level} {function:<9} {}", escaped(line.message()));
            let cause = line.text("cause").or(line.text("error"));
            if let Some(cause) = cause {
                let _ = write!(text, ": {}", escaped(cause));
            }
            text
        }
    };
    let notes = if line.is_request() {
        notes(line)
    } else {
        others(line)
    };
    for note in [request.to_owned(), notes] {
        if !note.is_empty() {
            let _ = write!(text, "  {}", paint.dim(note));
        }
    }
    text
}

/// The time of day of a line, in UTC.
fn clock(line: &Line) -> String {
    let time = line.text("timestamp").unwrap_or_default();
    let time = time.split_once('T').map_or(time, |(_, time)| time);
    let digits = |c: &char| matches!(c, '0'..='9' | ':' | '.');
    time.chars()
        .take_while(digits)
        .take("04:00:00.060".len())
        .collect()
}

/// The route of a request, or its path where no route was found.
pub(crate) fn target(line: &Line) -> String {
    let target = line.text("route").or(line.text("path"));
    escaped(target.unwrap_or_default())
}

/// What is unusual about a request.
fn notes(line: &Line) -> String {
    let mut notes = Vec::new();
    if let Some(problem) = line.text("problem") {
        notes.push(escaped(problem));
    }
    notes.extend(retried(line));
    if line.is("cold_start") {
        notes.push("cold start".to_owned());
    }
    match line.text("error") {
        Some(error) => notes.push(escaped(error)),
        None if line.message() == GATEWAY => notes.push("no function responded".to_owned()),
        None => {}
    }
    notes.join(", ")
}

/// The retries of a request, if there were any, by dependency.
pub(crate) fn retries(line: &Line) -> impl Iterator<Item = (&str, u64)> {
    line.members().filter_map(|(name, value)| {
        let dependency = name.strip_suffix("_retries")?;
        let count = value.as_u64().filter(|count| *count > 0)?;
        Some((dependency, count))
    })
}

/// The retries of a request as text.
pub(crate) fn retried(line: &Line) -> impl Iterator<Item = String> {
    retries(line).map(|(dependency, count)| {
        let noun = if count == 1 { "retry" } else { "retries" };
        format!("{count} {noun} of {dependency}")
    })
}

/// The members that have no place of their own.
fn others(line: &Line) -> String {
    let others = line.members().filter(|(name, _)| !PLACED.contains(name));
    let others = others.map(|(name, value)| match value {
        Value::String(text) => format!("{name}={}", escaped(text)),
        value => format!("{name}={value}"),
    });
    others.collect::<Vec<_>>().join(" ")
}

/// Text on one line, which controls no terminal.
pub(crate) fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        if c.is_control() {
            escaped.extend(c.escape_default());
        } else {
            escaped.push(c);
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line::tests::{CALL, FAILED, PLACED};

    fn plain(text: &str) -> String {
        readable(&Line::parse(text).unwrap(), Paint { is_on: false })
    }

    #[test]
    fn request_is_one_readable_line() {
        assert_eq!(
            plain(PLACED),
            "04:00:00.060  201  POST   /mysqldata                 50.0 ms  mysqldata  \
             6a9d9a4c-4b5c-4b43-8d3c-5b1f2b0a7c10  1 retry of catalogue, cold start"
        );
        assert_eq!(
            plain(FAILED),
            "04:00:01.000  503  GET    /nosqldata/{id}             2.5 ms  nosqldata  \
             77c0  service-unavailable"
        );
    }

    #[test]
    fn warning_has_its_cause_and_its_fields() {
        let warning = r#"{"timestamp":"2026-11-26T04:00:00.06Z","level":"WARN","function":"mysqldata","request_id":"01a2","message":"prices","cause":"a\nb","attempts":5,"dependency":"catalogue"}"#;
        assert_eq!(
            plain(warning),
            "04:00:00.06  WARN  mysqldata prices: a\\nb  01a2  attempts=5 dependency=catalogue"
        );
        assert!(plain(CALL).contains("DEBUG mysqldata call"));
    }

    #[test]
    fn colours_are_for_terminals() {
        let line = Line::parse(FAILED).unwrap();
        assert!(readable(&line, Paint { is_on: true }).contains("\x1b[31m503\x1b[0m"));
    }
}
