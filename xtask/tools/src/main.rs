//! The commands that `cargo xtask` runs on the built system. It builds and starts
//! the programs that they need.

mod diagrams;
// region: mysqldata nosqldata
mod faults;
mod growth;
// endregion
mod folder;
mod hostile;
mod port;
mod program;
mod surfaces;

use std::{path::PathBuf, process::ExitCode};

use anyhow::Result;
use clap::Parser;
use testbed::System;
use tokio::runtime::Builder;

/// The commands. `cargo xtask` has each too, except `serve`, which its `conformance` runs.
#[derive(Parser)]
enum Command {
    Diagrams(diagrams::Arguments),
    // region: mysqldata nosqldata
    Faults(faults::Arguments),
    Growth(growth::Arguments),
    // endregion
    Hostile(hostile::Arguments),
    Replay(Replay),
    Serve(Serve),
    Surfaces(surfaces::Arguments),
}

/// Replay events and print the responses
#[derive(clap::Args)]
struct Replay {
    /// Files of events
    files: Vec<PathBuf>,
}

/// Serve the whole system with the sample data until it is stopped
#[derive(clap::Args)]
struct Serve {
    /// The file to write the base URL to
    file: PathBuf,
}

fn main() -> Result<ExitCode> {
    // This program is also the guard of the processes that it starts.
    if let Some(code) = programs::guard::run_if_asked() {
        return Ok(code);
    }
    let command = Command::parse();
    let runtime = match command {
        // On one thread, as a function runs: calls that begin together are then
        // recorded together, however busy the machine is.
        Command::Diagrams(_) => Builder::new_current_thread().enable_all().build()?,
        _ => Builder::new_multi_thread().enable_all().build()?,
    };
    match command {
        Command::Diagrams(arguments) => runtime.block_on(diagrams::run(&arguments)),
        // region: mysqldata nosqldata
        Command::Faults(arguments) => runtime.block_on(faults::run(&arguments)),
        Command::Growth(arguments) => runtime.block_on(growth::run(&arguments)),
        // endregion
        Command::Hostile(arguments) => runtime.block_on(hostile::run(&arguments)),
        Command::Replay(Replay { files }) => runtime.block_on(async {
            for file in files {
                let replayed = testbed::replay::replay(&file).await?;
                println!("{}\n{replayed}", file.display());
            }
            Ok(())
        }),
        Command::Serve(Serve { file }) => runtime.block_on(async {
            let system = System::with_samples().await;
            std::fs::write(file, system.gateway.url())?;
            std::future::pending().await
        }),
        Command::Surfaces(arguments) => surfaces::run(&arguments, &runtime),
    }?;
    Ok(ExitCode::SUCCESS)
}
