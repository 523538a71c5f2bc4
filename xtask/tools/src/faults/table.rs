// region: mysqldata nosqldata
//! The report, as Markdown.

use std::fmt::{self, Display, Formatter, Write};

use programs::proc;

use super::{load::Row, scenarios::Finding, system::CLIENTS};

/// When, where and how the suite ran.
pub fn run(seconds: u64) -> String {
    format!(
        "Measured with `cargo xtask faults --seconds {seconds} --write` on {}, {}, functions built for development.\n\n\
         The binaries of the functions, under the Lambda Runtime API of `cargo lambda watch` and on real stores, with a\n\
         proxy on every connection. {CLIENTS} clients place and read orders, create and read products, and change shared products\n\
         and orders, for {seconds} s while one part is broken; then it is repaired, and the stores are compared with the\n\
         acknowledged writes.\n",
        dto::Timestamp::now().utc().date(),
        proc::machine(),
    )
}

/// The tables of the cases and of the scenarios.
pub fn render(rows: &[Row], findings: &[Finding]) -> Result<String, fmt::Error> {
    let mut text = String::new();
    writeln!(
        text,
        "| part | fault | requests | responses by status | slowest | outbound | recovery | snapshots | orders refused | lost | twice | wrong |\n\
         |---|---|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|"
    )?;
    for row in rows {
        writeln!(text, "{row}")?;
    }
    let sum = |count: fn(&Row) -> usize| rows.iter().map(count).sum::<usize>();
    writeln!(
        text,
        "\nHistories: {} operations on {} products and orders, {} writes of unknown outcome, {} violations.",
        sum(|row| row.histories.operations),
        sum(|row| row.histories.objects),
        sum(|row| row.histories.unknown),
        sum(|row| row.histories.violations.len()),
    )?;
    if !findings.is_empty() {
        writeln!(text, "\n| scenario | measured | holds |\n|---|---|---|")?;
    }
    for finding in findings {
        writeln!(text, "{finding}")?;
    }
    Ok(text)
}

/// As a row of the table.
impl Display for Row {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (part, fault) = self.case.parts();
        let note = match self.note.as_str() {
            "" => String::new(),
            note => format!(" ({note})"),
        };
        write!(
            f,
            "| {part} | {fault}{note} | {} | {} | {:.2} s | {} | {} | {} | {} | {} | {} | {} |",
            self.tally.requests(),
            self.tally.by_status(),
            self.tally.slowest.as_secs_f64(),
            self.calls
                .map_or_else(|| "–".to_owned(), |calls| calls.to_string()),
            self.recovery.map_or_else(
                || "**never**".to_owned(),
                |time| format!("{:.1} s", time.as_secs_f64())
            ),
            self.tally.snapshots,
            self.tally.refused_orders,
            self.lost,
            self.twice,
            self.wrong(),
        )
    }
}

/// As a row of the table.
impl Display for Finding {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { name, measured, .. } = self;
        let holds = if self.holds { "yes" } else { "**no**" };
        write!(f, "| {name} | {measured} | {holds} |")
    }
}
// endregion
