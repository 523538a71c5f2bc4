//! Whether the endpoints answer.

use std::{
    slice, thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use programs::Guarded;

use crate::{
    process::Interrupt,
    project::{HEALTH, Project},
};

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
    let agent = agent();
    // The last only once the others answer: what it asks of them meanwhile
    // would only start more instances of each.
    let (last, others) = paths.split_last().context("there are no functions")?;
    all(&agent, api, others, deadline)?;
    all(&agent, api, slice::from_ref(last), deadline)
}

/// Returns once `url` has answered with a success, within `patience`. `server` is
/// the program that is to answer it, and `what` is what it is called.
pub fn while_running(
    url: &str,
    what: &str,
    server: &mut Guarded,
    patience: Duration,
    interrupt: &Interrupt,
) -> Result<()> {
    let deadline = Instant::now() + patience;
    let agent = agent();
    while let Err(answer) = ask(&agent, url) {
        if let Some(status) = server.try_wait()? {
            bail!("{what} ended ({status})");
        }
        if Instant::now() >= deadline {
            return Err(answer).with_context(|| format!("{what} does not get ready"));
        }
        interrupt.pause()?;
    }
    Ok(())
}

fn agent() -> ureq::Agent {
    let config = ureq::Agent::config_builder()
        .timeout_global(Some(REQUEST))
        .http_status_as_error(false)
        // What listens on this machine is never behind a proxy.
        .proxy(None);
    config.build().into()
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
    while let Err(answer) = ask(agent, url) {
        if Instant::now() >= deadline {
            bail!("{url} does not answer as it should ({answer})");
        }
        thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

/// Asks once; what is no success is an error that says what it is.
fn ask(agent: &ureq::Agent, url: &str) -> Result<()> {
    let status = agent.get(url).call()?.status();
    ensure!(status.is_success(), "{status}");
    Ok(())
}
