// region: mysqldata nosqldata
//! The fault suite: injects every fault into the functions under load.
//!
//! `cargo xtask faults` builds what it needs and runs `tools faults`.

mod case;
mod ledger;
mod load;
mod scenarios;
mod system;
mod table;

use std::{path::PathBuf, time::Duration};

use anyhow::{Result, ensure};

use crate::page;
pub use case::Case;
pub use system::System;

/// Inject every fault under load, and measure the effect
#[derive(clap::Args)]
pub struct Arguments {
    /// The duration of each fault, in seconds
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..))]
    pub seconds: u64,

    /// Only the faults and scenarios whose name contains this
    #[arg(long, value_name = "NAME")]
    pub only: Option<String>,

    /// Write the tables to docs/faults.md
    #[arg(long)]
    pub write: bool,

    /// The program cargo-lambda
    #[arg(long, value_name = "FILE")]
    pub cargo_lambda: PathBuf,
}

/// Runs the suite; returns whether every invariant held.
///
/// # Errors
/// There is no such case, the system cannot be started, or a fault cannot be injected.
pub async fn run(arguments: &Arguments) -> Result<bool> {
    let chosen = |name: &str| (arguments.only.as_ref()).is_none_or(|only| name.contains(only));
    let mut names: Vec<_> = Case::all().into_iter().map(Case::name).collect();
    names.extend(scenarios::ALL.iter().map(|it| it.name.to_owned()));
    ensure!(
        names.iter().any(|name| chosen(name)),
        "no fault and no scenario has such a name; these are:\n{}",
        names.join("\n")
    );
    let duration = Duration::from_secs(arguments.seconds);
    let mut system = System::start(&arguments.cargo_lambda).await?;

    let mut rows = Vec::new();
    for case in Case::all().into_iter().filter(|case| chosen(&case.name())) {
        let row = load::run(&mut system, case, duration).await?;
        eprintln!("{}", row.line());
        rows.push(row);
    }
    let mut findings = Vec::new();
    for scenario in scenarios::ALL {
        if chosen(scenario.name) {
            eprintln!("{} …", scenario.name);
            let finding = scenario.run(&mut system).await?;
            eprintln!("{}", finding.line());
            findings.push(finding);
        }
    }

    let (run, tables) = (
        table::run(arguments.seconds),
        table::render(&rows, &findings),
    );
    if arguments.write {
        let mark = "made by `cargo xtask faults --write`";
        page::replace("faults.md", &format!("{mark}: the run"), &run)?;
        page::replace("faults.md", &format!("{mark}: the tables"), &tables)?;
    } else {
        println!("{run}\n{tables}");
    }
    let holds =
        rows.iter().all(|row| row.violations().is_empty()) && findings.iter().all(|it| it.holds);
    system.stop().await;
    Ok(holds)
}
// endregion
