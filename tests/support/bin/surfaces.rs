//! Runs the suite of the surfaces: `cargo xtask surfaces` starts what it needs.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    // What is started here is guarded by this very program.
    if let Some(code) = programs::guard::run_if_asked() {
        return code;
    }
    let arguments = tests::surfaces::Arguments::parse();
    let run = tokio::runtime::Runtime::new()
        .map_err(anyhow::Error::from)
        .and_then(|runtime| runtime.block_on(tests::surfaces::run(&arguments)));
    match run {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            eprintln!("surfaces: not all passed; what did not is above");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("surfaces: {error:#}");
            ExitCode::FAILURE
        }
    }
}
