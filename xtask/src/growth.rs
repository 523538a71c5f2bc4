// region: mysqldata nosqldata
//! `cargo xtask bench growth`.

use std::{collections::BTreeSet, process::ExitCode};

use anyhow::Result;

use crate::{
    process::{self, step},
    project::Project,
    tools,
};

/// Measure the time of a request against the size of the data
///
/// Fills stores with 10², 10⁴ and 10⁶ orders and up to 10⁵ products, and measures lists,
/// reads, summaries and orders of 1, 10 and 100 lines in turns, and orders on up to 64
/// instances. Prints tables with ratios, and writes them as JSON with a plot to
/// .kea/growth. Linux only.
#[derive(clap::Args)]
pub struct Arguments {
    /// The numbers of orders
    #[arg(
        long,
        value_name = "N",
        value_delimiter = ',',
        default_value = "100,10000,1000000",
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    sizes: Vec<u32>,

    /// The calls of each kind
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    calls: u32,

    /// Write the tables to docs/growth.md
    #[arg(long, conflicts_with_all = ["sizes", "calls"])]
    write: bool,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let project = Project::read()?;
    tools::mariadbd()?;
    step("Building");
    project.build(["tools"])?;
    project.cargo_build(["--release", "--package=mysqldata", "--package=nosqldata"])?;

    step("Measuring; the results are in .kea/growth");
    // The first is the smallest, and none is there twice.
    let sizes: BTreeSet<_> = arguments.sizes.iter().collect();
    let sizes: Vec<_> = sizes.iter().map(ToString::to_string).collect();
    let mut growth = project.tools("growth");
    growth
        .args(["--sizes", &sizes.join(",")])
        .args(["--calls", &arguments.calls.to_string()])
        .args(arguments.write.then_some("--write"));
    process::run(growth)
}
// endregion
