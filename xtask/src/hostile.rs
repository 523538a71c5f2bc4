//! `cargo xtask hostile`.

use std::process::ExitCode;

use anyhow::Result;

use crate::{
    process::{self, step},
    project::Project,
    stores::Stores,
};

/// Send hostile requests to each function, and measure the memory that they take
///
/// The requests are generated and mostly invalid: oversized, deeply nested, not
/// UTF-8, with injections and floods of headers. Each function is a process of its
/// own, on throw-away stores. Fails at a response with 5xx, if the process ends, at a
/// peak of memory above twice the idle figure and four times the largest event, and
/// if the second round of requests takes more memory than the first.
#[derive(clap::Args)]
pub struct Arguments {
    /// The number of requests of a round for each route; there are two rounds
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    requests: u32,

    /// Only this function; may be repeated
    #[arg(long, value_name = "NAME")]
    function: Vec<String>,

    /// Test release builds of the functions, which take minutes to build
    #[arg(long)]
    release: bool,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let project = Project::read()?;
    project.check_functions(&arguments.function)?;
    let all = project.functions();
    let functions: Vec<_> = all
        .filter(|name| {
            arguments.function.is_empty() || arguments.function.iter().any(|it| it == name)
        })
        .collect();
    project.build(["stores", "tools"])?;
    step("Building the functions");
    let release = arguments.release.then_some("--release").into_iter();
    project.cargo_build(release.chain(functions.iter().flat_map(|name| ["--bin", name])))?;
    let stores = Stores::throw_away(&project, &[])?;
    for function in functions {
        let profile = if arguments.release {
            "release"
        } else {
            "debug"
        };
        let mut hostile = project.tools("hostile");
        hostile.arg(project.target.join(profile).join(function));
        hostile.args(["--requests", &arguments.requests.to_string()]);
        stores.set_variables(&project, &mut hostile);
        process::succeed(hostile, "the test of hostile requests")?;
    }
    Ok(ExitCode::SUCCESS)
}
