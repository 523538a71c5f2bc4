//! `cargo xtask replay`.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Result;

use crate::{process, project::Project, stores::Stores};

/// Send recorded events to their functions and print the responses
///
/// The events are API Gateway events (payload version 2.0) as those under
/// `events/`, where the folder names the function. Each runs as in Lambda, on
/// throw-away stores with the sample data.
#[derive(clap::Args)]
pub struct Arguments {
    /// Files such as events/hello/get.json
    #[arg(required = true, value_name = "FILE")]
    events: Vec<PathBuf>,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let project = Project::read()?;
    let (_stores, mut replay) = Stores::tools(&project, "replay")?;
    replay.args(&arguments.events);
    process::run(replay)
}
