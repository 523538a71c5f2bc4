//! All that a person or CI does to the project: `cargo xtask up`, `cargo xtask
//! test` and so on.

mod browser;
mod conformance;
mod diagrams;
mod docker;
mod environment;
mod faults;
mod openapi;
mod ports;
mod process;
mod project;
mod readiness;
mod replay;
mod sam;
mod scratch;
mod stores;
mod surfaces;
mod test;
mod tools;
mod up;
mod validate;
mod wires;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::process::{Interrupt, Interrupted};

/// What one does to this project. Nothing needs a cloud account.
#[derive(Parser)]
#[command(bin_name = "cargo xtask", disable_version_flag = true)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    Up(up::Arguments),
    Test(test::Arguments),
    Replay(replay::Arguments),
    Openapi(openapi::Document),
    Assets(openapi::Assets),
    Diagrams(diagrams::Arguments),
    Browser(browser::Arguments),
    Conformance(conformance::Arguments),
    Break(wires::Arguments),
    Faults(faults::Arguments),
    Scratch(scratch::Arguments),
    Surfaces(surfaces::Arguments),
    Package(sam::Package),
    Sam(sam::Arguments),
    Validate(validate::Arguments),
}

fn main() -> ExitCode {
    if let Some(code) = programs::guard::run_if_asked() {
        return code;
    }
    let arguments = Arguments::parse();
    match perform(&arguments.task) {
        Ok(code) => code,
        // As a shell says it: ended by SIGINT.
        Err(error) if error.is::<Interrupted>() => ExitCode::from(130),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn perform(task: &Task) -> Result<ExitCode> {
    let interrupt = Interrupt::listen()?;
    match task {
        Task::Up(arguments) => up::run(arguments, &interrupt),
        Task::Test(arguments) => test::run(arguments, &interrupt),
        Task::Replay(arguments) => replay::run(arguments, &interrupt),
        Task::Openapi(arguments) => openapi::document(arguments, &interrupt),
        Task::Assets(arguments) => openapi::assets(arguments, &interrupt),
        Task::Diagrams(arguments) => diagrams::run(arguments, &interrupt),
        Task::Browser(arguments) => browser::run(arguments, &interrupt),
        Task::Conformance(arguments) => conformance::run(arguments, &interrupt),
        Task::Break(arguments) => wires::run(arguments),
        Task::Faults(arguments) => faults::run(arguments, &interrupt),
        Task::Scratch(arguments) => scratch::run(arguments, &interrupt),
        Task::Surfaces(arguments) => surfaces::run(arguments, &interrupt),
        Task::Package(arguments) => sam::package(arguments, &interrupt),
        Task::Sam(arguments) => sam::run(arguments, &interrupt),
        Task::Validate(arguments) => validate::run(arguments, &interrupt),
    }
}
