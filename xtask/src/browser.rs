//! `cargo xtask browser`.

use std::{
    env,
    net::{Ipv4Addr, TcpListener},
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use programs::{Guarded, guard};

use crate::{
    process::{self, Interrupt, step},
    project::Project,
    stores::Stores,
    test::exit_code,
    tools,
};

/// How long the system may take to be there. It may have to be built.
const READY: Duration = Duration::from_mins(20);

/// Open the documentation in a real browser, behind `cargo lambda watch`
///
/// Starts throw-away stores and `cargo xtask up` on free ports, and drives
/// Chromium through the pages: no error in the console, no failed request, none
/// to another host.
#[derive(clap::Args)]
pub struct Arguments {}

pub fn run(_: &Arguments, interrupt: &Interrupt) -> Result<ExitCode> {
    let project = Project::read()?;
    let mariadbd = tools::mariadbd(interrupt)?;
    tools::chromium(interrupt)?;
    let mut build = process::cargo();
    build
        .args(["build", "--quiet", "--bin", "stores"])
        .current_dir(&project.root);
    process::succeed(build, "the build", interrupt)?;
    let options = ["--mariadbd".to_owned(), mariadbd.display().to_string()];
    let stores = Stores::start(&project.program("stores"), &options, interrupt)?;

    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
        .local_addr()?
        .port();
    let api = format!("http://127.0.0.1:{port}");
    let mut up = guard::command(&env::current_exe()?, process::GRACE);
    up.args(["up", "--port", &port.to_string()])
        .args([
            "--dynamodb-url",
            &stores.urls.dynamodb,
            "--mysql-url",
            &stores.urls.mysql,
        ])
        .current_dir(&project.root);
    let mut up = Guarded::spawn(up)?;
    wait(&format!("{api}/health"), &mut up, interrupt)?;

    step(format_args!("Browsing {api}"));
    let mut test = process::cargo();
    test.args(["test", "--quiet", "--package", "tests", "--test", "browser"])
        .env("KEA_TEST_API_URL", &api)
        .current_dir(&project.root);
    Ok(exit_code(process::run(test, interrupt)?))
}

/// Waits until the URL is answered with a success.
fn wait(url: &str, up: &mut Guarded, interrupt: &Interrupt) -> Result<()> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(Duration::from_secs(10)))
        .proxy(None)
        .build()
        .into();
    let deadline = Instant::now() + READY;
    while agent.get(url).call().is_err() {
        if let Some(status) = up.try_wait()? {
            bail!("the system ended ({status}); what it said is above");
        }
        if Instant::now() >= deadline {
            bail!("{url} does not answer");
        }
        interrupt.pause()?;
    }
    Ok(())
}
