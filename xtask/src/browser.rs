//! `cargo xtask browser`.

use std::{
    net::{Ipv4Addr, TcpListener},
    process::ExitCode,
    time::Duration,
};

use anyhow::Result;
use programs::Guarded;

use crate::{
    process::{self, Interrupt, step},
    project::Project,
    readiness,
    stores::Stores,
    test::exit_code,
    tools, up,
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
    let stores = Stores::throw_away(&project, &mariadbd, &[], interrupt)?;

    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
        .local_addr()?
        .port();
    let api = format!("http://127.0.0.1:{port}");
    let mut up = Guarded::spawn(up::command(&project, port, &stores.urls)?)?;
    let health = format!("{api}/health");
    readiness::while_running(
        &health,
        "the system, whose words are above,",
        &mut up,
        READY,
        interrupt,
    )?;

    step(format_args!("Browsing {api}"));
    let mut test = process::cargo();
    test.args(["test", "--quiet", "--package", "tests", "--test", "browser"])
        .env("KEA_TEST_API_URL", &api)
        .current_dir(&project.root);
    Ok(exit_code(process::run(test, interrupt)?))
}
