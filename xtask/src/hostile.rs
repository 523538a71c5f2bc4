//! `cargo xtask hostile`.

use std::process::ExitCode;

use anyhow::Result;

use crate::{process, project::Project, stores::Stores};

/// Send hostile requests to each function, and measure the memory that they take
///
/// The requests are generated and mostly invalid: oversized, deeply nested, not
/// UTF-8, with injections and floods of headers. Fails at a response with 5xx, at a
/// peak of memory above twice the idle figure and four times the largest event, and
/// if the second round of requests takes more memory than the first.
#[derive(clap::Args)]
pub struct Arguments {
    /// The number of requests of a round, of which there are two
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    requests: u32,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let project = Project::read()?;
    project.build(["stores", "tools"])?;
    let stores = Stores::throw_away(&project, &[])?;
    for function in project.functions() {
        // A process each, so that the memory is that of one function.
        let mut hostile = process::command(project.program("tools"));
        hostile.args(["hostile", function]);
        hostile.args(["--requests", &arguments.requests.to_string()]);
        stores.set_variables(&project, &mut hostile);
        process::succeed(hostile, "the test of hostile requests")?;
    }
    Ok(ExitCode::SUCCESS)
}
