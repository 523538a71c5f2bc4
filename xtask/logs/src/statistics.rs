//! What `cargo xtask top` shows: the requests of a window of time.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt::Write,
};

use time::{Duration, OffsetDateTime};

use crate::{
    Level, Line, Paint, readable,
    readable::{escaped, retries, target},
};

/// The lines of the last window of time, and the state of each breaker.
#[derive(Debug)]
pub struct Statistics {
    window: Duration,
    lines: VecDeque<(OffsetDateTime, Line)>,
    /// When the breaker of a dependency opened in a function, while it is open.
    breakers: BTreeMap<(String, String), OffsetDateTime>,
}

/// What is counted of a route or a dependency.
#[derive(Debug, Default)]
struct Counts {
    durations_ms: Vec<f64>,
    client_errors: usize,
    /// Responses with 5xx, or calls that failed.
    failures: usize,
    retries: u64,
    cold_starts: usize,
}

/// What is counted, by function and another name.
type Table = BTreeMap<(String, String), Counts>;

/// What is counted in a window.
#[derive(Debug, Default)]
struct Summary<'l> {
    routes: Table,
    dependencies: Table,
    problems: BTreeMap<(String, String), usize>,
    /// The last line of a warning or an error.
    last_alarm: Option<&'l Line>,
}

impl Statistics {
    /// Those of a window of time.
    #[must_use]
    pub fn new(window: std::time::Duration) -> Self {
        Self {
            window: window.try_into().unwrap_or(Duration::MAX),
            lines: VecDeque::new(),
            breakers: BTreeMap::new(),
        }
    }

    /// Adds a line of the log.
    pub fn add(&mut self, line: Line) {
        let Some(time) = line.time() else {
            return;
        };
        let breaker = || {
            let dependency = line.text("dependency").unwrap_or_default();
            (line.function().to_owned(), dependency.to_owned())
        };
        match line.message() {
            "breaker opens" => {
                self.breakers.insert(breaker(), time);
            }
            "breaker closes" => {
                self.breakers.remove(&breaker());
            }
            // The first request of a process: no breaker of the one before it is left,
            // but the request may have opened one of its own.
            "request" if line.is("cold_start") => {
                let duration = line.number("duration_ms").unwrap_or_default();
                let start = time - Duration::seconds_f64(duration / 1_000.0);
                let function = line.function();
                let is_left = |of: &str, opened: OffsetDateTime| of != function || opened >= start;
                self.breakers.retain(|(of, _), opened| is_left(of, *opened));
            }
            _ => {}
        }
        self.lines.push_back((time, line));
    }

    /// One picture of the window that ends at `now`; what is older is forgotten.
    pub fn frame(&mut self, now: OffsetDateTime, paint: Paint) -> String {
        let begin = now.saturating_sub(self.window);
        self.lines.retain(|(time, _)| *time > begin);
        let mut summary = Summary::default();
        for (_, line) in &self.lines {
            summary.add(line);
        }
        let seconds = self.window.as_seconds_f64().max(f64::MIN_POSITIVE);
        let mut frame = String::new();
        summary.draw(now, seconds, paint, &mut frame);
        for ((function, dependency), since) in &self.breakers {
            let seconds = (now - *since).whole_seconds();
            let text = format!("{function}: the breaker of {dependency} opened {seconds} s ago");
            let _ = writeln!(frame, "{}", paint.red(text));
        }
        if self.breakers.is_empty() {
            let _ = writeln!(frame, "{}", paint.dim("every breaker is closed"));
        }
        if let Some(line) = summary.last_alarm {
            let _ = writeln!(frame, "{}", readable(line, paint));
        }
        frame
    }
}

impl<'l> Summary<'l> {
    fn add(&mut self, line: &'l Line) {
        if line.is_request() {
            self.add_request(line);
        } else if line.message() == "call" {
            self.add_call(line);
        }
        if line.level() <= Level::WARN {
            self.last_alarm = Some(line);
        }
    }

    fn add_request(&mut self, line: &Line) {
        let function = line.function();
        let method = line.text("method").unwrap_or_default();
        let key = |name: String| (function.to_owned(), name);
        let counts = self.routes.entry(key(format!("{method} {}", target(line))));
        let counts = counts.or_default();
        counts.durations_ms.extend(line.number("duration_ms"));
        match line.status().unwrap_or_default() {
            500.. => counts.failures += 1,
            400.. => counts.client_errors += 1,
            _ => {}
        }
        counts.cold_starts += usize::from(line.is("cold_start"));
        for (dependency, retries) in retries(line) {
            let counts = self.dependencies.entry(key(dependency.to_owned()));
            counts.or_default().retries += retries;
        }
        if let Some(problem) = line.text("problem") {
            *self.problems.entry(key(escaped(problem))).or_default() += 1;
        }
    }

    fn add_call(&mut self, line: &Line) {
        let dependency = line.text("dependency").unwrap_or_default();
        let key = (line.function().to_owned(), escaped(dependency));
        let counts = self.dependencies.entry(key).or_default();
        counts.durations_ms.extend(line.number("duration_ms"));
        let has_failed =
            line.text("error").is_some() || line.status().is_some_and(|status| status >= 500);
        counts.failures += usize::from(has_failed);
    }

    fn draw(&self, now: OffsetDateTime, seconds: f64, paint: Paint, frame: &mut String) {
        let routes = self.routes.values();
        let requests = routes.clone().map(|it| it.durations_ms.len()).sum();
        let failures: usize = routes.map(|it| it.failures).sum();
        let (hour, minute, second) = now.to_hms();
        let rate = per_second(requests, seconds);
        let title = format!(
            "{hour:02}:{minute:02}:{second:02} UTC  the last {seconds:.0} s: {requests} requests, \
             {rate}/s, {failures} failed"
        );
        let _ = writeln!(frame, "{}\n", paint.bold(title));
        draw_table(
            frame,
            paint,
            seconds,
            &self.routes,
            "route",
            &[
                ("4xx", |counts| counts.client_errors.to_string()),
                ("5xx", |counts| counts.failures.to_string()),
                ("cold", |counts| counts.cold_starts.to_string()),
            ],
        );
        draw_table(
            frame,
            paint,
            seconds,
            &self.dependencies,
            "calls of",
            &[
                ("failed", |counts| counts.failures.to_string()),
                ("retries", |counts| counts.retries.to_string()),
            ],
        );
        if !self.problems.is_empty() {
            let title = format!("{:<10} {:<28} {:>7}", "function", "problem", "count");
            let _ = writeln!(frame, "{}", paint.dim(title));
            for ((function, problem), count) in &self.problems {
                let _ = writeln!(frame, "{function:<10} {problem:<28} {count:>7}");
            }
            frame.push('\n');
        }
    }
}

/// A column of a table.
type Column = (&'static str, fn(&Counts) -> String);

/// Draws a table of rates and durations with more columns, if it has any row.
fn draw_table(
    frame: &mut String,
    paint: Paint,
    seconds: f64,
    table: &Table,
    name: &str,
    columns: &[Column],
) {
    if table.is_empty() {
        return;
    }
    let common = |function: &str, name: &str, rate: &str, p50: &str, p99: &str| {
        format!("{function:<10} {name:<28} {rate:>7} {p50:>8} {p99:>8}")
    };
    let more = |cells: &mut dyn Iterator<Item = String>| {
        cells.fold(String::new(), |row, cell| format!("{row} {cell:>7}"))
    };
    let title = common("function", name, "per s", "p50 ms", "p99 ms");
    let titles = more(&mut columns.iter().map(|(title, _)| (*title).to_owned()));
    let _ = writeln!(frame, "{}", paint.dim(format_args!("{title}{titles}")));
    for ((function, name), counts) in table {
        let rate = per_second(counts.durations_ms.len(), seconds);
        let [p50, p99] = [0.5, 0.99].map(|quantile| counts.quantile(quantile));
        let cells = more(&mut columns.iter().map(|(_, cell)| cell(counts)));
        let row = format!("{}{cells}", common(function, name, &rate, &p50, &p99));
        let row = if counts.failures > 0 {
            paint.red(row)
        } else {
            row
        };
        let _ = writeln!(frame, "{row}");
    }
    frame.push('\n');
}

impl Counts {
    /// A quantile of the durations, by the nearest rank; empty without any.
    fn quantile(&self, quantile: f64) -> String {
        let mut sorted = self.durations_ms.clone();
        sorted.sort_by(f64::total_cmp);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_precision_loss,
            clippy::cast_sign_loss,
            reason = "between 0 and the number of lines that are in memory"
        )]
        let rank = (sorted.len() as f64 * quantile).ceil() as usize;
        let value = sorted.get(rank.saturating_sub(1));
        value.map_or_else(String::new, |value| format!("{value:.1}"))
    }
}

fn per_second(count: usize, seconds: f64) -> String {
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    format!("{:.1}", f64::from(count) / seconds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line::tests::{CALL, FAILED, PLACED};

    const OPENS: &str = r#"{"timestamp":"2026-11-26T04:00:02.000000Z","level":"WARN","function":"mysqldata","message":"breaker opens","dependency":"catalogue","failures":5,"attempts":5}"#;
    const CLOSES: &str = r#"{"timestamp":"2026-11-26T04:00:04.000000Z","level":"INFO","function":"mysqldata","message":"breaker closes","dependency":"catalogue"}"#;

    fn frame(lines: &[&str], at: &str) -> String {
        let mut statistics = Statistics::new(std::time::Duration::from_secs(10));
        for line in lines {
            statistics.add(Line::parse(line).unwrap());
        }
        let format = &time::format_description::well_known::Rfc3339;
        let now = OffsetDateTime::parse(at, format).unwrap();
        statistics.frame(now, Paint { is_on: false })
    }

    #[test]
    fn frame_has_rates_latencies_problems_and_breakers() {
        let frame = frame(
            &[PLACED, PLACED, CALL, FAILED, OPENS],
            "2026-11-26T04:00:05Z",
        );
        assert_eq!(
            frame,
            "04:00:05 UTC  the last 10 s: 3 requests, 0.3/s, 1 failed

function   route                          per s   p50 ms   p99 ms     4xx     5xx    cold
mysqldata  POST /mysqldata                  0.2     50.0     50.0       0       0       2
nosqldata  GET /nosqldata/{id}              0.1      2.5      2.5       0       1       0

function   calls of                       per s   p50 ms   p99 ms  failed retries
mysqldata  catalogue                        0.1     20.0     20.0       0       2

function   problem                        count
nosqldata  service-unavailable                1

mysqldata: the breaker of catalogue opened 3 s ago
04:00:02.000  WARN  mysqldata breaker opens  attempts=5 dependency=catalogue failures=5
"
        );
    }

    #[test]
    fn old_requests_are_forgotten_but_no_breaker() {
        let later = "2026-11-26T04:01:00Z";
        let open = frame(&[PLACED, OPENS], later);
        assert!(open.contains("0 requests, 0.0/s"), "{open}");
        assert!(open.contains("the breaker of catalogue"), "{open}");
        let closed = frame(&[OPENS, CLOSES], later);
        assert!(closed.contains("every breaker is closed"), "{closed}");
    }

    #[test]
    fn breaker_ends_with_its_process() {
        let cold = |second: u8, duration_ms: u16| {
            format!(
                r#"{{"timestamp":"2026-11-26T04:00:0{second}Z","level":"INFO","function":"mysqldata","message":"request","cold_start":true,"duration_ms":{duration_ms}}}"#
            )
        };
        let at = "2026-11-26T04:00:05Z";
        let restarted = frame(&[OPENS, &cold(3, 10)], at);
        assert!(restarted.contains("every breaker is closed"), "{restarted}");
        let opened_by_it = frame(&[OPENS, &cold(3, 1_500)], at);
        assert!(opened_by_it.contains("the breaker of"), "{opened_by_it}");
        let of_another = frame(&[OPENS, &cold(3, 10).replace("mysqldata", "hello")], at);
        assert!(of_another.contains("the breaker of"), "{of_another}");
    }
}
