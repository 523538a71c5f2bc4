//! The fault suite: the deployed binaries under load, and every part that they
//! depend on broken in turn.
//!
//! `cargo xtask faults` builds what it needs and runs the program `faults`.

mod case;
mod histories;
mod ledger;

mod load;
mod scenarios;
mod table;
mod world;

use std::{path::PathBuf, time::Duration};

use anyhow::Result;

pub use case::Case;
pub use world::World;

/// Inject every fault under load, and measure the effect
#[derive(clap::Args)]
pub struct Arguments {
    /// How long each fault lasts, in seconds
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,

    /// Only the faults and scenarios whose name contains this
    #[arg(long, value_name = "NAME")]
    only: Option<String>,

    /// Write the tables to this file
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,

    /// The folder of the functions' binaries
    #[arg(long, value_name = "DIR")]
    functions: PathBuf,

    /// The folder that the functions' logs go to
    #[arg(long, value_name = "DIR")]
    logs: PathBuf,

    /// The program cargo-lambda
    #[arg(long, value_name = "FILE")]
    cargo_lambda: PathBuf,

    /// The MariaDB server
    #[arg(long, value_name = "FILE")]
    mariadbd: PathBuf,
}

/// Runs the suite; whether all held.
///
/// # Errors
/// The system cannot be started, or one of its parts not be broken.
pub async fn run(arguments: &Arguments) -> Result<bool> {
    let chosen = |name: &str| (arguments.only.as_ref()).is_none_or(|only| name.contains(only));
    let lasts = Duration::from_secs(arguments.seconds);
    let mut world = World::start(arguments).await?;

    let mut rows = Vec::new();
    for case in Case::all().into_iter().filter(|case| chosen(&case.name())) {
        let row = load::run(&mut world, &case, lasts).await?;
        eprintln!("{}", row.line());
        rows.push(row);
    }
    let mut findings = Vec::new();
    for scenario in scenarios::ALL {
        if chosen(scenario.name) {
            eprintln!("{} …", scenario.name);
            let finding = scenario.run(&mut world).await?;
            eprintln!("{}", finding.line());
            findings.push(finding);
        }
    }

    let tables = table::render(&rows, &findings, arguments.seconds);
    match &arguments.write {
        Some(file) => std::fs::write(file, tables)?,
        None => println!("{tables}"),
    }
    let held = rows.iter().all(|row| row.faults().is_empty()) && findings.iter().all(|it| it.held);
    world.stop().await;
    Ok(held)
}
