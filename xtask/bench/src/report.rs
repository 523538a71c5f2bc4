//! The report: tables, ratios and a plot.

use std::fmt::{self, Write};

use crate::{
    cost,
    results::{Figures, Results},
};

/// The names of the functions that others are compared with.
const LIMIT: &str = "the limit: C, raw socket";
const LAMBDA_HTTP: &str = "bare lambda_http";
const AXUM: &str = "bare axum on lambda_http";
const HELLO: &str = "Kea hello";
const NOSQLDATA: &str = "Kea nosqldata";
const MYSQLDATA: &str = "Kea mysqldata";

/// A figure of the function with this name.
type Measured = (&'static str, fn(&Figures) -> f64);

/// A ratio that the project holds itself to.
struct Target {
    what: &'static str,
    over: Measured,
    under: Option<Measured>,
    bound: Bound,
}

enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

fn cold(figures: &Figures) -> f64 {
    figures.cold.p50
}

fn warm(figures: &Figures) -> f64 {
    figures.warm.p50
}

fn cpu(figures: &Figures) -> f64 {
    figures.cpu_per_call_us
}

fn zip_mb(figures: &Figures) -> f64 {
    megabytes(figures.zip)
}

fn memory_mb(figures: &Figures) -> f64 {
    megabytes(figures.peak_memory)
}

#[rustfmt::skip]
const TARGETS: &[Target] = &[
    Target { what: "`hello`, cold, over the limit", over: (HELLO, cold), under: Some((LIMIT, cold)), bound: Bound::AtMost(2.5) },
    Target { what: "FastAPI + Mangum, cold, over `hello`", over: ("FastAPI + Mangum", cold), under: Some((HELLO, cold)), bound: Bound::AtLeast(285.0) },
    Target { what: "Flask + apig-wsgi, cold, over `hello`", over: ("Flask + apig-wsgi", cold), under: Some((HELLO, cold)), bound: Bound::AtLeast(140.0) },
    Target { what: "`hello`, warm p50, over bare `lambda_http`", over: (HELLO, warm), under: Some((LAMBDA_HTTP, warm)), bound: Bound::AtMost(1.25) },
    Target { what: "`hello`, CPU per call, over bare axum", over: (HELLO, cpu), under: Some((AXUM, cpu)), bound: Bound::AtMost(1.4) },
    Target { what: "`hello`, CPU per call, over the same without telemetry", over: (HELLO, cpu), under: Some(("Kea hello, no telemetry", cpu)), bound: Bound::AtMost(1.1) },
    Target { what: "`hello`, archive, MB", over: (HELLO, zip_mb), under: None, bound: Bound::AtMost(1.2) },
    Target { what: "`hello`, peak memory, MB", over: (HELLO, memory_mb), under: None, bound: Bound::AtMost(3.0) },
    Target { what: "Rust SDK with all defaults, cold, over `nosqldata`", over: ("DynamoDB SDK, all defaults", cold), under: Some((NOSQLDATA, cold)), bound: Bound::AtLeast(10.0) },
    Target { what: "Powertools + boto3, cold, over `nosqldata`", over: ("Powertools + boto3", cold), under: Some((NOSQLDATA, cold)), bound: Bound::AtLeast(45.0) },
    Target { what: "FastAPI + boto3, cold, over `nosqldata`", over: ("FastAPI + boto3", cold), under: Some((NOSQLDATA, cold)), bound: Bound::AtLeast(70.0) },
    Target { what: "`nosqldata`, CPU per call, over the commit before", over: (NOSQLDATA, cpu), under: Some(("Kea nosqldata, before", cpu)), bound: Bound::AtMost(0.6) },
    Target { what: "sqlx with all defaults, cold, over `mysqldata`", over: ("sqlx, all defaults", cold), under: Some((MYSQLDATA, cold)), bound: Bound::AtLeast(5.0) },
    Target { what: "`nosqldata`, archive, MB", over: (NOSQLDATA, zip_mb), under: None, bound: Bound::AtMost(2.5) },
    Target { what: "`mysqldata`, archive, MB", over: (MYSQLDATA, zip_mb), under: None, bound: Bound::AtMost(2.5) },
];

/// The report as Markdown.
pub fn markdown(results: &Results) -> Result<String, fmt::Error> {
    let mut text = String::new();
    let [before, after] = &results.load;
    writeln!(
        text,
        "{}. Load average {before} before the run and {after} after it. {} cold starts of each function, interleaved.\n",
        results.machine, results.runs
    )?;
    let versions = results.versions.iter();
    let versions: Vec<_> = versions
        .map(|(name, version)| format!("{name} {version}"))
        .collect();
    if !versions.is_empty() {
        writeln!(text, "{}.\n", versions.join(", "))?;
    }
    let mut groups: Vec<&str> = Vec::new();
    for function in &results.functions {
        if !groups.contains(&function.group.as_str()) {
            groups.push(&function.group);
        }
    }
    for group in groups {
        let members: Vec<_> = (results.functions.iter())
            .filter(|it| it.group == group)
            .collect();
        writeln!(text, "### {group}\n")?;
        writeln!(
            text,
            "| function | init ms | first call ms | cold start ms (min – max) | of it CPU | warm p50 µs | p99 | calls/s | CPU per call µs | peak MB | program MB | zip MB |"
        )?;
        writeln!(text, "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|")?;
        for it in &members {
            writeln!(
                text,
                "| {} | {:.2} | {:.2} | **{:.2}** ({:.2} – {:.2}) | {:.2} | {:.0} | {:.0} | {:.0} | {:.0} | {:.1} | {} | {} |",
                it.name,
                it.init.p50 / 1e3,
                it.first.p50 / 1e3,
                it.cold.p50 / 1e3,
                it.cold.min / 1e3,
                it.cold.max / 1e3,
                it.cold_cpu.p50 / 1e3,
                it.warm.p50,
                it.warm.p99,
                it.calls_per_second,
                it.cpu_per_call_us,
                memory_mb(it),
                size(it.size),
                size(it.zip),
            )?;
        }
        let kea = members
            .iter()
            .find(|it| it.name == HELLO || it.name == NOSQLDATA || it.name == MYSQLDATA);
        let limit = results.find(LIMIT);
        writeln!(
            text,
            "\n| function | cold start, over the limit | over Kea | warm p50, over Kea | CPU per call, over Kea |"
        )?;
        writeln!(text, "|---|--:|--:|--:|--:|")?;
        for it in &members {
            let ratio = |of: fn(&Figures) -> f64, to: Option<&Figures>| {
                to.map_or_else(String::new, |to| format!("{:.2} ×", of(it) / of(to)))
            };
            let kea = kea.copied();
            writeln!(
                text,
                "| {} | {} | {} | {} | {} |",
                it.name,
                ratio(cold, limit),
                ratio(cold, kea),
                ratio(warm, kea),
                ratio(cpu, kea)
            )?;
        }
        writeln!(text)?;
    }
    write_targets(&mut text, results)?;
    writeln!(text)?;
    cost::write(&mut text, results)?;
    Ok(text)
}

/// The targets, each with what was measured.
fn write_targets(text: &mut String, results: &Results) -> fmt::Result {
    writeln!(text, "### Targets\n")?;
    writeln!(text, "| what | target | measured | |")?;
    writeln!(text, "|---|--:|--:|---|")?;
    for Target {
        what,
        over: (over, value),
        under,
        bound,
    } in TARGETS
    {
        let Some(over) = results.find(over) else {
            continue;
        };
        let mut measured = value(over);
        if let Some((under, value)) = under {
            let Some(under) = results.find(under) else {
                continue;
            };
            measured /= value(under);
        }
        let (sign, bound, is_met) = match bound {
            Bound::AtMost(bound) => ("≤", bound, measured <= *bound),
            Bound::AtLeast(bound) => ("≥", bound, measured >= *bound),
        };
        let verdict = if is_met { "met" } else { "**not met**" };
        writeln!(
            text,
            "| {what} | {sign} {bound} | {measured:.2} | {verdict} |"
        )?;
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "sizes are far below 2^53")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// A size in MB; Python has no program of its own.
fn size(bytes: u64) -> String {
    match bytes {
        0 => "–".to_owned(),
        bytes => format!("{:.2}", megabytes(bytes)),
    }
}

/// The cold starts as a bar chart with a logarithmic axis (SVG).
pub fn plot(results: &Results) -> Result<String, fmt::Error> {
    const LEFT: f64 = 220.0;
    const WIDTH: f64 = 640.0;
    const ROW: f64 = 22.0;
    // From 100 µs to 1 s: four decades.
    let x = |us: f64| LEFT + WIDTH * (us.max(100.0).log10() - 2.0) / 4.0;
    let count = u32::try_from(results.functions.len()).unwrap_or_default();
    let height = ROW * f64::from(count) + 40.0;
    let mut svg = String::new();
    writeln!(
        svg,
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 960 {height}" font-family="DejaVu Sans, sans-serif" font-size="11">"#
    )?;
    writeln!(
        svg,
        "<title>Cold starts: from the start of the process to its first response, median, logarithmic</title>"
    )?;
    writeln!(svg, r#"<rect width="960" height="{height}" fill="white"/>"#)?;
    for (us, label) in [
        (1e2, "0.1 ms"),
        (1e3, "1 ms"),
        (1e4, "10 ms"),
        (1e5, "100 ms"),
        (1e6, "1 s"),
    ] {
        let at = x(us);
        let bottom = height - 24.0;
        writeln!(
            svg,
            r##"<line x1="{at:.1}" y1="8" x2="{at:.1}" y2="{bottom}" stroke="#ccc"/>"##
        )?;
        writeln!(
            svg,
            r#"<text x="{at:.1}" y="{:.1}" text-anchor="middle">{label}</text>"#,
            height - 8.0
        )?;
    }
    for (row, it) in (0_u32..).zip(&results.functions) {
        let y = 12.0 + ROW * f64::from(row);
        let color = if it.name.starts_with("Kea") {
            "#2a7de1"
        } else {
            "#9aa5b1"
        };
        let end = x(it.cold.p50);
        writeln!(
            svg,
            r#"<text x="{:.1}" y="{:.1}" text-anchor="end">{}</text>"#,
            LEFT - 6.0,
            y + 12.0,
            it.name
        )?;
        writeln!(
            svg,
            r#"<rect x="{LEFT}" y="{y:.1}" width="{:.1}" height="16" fill="{color}"/>"#,
            end - LEFT
        )?;
        writeln!(
            svg,
            r#"<text x="{:.1}" y="{:.1}">{:.2} ms</text>"#,
            end + 4.0,
            y + 12.0,
            it.cold.p50 / 1e3
        )?;
    }
    writeln!(svg, "</svg>")?;
    Ok(svg)
}
