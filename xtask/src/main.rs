//! `cargo xtask`: everything a person or CI does to the project.

// region: mysqldata nosqldata
mod bench;
mod faults;
mod growth;
// endregion

mod browser;
mod compile;
mod conformance;
mod consent;
mod demonstrate;
mod diagrams;
mod docker;
mod environment;
mod fuzz;
mod hostile;
mod lambda;
mod logs;
mod mutants;
mod net;
mod new;
// region: new-project
mod new_project;
// endregion
mod openapi;
mod preflight;
mod process;
mod project;
mod regenerate;
mod regions;
mod registry;
// region: mysqldata
mod rehearse;
// endregion
mod remove;
mod replay;
mod sam;
mod start_api;
mod stores;
mod supply_chain;
mod surfaces;
mod test;
mod token;
mod tools;
mod top;
mod trace;
mod up;
mod validate;
// region: nosqldata
mod wires;
// endregion

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::process::Interrupted;

/// The tasks of this project. None needs a cloud account.
#[derive(Parser)]
#[command(bin_name = "cargo xtask", disable_version_flag = true)]
struct Arguments {
    /// Install missing system packages without asking
    ///
    /// MariaDB, Python, Chromium, npm, Java with Graphviz and its fonts, Valgrind,
    /// OpenSSL, util-linux: as root or with sudo.
    #[arg(long, global = true)]
    yes: bool,

    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    Up(up::Arguments),
    Logs(logs::Arguments),
    Trace(trace::Arguments),
    Top(top::Arguments),
    New(new::Arguments),
    // region: new-project
    NewProject(new_project::Arguments),
    // endregion
    Remove(remove::Arguments),
    Stores(stores::Arguments),
    Lambda(lambda::Arguments),
    Test(test::Arguments),
    Token(token::Arguments),
    Replay(replay::Arguments),
    Openapi(openapi::Document),
    Regenerate(regenerate::Arguments),
    Assets(openapi::Assets),
    Diagrams(diagrams::Arguments),
    // region: mysqldata nosqldata
    Bench(bench::Arguments),
    // endregion
    Browser(browser::Arguments),
    Conformance(conformance::Arguments),
    // region: nosqldata
    Break(wires::Arguments),
    // endregion
    // region: mysqldata nosqldata
    Faults(faults::Arguments),
    // endregion
    Fuzz(fuzz::Arguments),
    Hostile(hostile::Arguments),
    Demonstrate(demonstrate::Arguments),
    Mutants(mutants::Arguments),
    Deny(supply_chain::Deny),
    Sbom(supply_chain::Sbom),
    Surfaces(surfaces::Arguments),
    Package(sam::Package),
    #[command(hide = true)]
    Compile(compile::Arguments),
    Preflight(preflight::Arguments),
    // region: mysqldata
    Rehearse(rehearse::Arguments),
    // endregion
    Sam(sam::Arguments),
    Validate(validate::Arguments),
}

fn main() -> ExitCode {
    if let Some(code) = programs::guard::run_if_asked() {
        return code;
    }
    let arguments = Arguments::parse();
    if arguments.yes {
        consent::give();
    }
    match perform(&arguments.task) {
        Ok(code) => code,
        // The code of a program that SIGINT ended, as a shell has it.
        Err(error) if error.is::<Interrupted>() => ExitCode::from(130),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn perform(task: &Task) -> Result<ExitCode> {
    process::catch_interrupts()?;
    match task {
        Task::Up(arguments) => up::run(arguments),
        Task::Logs(arguments) => logs::run(arguments),
        Task::Trace(arguments) => trace::run(arguments),
        Task::Top(arguments) => top::run(arguments),
        Task::New(arguments) => new::run(arguments),
        // region: new-project
        Task::NewProject(arguments) => new_project::run(arguments),
        // endregion
        Task::Remove(arguments) => remove::run(arguments),
        Task::Stores(arguments) => stores::run(arguments),
        Task::Lambda(arguments) => lambda::run(arguments),
        Task::Test(arguments) => test::run(arguments),
        Task::Token(arguments) => token::run(arguments),
        Task::Replay(arguments) => replay::run(arguments),
        Task::Regenerate(_) => regenerate::run(),
        Task::Openapi(arguments) => openapi::document(arguments),
        Task::Assets(arguments) => openapi::assets(arguments),
        Task::Diagrams(arguments) => diagrams::run(arguments),
        // region: mysqldata nosqldata
        Task::Bench(arguments) => bench::run(arguments),
        Task::Faults(arguments) => faults::run(arguments),
        // endregion
        Task::Browser(_) => browser::run(),
        Task::Conformance(arguments) => conformance::run(arguments),
        // region: nosqldata
        Task::Break(arguments) => wires::run(arguments),
        // endregion
        Task::Fuzz(arguments) => fuzz::run(arguments),
        Task::Hostile(arguments) => hostile::run(arguments),
        Task::Demonstrate(arguments) => demonstrate::run(arguments),
        Task::Mutants(arguments) => mutants::run(arguments),
        Task::Deny(_) => supply_chain::deny(),
        Task::Sbom(_) => supply_chain::sbom(),
        Task::Surfaces(arguments) => surfaces::run(arguments),
        Task::Package(arguments) => sam::package(arguments),
        Task::Compile(arguments) => compile::run(arguments),
        Task::Preflight(arguments) => preflight::run(arguments),
        // region: mysqldata
        Task::Rehearse(arguments) => rehearse::run(arguments),
        // endregion
        Task::Sam(arguments) => sam::run(arguments),
        Task::Validate(_) => validate::run(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_of_a_part_is_not_written() {
        let tasks = [
            "surfaces --only greeting",
            // region: mysqldata nosqldata
            "bench --only hello",
            "bench --no-peers",
            "bench growth --sizes 100",
            "bench growth --calls 10",
            "faults --only catalogue",
            // endregion
        ];
        for task in tasks {
            let parse = |option: &str| {
                let words = format!("xtask {task} {option}");
                Arguments::try_parse_from(words.split_whitespace()).is_ok()
            };
            assert!(parse("") && !parse("--write"), "{task}");
        }
    }
}
