//! `cargo xtask replay`.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Result;
use programs::guard;

use crate::{
    process::{self, Interrupt},
    project::Project,
    stores::Stores,
    test::exit_code,
    tools,
};

/// Send recorded events to their functions and print the answers
///
/// The events are API Gateway ones (payload v2) such as those under `events/`,
/// where the folder says which function it is for. Each runs as in Lambda, on
/// throw-away stores that hold the sample data.
#[derive(clap::Args)]
pub struct Arguments {
    /// Files such as events/hello/index.json
    #[arg(required = true, value_name = "FILE")]
    events: Vec<PathBuf>,
}

pub fn run(arguments: &Arguments, interrupt: &Interrupt) -> Result<ExitCode> {
    let project = Project::read()?;
    let mariadbd = tools::mariadbd(interrupt)?;
    let mut build = process::cargo();
    build
        .args(["build", "--bin", "stores", "--bin", "tools"])
        .current_dir(&project.root);
    process::succeed(build, "the build", interrupt)?;

    let stores = Stores::throw_away(&project, &mariadbd, &["--sample"], interrupt)?;
    let mut replay = guard::command(&project.program("tools"), process::GRACE);
    replay.arg("replay").args(&arguments.events);
    stores.tell(&mut replay);
    Ok(exit_code(process::run(replay, interrupt)?))
}
