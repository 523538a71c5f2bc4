// region: mysqldata nosqldata
//! The report, as Markdown.

use std::{fmt::Write, process::Command};

use super::{load::Row, scenarios::Finding, system::CLIENTS};

/// When, where and how the suite ran.
pub fn run(seconds: u64) -> String {
    format!(
        "Measured with `cargo xtask faults --seconds {seconds} --write` on {}, {}.\n\n\
         The binaries of the functions, under the Lambda Runtime API of `cargo lambda watch` and on real stores, with a\n\
         proxy on every connection. {CLIENTS} clients place and read orders, create and read products, and change shared products\n\
         and orders, for {seconds} s while one part is broken; then it is repaired, and the stores are compared with the\n\
         acknowledged writes.\n",
        date(),
        machine(),
    )
}

/// The tables of the cases and of the scenarios.
pub fn render(rows: &[Row], findings: &[Finding]) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write_all(&mut text, rows, findings);
    text
}

fn write_all(text: &mut String, rows: &[Row], findings: &[Finding]) -> std::fmt::Result {
    writeln!(
        text,
        "| part | fault | requests | responses by status | slowest | outbound | recovery | snapshots | orders refused | lost | twice | wrong |\n\
         |---|---|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|"
    )?;
    for row in rows {
        let (part, fault) = row.case.parts();
        let note = match row.note.as_str() {
            "" => String::new(),
            note => format!(" ({note})"),
        };
        writeln!(
            text,
            "| {part} | {fault}{note} | {} | {} | {:.2} s | {} | {} | {} | {} | {} | {} | {} |",
            row.tally.requests(),
            row.tally.by_status(),
            row.tally.slowest.as_secs_f64(),
            row.calls
                .map_or_else(|| "–".to_owned(), |calls| calls.to_string()),
            row.recovery.map_or_else(
                || "**never**".to_owned(),
                |time| format!("{:.1} s", time.as_secs_f64())
            ),
            row.tally.snapshots,
            row.tally.refused_orders,
            row.lost,
            row.twice,
            row.wrong(),
        )?;
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
        let holds = if finding.holds { "yes" } else { "**no**" };
        writeln!(
            text,
            "| {} | {} | {holds} |",
            finding.name, finding.measured
        )?;
    }
    Ok(())
}

fn date() -> String {
    let now = dto::Timestamp::now().utc();
    now.date().to_string()
}

/// A description of the machine.
fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let memory = std::fs::read_to_string("/proc/meminfo")
        .ok()
        .and_then(|text| {
            let kilobytes: u64 = text.split_whitespace().nth(1)?.parse().ok()?;
            Some(format!(
                ", {} GB of memory",
                kilobytes.div_ceil(1024 * 1024)
            ))
        });
    let system = Command::new("uname").args(["-sm"]).output();
    let system = system.map(|it| String::from_utf8_lossy(&it.stdout).trim().to_owned());
    format!(
        "{} with {cores} cores{}, functions built for development",
        system.unwrap_or_else(|_| "a machine".to_owned()),
        memory.unwrap_or_default()
    )
}
// endregion
