//! `cargo xtask browser`.

use std::{process::ExitCode, time::Duration};

use anyhow::Result;
use programs::Guarded;

use crate::{
    net,
    process::{self, step},
    project::Project,
    stores::Stores,
    tools, up,
};

/// The timeout until the system is ready: it may have to be built.
const READY_TIMEOUT: Duration = Duration::from_mins(20);

/// Open the documentation in a real browser, behind `cargo lambda watch`
///
/// Starts throw-away stores and `cargo xtask up` on free ports, which must not run in
/// this clone already, and drives Chromium through the pages: no error in the console,
/// no failed request, no request to another host.
// region: mysqldata nosqldata
///
/// Then follows an order through the log by `logs`, `trace` and `top`.
// endregion
#[derive(clap::Args)]
pub struct Arguments {}

pub fn run() -> Result<ExitCode> {
    let project = Project::read()?;
    tools::chromium()?;
    project.build(["stores"])?;
    let stores = Stores::throw_away(&project, &[])?;

    let (up, api) = up::command(&project, &stores.urls)?;
    let mut up = Guarded::spawn(up)?;
    let health = format!("{api}/health");
    let ready = || net::get(&health);
    process::wait_until_ready(&mut up, "cargo xtask up", READY_TIMEOUT, ready)?;

    step(format_args!("Browsing {api}"));
    let mut test = process::cargo(&project.root);
    test.args(["test", "--quiet", "--package", "tests", "--test", "browser"]);
    // region: mysqldata nosqldata
    test.args(["--test", "up"]);
    // endregion
    // A local gateway has no named stage.
    test.args(["--", "--include-ignored", "--skip", "under_a_stage"])
        .env("KEA_TEST_API_URL", &api);
    project.set_signing_key(&mut test);
    process::run(test)
}
