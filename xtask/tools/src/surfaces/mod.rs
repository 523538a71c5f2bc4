//! The suite of the surfaces: the same cases through every way of using the
//! bundle, and one table of what came of them.
//!
//! `cargo xtask surfaces` starts what it needs and runs the program `surfaces`.

mod api;
mod case;
mod emulator;
mod suite;
mod table;
mod template;

use std::{path::PathBuf, time::Instant};

use anyhow::{Result, bail};
use clap::Parser;

pub use api::{Answer, Api, Failure, Outcome};
pub use case::{Case, Difference, Kind, Verdict};
pub use emulator::{Emulated, Emulator};
pub use table::Column;

use crate::System;

/// Runs the same cases against every surface that is named, and prints one
/// table. Ends with an error if a case fails on any of them.
#[derive(Parser)]
pub struct Arguments {
    /// Replay events in this process
    #[arg(long)]
    replay: bool,

    /// Where `cargo lambda watch` serves
    #[arg(long, value_name = "URL")]
    watch: Option<String>,

    /// Run what `sam build` built into this folder under the emulator
    #[arg(long, value_name = "DIR", requires = "emulator_program")]
    emulator: Option<PathBuf>,

    /// The Lambda Runtime Interface Emulator
    #[arg(long, value_name = "FILE")]
    emulator_program: Option<PathBuf>,

    /// Where `sam local start-api` serves
    #[arg(long, value_name = "URL")]
    start_api: Option<String>,

    /// Where a deployment answers
    #[arg(long, value_name = "URL")]
    url: Option<String>,

    /// Only the cases whose name contains this
    #[arg(long, value_name = "NAME")]
    only: Option<String>,

    /// The folder that the functions' logs go to
    #[arg(long, value_name = "DIR", default_value = ".")]
    logs: PathBuf,

    /// Write the table to this file
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
}

/// Runs the suite; whether all held.
///
/// # Errors
/// A surface cannot be started, or there is nothing to run.
pub async fn run(arguments: &Arguments) -> Result<bool> {
    let chosen = |case: &Case| (arguments.only.as_ref()).is_none_or(|it| case.name.contains(it));
    let cases: Vec<_> = suite::all().into_iter().filter(chosen).collect();
    if cases.is_empty() {
        bail!("no case has a name with this in it");
    }
    let mut columns = Vec::new();
    if arguments.replay {
        let system = System::start().await;
        let api = Api::new(Kind::Replay, &system.gateway.url(), None);
        columns.push(judge(&cases, &api).await);
        system.stop().await;
    }
    if let Some(url) = &arguments.watch {
        columns.push(judge(&cases, &Api::new(Kind::Watch, url, None)).await);
    }
    if let (Some(build), Some(program)) = (&arguments.emulator, &arguments.emulator_program) {
        let emulator = Emulator::start(program, build, &arguments.logs).await?;
        let url = emulator.url();
        let api = Api::new(Kind::Emulator, &url, Some(emulator));
        columns.push(judge(&cases, &api).await);
    }
    if let Some(url) = &arguments.start_api {
        columns.push(judge(&cases, &Api::new(Kind::StartApi, url, None)).await);
    }
    if let Some(url) = &arguments.url {
        columns.push(judge(&cases, &Api::new(Kind::Deployed, url, None)).await);
    }
    if columns.is_empty() {
        bail!("no surface is named");
    }
    println!("{}", table::text(&cases, &columns));
    if let Some(file) = &arguments.write {
        table::write(file, &cases, &columns)?;
    }
    Ok(columns.iter().all(Column::held))
}

/// What becomes of each case on one surface.
async fn judge(cases: &[Case], api: &Api) -> Column {
    let started = Instant::now();
    eprintln!("surfaces: asking {}", api.kind().name());
    let mut verdicts = Vec::new();
    for case in cases {
        let verdict = case.judge(api).await;
        table::progress(api.kind(), case, &verdict);
        verdicts.push(verdict);
    }
    api.clean_up().await;
    Column {
        kind: api.kind(),
        verdicts,
        lasted: started.elapsed(),
    }
}
