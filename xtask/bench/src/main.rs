//! Measures functions side by side: the functions of this project, the least that a
//! function can be, and the same functions written with other libraries.
//!
//! `cargo xtask bench` builds them, starts the stores, and runs this program with a
//! plan: the functions with their environments.

mod cost;
mod cpu;
mod gate;
mod measure;
mod plan;
mod report;
mod results;
mod runtime_api;
mod tls;

use std::{fs, path::PathBuf};

use anyhow::{Context, Result};
use clap::Parser;
use programs::proc;
use template::generated;

use crate::{cpu::SERVER_CORE, measure::Measurement, plan::Plan, results::Results};

/// Measures the functions of a plan, and writes a report.
#[derive(Parser)]
struct Arguments {
    /// The plan, as JSON
    #[arg(long)]
    plan: PathBuf,

    /// The number of cold starts of each function
    #[arg(long, default_value_t = 20)]
    runs: usize,

    /// The limits of what each costs: compares with them instead of measuring times
    #[arg(long)]
    limits: Option<PathBuf>,

    /// Write the limits
    #[arg(long, requires = "limits")]
    renew: bool,

    /// The folder of the logs, of the results as JSON and of the plot
    #[arg(long)]
    output: PathBuf,

    /// The page to write: the tables as Markdown
    #[arg(long)]
    page: Option<PathBuf>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let plan = fs::read_to_string(&arguments.plan).context("the plan")?;
    let plan: Plan = serde_json::from_str(&plan).context("the plan")?;
    fs::create_dir_all(&arguments.output)?;
    cpu::pin(SERVER_CORE)?;
    for proxy in &plan.tls {
        tls::start(proxy)?;
    }
    if let Some(limits) = &arguments.limits {
        return gate::run(&plan.functions, limits, arguments.renew, &arguments.output);
    }
    let load_before = proc::load_average()?;
    let measured = measure::all(&plan.functions, arguments.runs, &arguments.output)?;
    let results = Results {
        machine: proc::machine(),
        load: [load_before, proc::load_average()?],
        versions: plan.versions,
        runs: arguments.runs,
        functions: measured.iter().map(Measurement::figures).collect(),
    };
    let json = serde_json::to_string_pretty(&results)?;
    fs::write(arguments.output.join("results.json"), json)?;
    let plot = report::plot(&results)?;
    fs::write(arguments.output.join("cold-starts.svg"), &plot)?;
    let text = report::markdown(&results)?;
    println!("{text}");
    if let Some(page) = &arguments.page {
        let diagram = page.with_file_name("cold-starts.svg");
        // `cargo xtask remove` removes it with one of these services.
        let plot = format!("<!-- region: mysqldata nosqldata -->\n{plot}<!-- endregion -->\n");
        fs::write(diagram, plot)?;
        generated::replace(page, "written by cargo xtask bench", &format!("\n{text}\n"))?;
    }
    Ok(())
}
