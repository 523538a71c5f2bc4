//! The black-box suite on every way of using the bundle, and one table of the
//! results.

mod emulator;
mod table;
mod timeouts;

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Instant,
};

use anyhow::{Result, ensure};
use libtest_mimic::Arguments as Options;
use suite::{Api, Case, Kind};
use template::generated;
use testbed::System;
use tokio::runtime::Runtime;

use emulator::Emulator;
use table::Column;

/// Run the black-box suite on every surface that is named, and print one table
#[derive(clap::Args)]
pub struct Arguments {
    /// Replay events in this process
    #[arg(long)]
    replay: bool,

    /// The URL that `cargo lambda watch` serves
    #[arg(long, value_name = "URL")]
    watch: Option<String>,

    /// Run what `sam build` built into this folder under the emulator
    #[arg(long, value_name = "DIR", requires = "emulator_program")]
    emulator: Option<PathBuf>,

    /// The Lambda Runtime Interface Emulator
    #[arg(long, value_name = "FILE")]
    emulator_program: Option<PathBuf>,

    /// The URL that `sam local start-api` serves
    #[arg(long, value_name = "URL")]
    start_api: Option<String>,

    /// The URL of a deployment
    #[arg(long, value_name = "URL")]
    url: Option<String>,

    /// Only the cases whose name contains this
    #[arg(long, value_name = "NAME")]
    only: Option<String>,

    /// Not these cases, by their names with their topics
    #[arg(long, value_name = "NAME")]
    skip: Vec<String>,

    /// Write the table to docs/surfaces.md too
    #[arg(long)]
    write: bool,
}

/// Runs it; fails if a case does.
pub fn run(arguments: &Arguments, runtime: &Runtime) -> Result<()> {
    let mut columns = Vec::new();
    let mut judge = |kind, url: &str, cases| {
        let api = Api::new(kind, url);
        columns.push(judge(&api, cases, arguments, runtime));
    };
    if arguments.replay {
        let system = runtime.block_on(System::start());
        judge(Kind::Replay, &system.gateway.url(), suite::cases());
    }
    if let Some(url) = &arguments.watch {
        judge(Kind::Watch, url, suite::cases());
    }
    if let (Some(build), Some(program)) = (&arguments.emulator, &arguments.emulator_program) {
        let emulator = Emulator::start(program, build);
        let emulator = Arc::new(runtime.block_on(emulator)?);
        let cases = [suite::cases(), timeouts::cases(&emulator)].concat();
        judge(Kind::Emulator, &emulator.url(), cases);
    }
    if let Some(url) = &arguments.start_api {
        judge(Kind::StartApi, url, suite::cases());
    }
    if let Some(url) = &arguments.url {
        judge(Kind::Deployed, url, suite::cases());
    }
    ensure!(
        columns.iter().any(|column| !column.verdicts.is_empty()),
        "there is no surface or no such case to run"
    );
    let table = table::markdown(&columns);
    println!("{table}");
    if arguments.write {
        let mark = "made by `cargo xtask surfaces --write`";
        let page = template::project().join("docs/surfaces.md");
        generated::replace(&page, mark, &table)?;
    }
    ensure!(columns.iter().all(|column| column.held), "a case failed");
    Ok(())
}

/// Runs the cases on one surface, one after the other.
fn judge(api: &Api, cases: Vec<Case>, arguments: &Arguments, runtime: &Runtime) -> Column {
    let started = Instant::now();
    let verdicts = Arc::new(Mutex::new(Vec::new()));
    let trials = cases.into_iter().map(|case| {
        let (api, verdicts, name) = (api.clone(), verdicts.clone(), case.name);
        let record =
            move |verdict: &_| verdicts.lock().unwrap().push((name, Clone::clone(verdict)));
        let kind = api.kind().name();
        suite::trial(case, runtime.handle().clone(), || api, record).with_kind(kind)
    });
    let options = Options {
        filter: arguments.only.clone(),
        skip: arguments.skip.clone(),
        test_threads: Some(1),
        ..Options::default()
    };
    let conclusion = libtest_mimic::run(&options, trials.collect());
    runtime.block_on(api.clean_up());
    let verdicts = std::mem::take(&mut *verdicts.lock().unwrap());
    Column {
        kind: api.kind(),
        held: !conclusion.has_failed(),
        verdicts,
        lasted: started.elapsed(),
    }
}
