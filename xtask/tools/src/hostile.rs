//! Hostile requests to the process of one function, and the memory that they take.

use std::{path::PathBuf, process::Stdio};

use anyhow::{Result, anyhow, ensure};
use axum::body::Bytes;
use http::Request;
use programs::proc;
use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::{RngAlgorithm, TestRng, TestRunner},
};
use testbed::{
    System, event,
    hostile::{check, events},
};

use crate::program::{self, Program};

/// Send generated, mostly invalid requests to a function, in two rounds
#[derive(clap::Args)]
pub struct Arguments {
    /// The function's program
    program: PathBuf,

    /// The number of requests of a round, for each route of the function
    #[arg(long)]
    requests: u32,
}

/// Fails unless every response is one of the function, and the memory stays in bounds:
/// the peak at most twice the idle figure, which is taken after one request, and four
/// times the largest event, and no more after the second round than after the first.
pub async fn run(arguments: &Arguments) -> Result<()> {
    let name = arguments.program.file_name().unwrap_or_default();
    let name: &'static str = name.to_string_lossy().into_owned().leak();
    let system = System::with_samples().await;
    let routes = testbed::routes().await;
    let routes = routes.values().filter(|function| *function == name);
    let requests = arguments.requests * u32::try_from(routes.count())?;
    let mut command = program::command(&arguments.program, &system.environment(name), 128);
    command.stdout(Stdio::null());
    let mut function = Program::start(command).await?;

    let health = Request::get(format!("/health/{name}")).body(Bytes::new())?;
    function.try_invoke(&event::of(&health)).await?;
    let idle = proc::memory(function.id())?;

    let strategy = events(name);
    let seed = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(proptest::test_runner::Config::default(), seed);
    let mut largest = 0;
    let mut memory = [0; 2];
    for memory in &mut memory {
        for _ in 0..requests {
            let event = strategy.new_tree(&mut runner);
            let event = event.map_err(|reason| anyhow!("no event: {reason}"))?;
            let event = event.current();
            largest = largest.max(event.to_string().len() as u64);
            let response = function.try_invoke(&event).await?;
            check(&event, &response).map_err(|failure| anyhow!("{failure}"))?;
        }
        *memory = proc::peak_memory(function.id())?;
    }
    let [first, second] = memory;
    let bound = 2 * idle + 4 * largest;
    println!(
        "{name}: {} requests, idle {} KiB, peak {} KiB, bound {} KiB, second round {} KiB",
        2 * requests,
        idle / 1024,
        first / 1024,
        bound / 1024,
        second / 1024,
    );
    ensure!(first <= bound, "{name} takes more memory than its bound");
    // What the allocator keeps varies by a few pages.
    ensure!(
        second <= first + first / 20,
        "{name} takes more memory in the second round"
    );
    Ok(())
}
