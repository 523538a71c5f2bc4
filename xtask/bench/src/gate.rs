//! The gate: what a function costs that does not depend on the machine's speed.
//!
//! Tests hold what needs no release build: the allocations of a warm call
//! (`functions/hello/tests`) and the round trips of each kind of request
//! (`costs.rs` among the tests).

use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};

use crate::{measure, plan::Function, runtime_api::RuntimeApi};

/// The calls over which instructions are averaged.
const CALLS: u64 = 50;

/// How much more than its limit a count may be: hashes and times vary, and so do
/// compilers on other processors.
const TOLERANCE_PERCENT: u64 = 5;

/// The timeout of a function that is to end.
const END_TIMEOUT: Duration = Duration::from_secs(20);

/// The costs of a function.
#[derive(Debug, Serialize, Deserialize, PartialEq, Eq, Clone)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Costs {
    /// The bytes of its program.
    size: u64,
    /// The bytes of its program compressed by deflate, as in the archive that is
    /// deployed.
    zip: u64,
    /// The instructions until it asks for its first event.
    instructions_to_first_event: u64,
    /// The instructions of a warm call.
    instructions_per_call: u64,
}

/// Counts the costs of the functions, and compares them with the limits in a file,
/// or writes them to it.
pub fn run(functions: &[Function], limits: &Path, renew: bool, logs: &Path) -> Result<()> {
    let mut counted = BTreeMap::new();
    for function in functions {
        let costs = count(function, logs)
            .with_context(|| format!("{}; see its log in {}", function.name, logs.display()))?;
        println!("{:<16} {costs:?}", function.name);
        counted.insert(function.name.clone(), costs);
    }
    if renew {
        let text = serde_json::to_string_pretty(&counted)?;
        fs::write(limits, text + "\n")?;
        return Ok(());
    }
    let text = fs::read_to_string(limits).context("the limits")?;
    let limits_of: BTreeMap<String, Costs> = serde_json::from_str(&text)?;
    let mut errors = Vec::new();
    for (name, costs) in &counted {
        let limit = limits_of.get(name);
        let limit = limit.with_context(|| format!("{} has no {name}", limits.display()))?;
        errors.extend(exceeded(name, costs, limit));
    }
    ensure!(
        errors.is_empty(),
        "{}. If that is wanted, run `cargo xtask bench check --write` and commit {}.",
        errors.join("; "),
        limits.display()
    );
    Ok(())
}

/// The costs that are over their limit, each as a sentence.
fn exceeded(name: &str, costs: &Costs, limit: &Costs) -> Vec<String> {
    let pairs = [
        ("bytes of the program", costs.size, limit.size),
        ("bytes of the archive", costs.zip, limit.zip),
        (
            "instructions to the first event",
            costs.instructions_to_first_event,
            limit.instructions_to_first_event,
        ),
        (
            "instructions per call",
            costs.instructions_per_call,
            limit.instructions_per_call,
        ),
    ];
    let over = pairs
        .into_iter()
        .filter(|(_, cost, limit)| cost * 100 > limit * (100 + TOLERANCE_PERCENT));
    over.map(|(what, cost, limit)| format!("{name} has {cost} {what}, over {limit}"))
        .collect()
}

fn count(function: &Function, logs: &Path) -> Result<Costs> {
    let instructions = |calls| {
        instructions(function, calls, logs).or_else(|error| {
            // Under callgrind, a timeout of the function may be that of a busy machine.
            eprintln!("{}: counting again: {error:#}", function.name);
            instructions(function, calls, logs)
        })
    };
    let program = fs::read(function.program.as_ref().context("no program")?)?;
    let (size, zip) = measure::sizes(&program)?;
    let start = instructions(0)?;
    // The first call fills caches, as that of a prepared statement.
    let first = instructions(1)?;
    let all = instructions(1 + CALLS)?;
    Ok(Costs {
        size,
        zip,
        instructions_to_first_event: start,
        instructions_per_call: all.saturating_sub(first) / CALLS,
    })
}

/// The instructions of a process that serves so many calls, as callgrind counts
/// them.
fn instructions(function: &Function, calls: u64, logs: &Path) -> Result<u64> {
    let mut api = RuntimeApi::start()?;
    let profile = logs.join("callgrind.out");
    let log = File::create(logs.join("callgrind.log"))?;
    let mut under = function.clone();
    under.command = [
        "valgrind",
        "--tool=callgrind",
        &format!("--callgrind-out-file={}", profile.display()),
    ]
    .map(str::to_owned)
    .into_iter()
    .chain(function.command.clone())
    .collect();
    let mut command = measure::command(&under, &api.address()?.to_string(), log)?;
    let process = command.spawn().context("valgrind cannot be started")?;
    let mut process = measure::Running(process);
    let mut next = api.wait_for_next()?;
    for _ in 0..calls {
        let response = api.call(next, &function.event)?;
        measure::check(&response.body, function)?;
        next = api.wait_for_next()?;
    }
    kill_process(Pid::from_child(&process.0), Signal::TERM)?;
    let deadline = Instant::now() + END_TIMEOUT;
    while process.0.try_wait()?.is_none() {
        if Instant::now() > deadline {
            bail!("it does not end after SIGTERM");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let text = fs::read_to_string(&profile).context("callgrind wrote no profile")?;
    let total = text.lines().find_map(|line| line.strip_prefix("totals: "));
    let total = total.and_then(|total| total.trim().parse().ok());
    total.context("the profile has no total")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_over_the_tolerance_are_reported() {
        let limit = Costs {
            size: 100,
            zip: 100,
            instructions_to_first_event: 1000,
            instructions_per_call: 1000,
        };
        let slower = Costs {
            instructions_per_call: 1051,
            zip: 105,
            ..limit.clone()
        };
        assert_eq!(exceeded("a", &limit, &limit), Vec::<String>::new());
        assert_eq!(
            exceeded("a", &slower, &limit),
            ["a has 1051 instructions per call, over 1000"]
        );
    }
}
