//! Whether the endpoints answer.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};

use crate::project::Project;

/// How long one request may take. The first one to a function waits until
/// `cargo lambda watch` has started it.
const REQUEST: Duration = Duration::from_secs(10);

/// How long all of them together may take.
const ALL: Duration = Duration::from_mins(1);

/// One path of each function, in order of the functions: its shortest that is
/// not its own health and takes no parameter.
pub fn paths(project: &Project) -> Vec<String> {
    project
        .routes
        .iter()
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
    let faults: Vec<_> = thread::scope(|scope| {
        let waits: Vec<_> = paths
            .iter()
            .map(|path| (&agent, format!("{api}{path}")))
            .map(|(agent, url)| scope.spawn(move || wait_for(agent, &url, deadline)))
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
