//! Runs the fault suite: `cargo xtask faults` builds what it needs.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    // What is started here is guarded by this very program.
    if let Some(code) = programs::guard::run_if_asked() {
        return code;
    }
    let arguments = tests::faults::Arguments::parse();
    let run = tokio::runtime::Runtime::new()
        .map_err(anyhow::Error::from)
        .and_then(|runtime| runtime.block_on(tests::faults::run(&arguments)));
    match run {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            eprintln!("faults: not all held; what did not is above");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("faults: {error:#}");
            ExitCode::FAILURE
        }
    }
}
