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
use template::generated;

pub use case::Case;
use scenarios::Finding;
pub use system::System;

/// Inject every fault under load, and measure the effect
#[derive(clap::Args)]
pub struct Arguments {
    /// The duration of each fault, in seconds
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,

    /// Only the faults and scenarios whose name contains this
    #[arg(long, value_name = "NAME")]
    only: Option<String>,

    /// Write the tables to docs/faults.md
    #[arg(long)]
    write: bool,

    /// The program cargo-lambda
    #[arg(long, value_name = "FILE")]
    cargo_lambda: PathBuf,
}

/// Runs the suite.
///
/// # Errors
/// There is no such case, the system cannot be started, a fault cannot be injected, or an
/// invariant does not hold.
pub async fn run(arguments: &Arguments) -> Result<()> {
    let chosen = |name: &str| (arguments.only.as_ref()).is_none_or(|only| name.contains(only));
    let mut names: Vec<_> = Case::all().into_iter().map(Case::name).collect();
    names.extend(scenarios::ALL.map(|(name, _)| name.to_owned()));
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
        eprintln!("{row}");
        ledger::print(&row.violations());
        rows.push(row);
    }
    let mut findings = Vec::new();
    for (name, scenario) in scenarios::ALL {
        if chosen(name) {
            eprintln!("{name} …");
            let (measured, holds) = scenario.run(&mut system).await?;
            let finding = Finding {
                name,
                measured,
                holds,
            };
            eprintln!("{finding}");
            findings.push(finding);
        }
    }
    system.stop().await;

    let run = table::run(arguments.seconds);
    let tables = table::render(&rows, &findings)?;
    if arguments.write {
        let page = template::project().join("docs/faults.md");
        let mark = "made by `cargo xtask faults --write`";
        generated::replace(&page, &format!("{mark}: the run"), &run)?;
        generated::replace(&page, &format!("{mark}: the tables"), &tables)?;
    } else {
        println!("{run}\n{tables}");
    }
    ensure!(
        rows.iter().all(|row| row.violations().is_empty()) && findings.iter().all(|it| it.holds),
        "an invariant does not hold"
    );
    Ok(())
}
// endregion
