//! Hostile requests to one function in this process, and the memory that they take.

use std::fs;

use anyhow::{Context, Result, anyhow, ensure};
use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::{RngAlgorithm, TestRng, TestRunner},
};
use testbed::{
    System,
    hostile::{check, events},
};

/// Send generated, mostly invalid requests to a function, in two rounds
#[derive(clap::Args)]
pub struct Arguments {
    /// The function
    function: String,

    /// The number of requests of a round
    #[arg(long)]
    requests: u32,
}

/// Whether every response was one of the function, and the memory stayed in bounds:
/// the peak at most twice the idle figure and four times the largest event, and no
/// more after the second round than after the first.
pub async fn run(arguments: &Arguments) -> Result<bool> {
    let function: &'static str = arguments.function.clone().leak();
    let system = System::with_samples().await;
    let strategy = events(function);
    let seed = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(proptest::test_runner::Config::default(), seed);
    let mut largest = 0;
    let mut peaks = Vec::new();
    let mut idle = 0;
    // The first round only warms up: buffers and connections are made once.
    for round in 0..3 {
        let requests = if round == 0 {
            arguments.requests / 10
        } else {
            arguments.requests
        };
        for _ in 0..requests {
            let event = strategy.new_tree(&mut runner);
            let event = event
                .map_err(|reason| anyhow!("no event: {reason}"))?
                .current();
            let size = event.to_string().len() as u64;
            largest = largest.max(size);
            let response = system.invoke(function, &event).await;
            check(&event, &response).map_err(|failure| anyhow!("{failure}"))?;
        }
        if round == 0 {
            idle = status("VmRSS")?;
            // Forgets the peak so far (proc_pid_clear_refs(5)).
            fs::write("/proc/self/clear_refs", "5")?;
        } else {
            peaks.push(status("VmHWM")?);
        }
    }
    let [first, second] = peaks[..] else {
        return Ok(false);
    };
    let bound = 2 * idle + 4 * largest;
    println!(
        "{function}: {} requests, idle {} KiB, peak {} KiB, bound {} KiB, second round {} KiB",
        2 * arguments.requests,
        idle / 1024,
        first / 1024,
        bound / 1024,
        second / 1024,
    );
    ensure!(
        first <= bound,
        "{function} takes more memory than its bound"
    );
    // What the allocator keeps varies by a few pages.
    ensure!(
        second <= first + first / 20,
        "{function} takes more memory in the second round"
    );
    Ok(true)
}

/// A figure of this process from `/proc/self/status`, in bytes.
fn status(name: &str) -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let line = line.with_context(|| format!("/proc/self/status has no {name}"))?;
    let kib: u64 = line.trim().trim_end_matches(" kB").trim().parse()?;
    Ok(kib * 1024)
}
