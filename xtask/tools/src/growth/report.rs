// region: mysqldata nosqldata
//! The results as Markdown, as JSON and as a plot.

use std::{
    fmt::{self, Write},
    path::Path,
};

use anyhow::Result;
use template::generated;

use super::results::{Figure, Results};

/// The plot, beside the page.
const PLOT: &str = "growth.svg";

/// The width and the height of the plot, and its margin.
const SIZE: (f64, f64) = (760.0, 460.0);
const MARGIN: f64 = 60.0;

/// The range of the plot: 0.1 ms to 1 s.
const DECADES: (f64, f64) = (2.0, 6.0);

/// Writes the results to the output folder, and into the page if asked to.
pub fn write(results: &Results, output: &Path, into_page: bool) -> Result<()> {
    let json = serde_json::to_string_pretty(results)?;
    std::fs::write(output.join("growth.json"), json)?;
    let (sizes, instances) = (of_sizes(results)?, of_instances(results)?);
    let plot = plot(results)?;
    if into_page {
        let docs = template::project().join("docs");
        // `cargo xtask remove` removes it with one of these services.
        let plot = format!("<!-- region: mysqldata nosqldata -->\n{plot}<!-- endregion -->\n");
        std::fs::write(docs.join(PLOT), plot)?;
        let mark = "made by `cargo xtask bench growth --write`";
        let page = docs.join("growth.md");
        generated::replace(&page, &format!("{mark}: sizes"), &sizes)?;
        generated::replace(&page, &format!("{mark}: instances"), &instances)?;
    } else {
        std::fs::write(output.join(PLOT), plot)?;
        println!("{sizes}\n{instances}");
    }
    Ok(())
}

/// The figures of each kind of request, in the order of the sizes.
fn by_request(results: &Results) -> impl Iterator<Item = &[Figure]> {
    results.figures.chunk_by(|a, b| a.request == b.request)
}

#[expect(clippy::cast_precision_loss, reason = "a ratio of a few digits")]
fn ratio(a: u128, b: u128) -> f64 {
    a as f64 / b.max(1) as f64
}

/// The table of the requests at each size.
fn of_sizes(results: &Results) -> Result<String, fmt::Error> {
    let mut text = String::new();
    write!(text, "| request |")?;
    for (orders, products) in results.orders.iter().zip(&results.products) {
        write!(text, " {orders} orders, {products} products: time | CPU |")?;
    }
    writeln!(text, " time × | CPU × |")?;
    writeln!(
        text,
        "|---|{}--:|--:|",
        "--:|--:|".repeat(results.orders.len())
    )?;
    for figures in by_request(results) {
        let (first, last) = (&figures[0], &figures[figures.len() - 1]);
        write!(text, "| {} |", first.request)?;
        for figure in figures {
            write!(
                text,
                " {:.2} ms | {:.2} ms |",
                ratio(figure.median_us, 1000),
                ratio(figure.processor_us, 1000)
            )?;
        }
        writeln!(
            text,
            " {:.2} | {:.2} |",
            ratio(last.median_us, first.median_us),
            ratio(last.processor_us, first.processor_us)
        )?;
    }
    let backfill: Vec<_> = results
        .backfill_ms
        .iter()
        .map(|ms| format!("{ms} ms"))
        .collect();
    writeln!(
        text,
        "\nAdding all orders to the sums, as a migration does: {}.",
        backfill.join(", ")
    )?;
    Ok(text)
}

/// The table of concurrent orders.
fn of_instances(results: &Results) -> Result<String, fmt::Error> {
    let mut text = String::new();
    writeln!(
        text,
        "| instances | time | CPU | CPU × | waits for locks | longest |\n\
         |--:|--:|--:|--:|--:|--:|"
    )?;
    let one = results.concurrency[0].processor_us;
    for figures in &results.concurrency {
        writeln!(
            text,
            "| {} | {:.2} ms | {:.2} ms | {:.2} | {} | {} ms |",
            figures.instances,
            ratio(figures.median_us, 1000),
            ratio(figures.processor_us, 1000),
            ratio(figures.processor_us, one),
            figures.lock_waits,
            figures.longest_lock_wait_ms,
        )?;
    }
    Ok(text)
}

/// The plot: both axes are logarithmic, so that what grows in proportion is diagonal.
fn plot(results: &Results) -> Result<String, fmt::Error> {
    let sizes = &results.orders;
    let logarithm = |value: f64| value.max(1.0).log10();
    let [first, last] = [sizes[0], sizes[sizes.len() - 1]].map(|size| logarithm(f64::from(size)));
    let (width, height) = (SIZE.0 - 4.0 * MARGIN, SIZE.1 - 2.0 * MARGIN);
    let x = |orders: u32| {
        MARGIN + width * (logarithm(f64::from(orders)) - first) / (last - first).max(0.1)
    };
    let y_of =
        |decade: f64| MARGIN + height * (1.0 - (decade - DECADES.0) / (DECADES.1 - DECADES.0));
    let y = |us: u128| y_of(logarithm(ratio(us, 1)));
    let mut svg = String::new();
    writeln!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" font-family=\"sans-serif\" font-size=\"11\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>",
        SIZE.0, SIZE.1
    )?;
    for (decade, label) in (2_u8..).zip(["0.1 ms", "1 ms", "10 ms", "100 ms", "1 s"]) {
        let at = y_of(f64::from(decade));
        let end = MARGIN + width;
        writeln!(
            svg,
            "<path d=\"M{MARGIN} {at:.0}H{end:.0}\" stroke=\"#ccc\"/><text x=\"8\" y=\"{:.0}\">{label}</text>",
            at + 4.0
        )?;
    }
    for size in sizes {
        writeln!(
            svg,
            "<text x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"middle\">{size} orders</text>",
            x(*size),
            SIZE.1 - MARGIN / 2.0
        )?;
    }
    let mut labels = Vec::new();
    let kinds = by_request(results).count();
    for (n, figures) in by_request(results).enumerate() {
        let color = format!("hsl({} 70% 40%)", n * 360 / kinds);
        let points = figures
            .iter()
            .map(|it| format!("{:.1},{:.1}", x(it.orders), y(it.median_us)));
        let points: Vec<_> = points.collect();
        writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"1.5\"/>",
            points.join(" ")
        )?;
        let last = &figures[figures.len() - 1];
        labels.push((y(last.median_us), &last.request, color));
    }
    // Labels that would overlap move down.
    labels.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut free = 0.0_f64;
    for (end, request, color) in labels {
        let at = end.max(free);
        free = at + 12.0;
        writeln!(
            svg,
            "<text x=\"{:.0}\" y=\"{:.0}\" fill=\"{color}\">{request}</text>",
            MARGIN + width + 8.0,
            at + 4.0
        )?;
    }
    writeln!(svg, "</svg>")?;
    Ok(svg)
}
// endregion
