//! Builds and runs a function for `cargo lambda watch`, which calls this program
//! instead of cargo: `launcher run … --bin nosqldata`.
//!
//! `cargo lambda watch` does not notice when a function does not compile or exits:
//! its requests wait without an end. So this program responds to them in the
//! function's place, until `cargo lambda watch` starts it again because a source
//! has changed.

mod build;
mod output;
mod stand_in;

use std::{
    convert::Infallible,
    env,
    ffi::OsString,
    os::unix::process::CommandExt,
    process::{Command, ExitCode},
    time::SystemTime,
};

use anyhow::{Context, Result};

use crate::stand_in::StandIn;

/// The environment variable with the path of the real cargo.
const CARGO: &str = "LAUNCHER_CARGO";

/// The prefix of the environment variables of the functions.
const FUNCTION: &str = "LAUNCHER_ENV_";

/// The exit code of a function that is not configured, as the chassis has it.
const EXIT_CONFIG: i32 = 78;

fn main() -> ExitCode {
    match run() {
        Ok(never) => match never {},
        // One line in the terminal of `cargo xtask up`.
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<Infallible> {
    let started = SystemTime::now();
    let cargo = env::var_os(CARGO).unwrap_or_else(|| "cargo".into());
    let arguments: Vec<_> = env::args_os().skip(1).collect();
    let Some((_, options)) = arguments.split_first().filter(|(first, _)| *first == "run") else {
        // `cargo metadata`, say.
        let error = Command::new(&cargo).args(arguments).exec();
        return Err(error).with_context(|| format!("{} cannot be run", cargo.display()));
    };
    let name = value_of("--bin", options).context("--bin is missing")?;
    let stand_in = StandIn::new()?;
    let Some(program) = build::function(&cargo, options, name, started)? else {
        let detail = format!(
            "The function {name} does not compile. The errors are in the terminal of \
             `cargo xtask up`."
        );
        loop {
            stand_in.respond(&detail)?;
        }
    };
    loop {
        let mut function = Command::new(&program);
        function.envs(environment());
        let status = output::run(function)
            .with_context(|| format!("{} cannot be run", program.display()))?;
        let reason = if status.code() == Some(EXIT_CONFIG) {
            format!("{name} is not configured")
        } else {
            format!("{name} exited ({status})")
        };
        eprintln!("{reason}; its log is above");
        // As in Lambda, the next request starts it again.
        stand_in.respond(&format!(
            "The function {reason}. Its log is in the terminal of `cargo xtask up`."
        ))?;
    }
}

/// The variables of the functions. `cargo lambda watch` sets those in the manifest,
/// also where they are set already.
fn environment() -> impl Iterator<Item = (String, OsString)> {
    env::vars_os().filter_map(|(name, value)| {
        let name = name.to_str()?.strip_prefix(FUNCTION)?.to_owned();
        Some((name, value))
    })
}

/// The value after an option.
fn value_of<'o>(option: &str, options: &'o [OsString]) -> Option<&'o str> {
    let mut options = options.iter();
    options.find(|it| *it == option)?;
    options.next()?.to_str()
}
