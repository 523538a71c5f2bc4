//! One trace as a waterfall: the spans of the gateway, of the functions and of their
//! calls, as bars on one scale of time.

use std::{collections::BTreeMap, fmt::Write};

use time::Duration;

use crate::{
    Level, Line, Paint, readable,
    readable::{escaped, retried, target},
};

/// The least width of a bar's column.
const MIN_BAR: usize = 20;

/// The greatest width of a name.
const MAX_NAME: usize = 60;

/// A part of a trace: a request at the gateway or in a function, or a call.
#[derive(Debug, Clone)]
pub struct Span {
    id: String,
    /// What it is, such as `mysqldata POST /mysqldata`.
    pub name: String,
    /// The HTTP status, if there was one.
    pub status: Option<u16>,
    /// When it began, in milliseconds since 1970.
    pub start_ms: f64,
    /// How long it took, in milliseconds.
    pub duration_ms: f64,
    /// Why it failed, and what was repeated.
    pub notes: Vec<String>,
    /// What it consists of, by start.
    pub children: Vec<Self>,
}

/// A trace, or the part of it that one request is in.
#[derive(Debug)]
pub struct Trace {
    id: String,
    /// The requests from outside; several if a client continued its trace.
    pub roots: Vec<Span>,
    warnings: Vec<Line>,
}

impl Trace {
    /// The trace with this id among the lines of the log; of it, the part that the
    /// request `request` is in, if it is given. `None` if no span has it.
    #[must_use]
    pub fn find(lines: &[Line], id: &str, request: Option<&str>) -> Option<Self> {
        let lines: Vec<_> = lines
            .iter()
            .filter(|line| line.text("trace_id") == Some(id))
            .collect();
        let mut spans: Vec<_> = lines.iter().filter_map(|line| Span::read(line)).collect();
        spans.sort_by(|(_, one), (_, other)| one.start_ms.total_cmp(&other.start_ms));
        let of_request = |line: &Line| request.is_none() || line.text("request_id") == request;
        let wanted: Vec<String> = lines
            .iter()
            .filter(|line| of_request(line))
            .filter_map(|line| line.text("span_id").map(str::to_owned))
            .collect();
        let mut roots = assemble(spans);
        roots.retain(|root| wanted.iter().any(|id| root.contains(id)));
        let warnings = lines.iter().filter(|line| line.level() <= Level::WARN);
        (!roots.is_empty()).then(|| Self {
            id: id.to_owned(),
            roots,
            warnings: warnings.map(|line| (*line).clone()).collect(),
        })
    }

    /// Draws it, at most `width` characters wide if the names leave enough room.
    #[must_use]
    pub fn draw(&self, width: usize, paint: Paint) -> String {
        let mut drawing = format!("{}\n", paint.bold(format_args!("trace {}", self.id)));
        for root in &self.roots {
            let mut rows = Vec::new();
            root.rows("", "", &mut rows);
            let names = rows.iter().map(|(name, _)| name.chars().count());
            let name_width = names.max().unwrap_or_default().min(MAX_NAME);
            // The columns of the status and of two durations, with their gaps.
            let bar_width = width.saturating_sub(name_width + 26).max(MIN_BAR);
            let header = format!("{:<name_width$} {:>5} {:>9} {:>9}", "", "", "ms", "own ms");
            let _ = writeln!(drawing, "\n{}", paint.dim(header));
            for (name, span) in rows {
                let name: String = name.chars().take(name_width).collect();
                let status = span.status.map_or_else(String::new, |it| it.to_string());
                let bar = root.bar(span, bar_width);
                let bar = match span.status {
                    Some(status) => paint.by_status(status, bar),
                    None if span.notes.is_empty() => paint.green(bar),
                    None => paint.red(bar),
                };
                let (total, own) = (span.duration_ms, span.own_ms());
                let _ = write!(
                    drawing,
                    "{name:<name_width$} {status:>5} {total:>9.1} {own:>9.1}  {bar}"
                );
                for note in &span.notes {
                    let _ = write!(drawing, "  {}", paint.yellow(note));
                }
                drawing.push('\n');
            }
        }
        if !self.warnings.is_empty() {
            drawing.push('\n');
        }
        for warning in &self.warnings {
            let _ = writeln!(drawing, "{}", readable(warning, paint));
        }
        drawing
    }
}

/// The spans as trees. A span whose parent is not in the log is a root.
fn assemble(spans: Vec<(Option<String>, Span)>) -> Vec<Span> {
    let ids: Vec<_> = spans.iter().map(|(_, span)| span.id.clone()).collect();
    let mut children = BTreeMap::<String, Vec<Span>>::new();
    let mut roots = Vec::new();
    for (parent, span) in spans {
        match parent {
            Some(parent) if ids.contains(&parent) => children.entry(parent).or_default().push(span),
            _ => roots.push(span),
        }
    }
    for root in &mut roots {
        root.adopt(&mut children);
    }
    roots
}

impl Span {
    /// The span of a line, with its parent; `None` if the line is not of a span.
    fn read(line: &Line) -> Option<(Option<String>, Self)> {
        let duration_ms = line.number("duration_ms")?;
        let function = line.function();
        let mut notes = Vec::new();
        let (name, start) = match line.message() {
            "call" => {
                let dependency = escaped(line.text("dependency").unwrap_or_default());
                let operation = escaped(line.text("operation").unwrap_or_default());
                notes.extend(line.text("error").map(escaped));
                (format!("→ {dependency} {operation}"), line.start()?)
            }
            "request" | crate::GATEWAY => {
                notes.extend(retried(line));
                notes.extend(line.text("error").map(escaped));
                let method = line.text("method").unwrap_or_default();
                // Written when the request was complete.
                let start = line.start().or_else(|| {
                    line.time()?
                        .checked_sub(Duration::seconds_f64(duration_ms / 1_000.0))
                });
                (format!("{function} {method} {}", target(line)), start?)
            }
            _ => return None,
        };
        #[expect(
            clippy::cast_precision_loss,
            reason = "exact to less than a microsecond"
        )]
        let start_ms = start.unix_timestamp_nanos() as f64 / 1_000_000.0;
        let span = Self {
            id: line.text("span_id")?.to_owned(),
            name,
            status: line.status(),
            start_ms,
            duration_ms,
            notes,
            children: Vec::new(),
        };
        Some((line.text("parent_id").map(str::to_owned), span))
    }

    fn adopt(&mut self, children: &mut BTreeMap<String, Vec<Self>>) {
        // Removed, so that a cycle ends.
        self.children = children.remove(&self.id).unwrap_or_default();
        for child in &mut self.children {
            child.adopt(children);
        }
    }

    fn contains(&self, id: &str) -> bool {
        self.id == id || self.children.iter().any(|child| child.contains(id))
    }

    /// When it ended, in milliseconds since 1970.
    #[must_use]
    pub fn end_ms(&self) -> f64 {
        self.start_ms + self.duration_ms
    }

    /// The time in which none of its children was running.
    #[must_use]
    pub fn own_ms(&self) -> f64 {
        let mut own = self.duration_ms;
        let mut until = self.start_ms;
        for child in &self.children {
            let begin = child.start_ms.max(until);
            let end = child.end_ms().min(self.end_ms());
            own -= (end - begin).max(0.0);
            until = until.max(end);
        }
        own
    }

    /// It and all below it, each with the branch that leads to it.
    fn rows<'s>(&'s self, branch: &str, indent: &str, rows: &mut Vec<(String, &'s Self)>) {
        rows.push((format!("{branch}{}", self.name), self));
        for (n, child) in self.children.iter().enumerate() {
            let is_last = n + 1 == self.children.len();
            let (fork, beside) = if is_last {
                ("└ ", "  ")
            } else {
                ("├ ", "│ ")
            };
            let (branch, below) = (format!("{indent}{fork}"), format!("{indent}{beside}"));
            child.rows(&branch, &below, rows);
        }
    }

    /// The bar of a span on the scale of this one.
    fn bar(&self, span: &Self, width: usize) -> String {
        let width_f = f64::from(u32::try_from(width).unwrap_or(u32::MAX));
        let scale = width_f / self.duration_ms.max(f64::MIN_POSITIVE);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "clamped to the width"
        )]
        let column = |ms: f64| ((ms - self.start_ms) * scale).round().clamp(0.0, width_f) as usize;
        let begin = column(span.start_ms).min(width.saturating_sub(1));
        let length = column(span.end_ms()).saturating_sub(begin);
        let bar = if length == 0 {
            "▏".to_owned()
        } else {
            "█".repeat(length)
        };
        format!("{}{bar}", " ".repeat(begin))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line::tests::{CALL, FAILED, PLACED};

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const GATEWAY: &str = r#"{"timestamp":"2026-11-26T04:00:00.065000Z","level":"DEBUG","function":"gateway","request_id":"6a9d9a4c-4b5c-4b43-8d3c-5b1f2b0a7c10","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"00000000000000a1","message":"gateway","route":"/mysqldata","method":"POST","status":201,"start":"2026-11-26T04:00:00.000000Z","duration_ms":64.0}"#;
    const QUERY: &str = r#"{"timestamp":"2026-11-26T04:00:00.055000Z","level":"DEBUG","function":"mysqldata","request_id":"6a9d9a4c-4b5c-4b43-8d3c-5b1f2b0a7c10","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"00000000000000b2","parent_id":"00000000000000a2","message":"call","dependency":"mysql","operation":"INSERT orders","start":"2026-11-26T04:00:00.045000Z","duration_ms":10.0,"error":"deadlock"}"#;

    fn lines() -> Vec<Line> {
        let lines = [QUERY, PLACED, FAILED, CALL, GATEWAY];
        lines.map(|line| Line::parse(line).unwrap()).to_vec()
    }

    #[test]
    fn request_is_drawn_across_services() {
        let request = "6a9d9a4c-4b5c-4b43-8d3c-5b1f2b0a7c10";
        let trace = Trace::find(&lines(), TRACE, Some(request)).unwrap();
        assert_eq!(
            trace.draw(90, Paint { is_on: false }),
            "trace 4bf92f3577b34da6a3ce929d0e0e4736

                                                         ms    own ms
gateway POST /mysqldata                       201      64.0      14.0  █████████████████████
└ mysqldata POST /mysqldata                   201      50.0      20.0     █████████████████  1 retry of catalogue
  ├ → catalogue GET /nosqldata?ids=moka-pot   200      20.0      20.0         ██████
  └ → mysql INSERT orders                              10.0      10.0                 ███  deadlock
"
        );
    }

    fn own(span: &Span) -> f64 {
        span.own_ms() + span.children.iter().map(own).sum::<f64>()
    }

    #[test]
    fn own_times_add_up_to_the_whole() {
        let trace = Trace::find(&lines(), TRACE, None).unwrap();
        let root = &trace.roots[0];
        assert!((own(root) - root.duration_ms).abs() < 0.001);
    }

    #[test]
    fn unknown_trace_or_request_is_not_found() {
        assert!(Trace::find(&lines(), "0", None).is_none());
        assert!(Trace::find(&lines(), TRACE, Some("77c0")).is_none());
    }
}
