//! Whether the endpoints answer.

use std::{
    slice, thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use crate::project::{HEALTH, Project};

/// How long one request may take. The first one to a function waits until
/// `cargo lambda watch` has started it.
const REQUEST: Duration = Duration::from_secs(10);

/// How long all of them together may take.
const ALL: Duration = Duration::from_mins(1);

/// One path of each function: its shortest that is not its own health and
/// takes no parameter. The one of `health`, which asks all the others, is last.
pub fn paths(project: &Project) -> Vec<String> {
    let mut functions: Vec<_> = project.routes.iter().collect();
    functions.sort_by_key(|(function, _)| *function == HEALTH);
    functions
        .into_iter()
        .filter_map(|(function, paths)| {
            let own_health = format!("/health/{function}");
            paths
                .iter()
                .filter(|path| !path.contains('{'))
                .min_by_key(|path| (**path == own_health, path.len()))
                .cloned()
        })
        .collect()
}

/// Returns once each of `paths` has answered with a success.
pub fn wait(api: &str, paths: &[String]) -> Result<()> {
    let deadline = Instant::now() + ALL;
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(REQUEST))
        .http_status_as_error(false)
        // What listens on this machine is never behind a proxy.
        .proxy(None)
        .build()
        .into();
    // The last only once the others answer: what it asks of them meanwhile
    // would only start more instances of each.
    let (last, others) = paths.split_last().context("there are no functions")?;
    all(&agent, api, others, deadline)?;
    all(&agent, api, slice::from_ref(last), deadline)
}

/// Waits for all of them at once.
fn all(agent: &ureq::Agent, api: &str, paths: &[String], deadline: Instant) -> Result<()> {
    let faults: Vec<_> = thread::scope(|scope| {
        let waits: Vec<_> = paths
            .iter()
            .map(|path| format!("{api}{path}"))
            .map(|url| scope.spawn(move || wait_for(agent, &url, deadline)))
            .collect();
        waits
            .into_iter()
            .filter_map(|wait| wait.join().ok()?.err())
            .map(|fault| fault.to_string())
            .collect()
    });
    if !faults.is_empty() {
        bail!("{}; the log is above", faults.join("; "));
    }
    Ok(())
}

/// Asks until the answer is a success, or too late.
fn wait_for(agent: &ureq::Agent, url: &str, deadline: Instant) -> Result<()> {
    loop {
        let answer = match agent.get(url).call() {
            Ok(response) if response.status().is_success() => return Ok(()),
            Ok(response) => response.status().to_string(),
            Err(error) => error.to_string(),
        };
        if Instant::now() >= deadline {
            bail!("{url} does not answer as it should ({answer})");
        }
        thread::sleep(Duration::from_millis(100));
    }
}
