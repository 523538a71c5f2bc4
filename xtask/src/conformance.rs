//! `cargo xtask conformance`.

use std::{
    fs,
    path::Path,
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use programs::{Guarded, guard};

use crate::{
    process::{self, Interrupt, step},
    project::Project,
    stores::Stores,
    test::exit_code,
    tools,
};

/// What is installed from PyPI, into an environment of its own.
const TOOLS: [&str; 3] = [
    "schemathesis==4.32.5",
    "openapi-spec-validator==0.9.0",
    "openapi-python-client==0.29.1",
];

/// What is held against every answer. Whether what the document allows is also
/// accepted is not: that a cursor is this list's, that an entity tag is the
/// present one, or that a product exists, no schema can say.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_headers_conformance,response_schema_conformance,\
                      negative_data_rejection,unsupported_method,use_after_free,\
                      ensure_resource_availability";

/// How long the system may take to be there.
const READY: Duration = Duration::from_mins(1);

/// Send the API what its document allows and what it forbids
///
/// Validates the document, has schemathesis send many requests to every
/// operation and follow its links, with valid and with invalid data, and places
/// an order by a client that is generated from the document. Fails at a server
/// error, an undocumented status or an answer that is not as the document says.
#[derive(clap::Args)]
pub struct Arguments {
    /// How many requests each operation gets at the most, in each phase
    #[arg(long, value_name = "N", default_value_t = 200)]
    cases: u32,

    /// The seed of the requests; the same one sends the same
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
}

pub fn run(arguments: &Arguments, interrupt: &Interrupt) -> Result<ExitCode> {
    let project = Project::read()?;
    let bin = tools::python_tool(&project, "conformance", &TOOLS, interrupt)?.join("bin");

    step(format_args!("Validating the document"));
    let mut validate = guard::command(&bin.join("openapi-spec-validator"), process::GRACE);
    let assets = project.root.join("functions/docs/assets");
    validate.args([assets.join("openapi.json"), assets.join("openapi.yaml")]);
    process::succeed(validate, "the validation", interrupt)?;

    let folder = project.own_folder().join("conformance");
    fs::create_dir_all(&folder)?;
    let (stores, _system, api) = serve(&project, &folder, interrupt)?;

    step(format_args!("Placing an order by a generated client"));
    let client = folder.join("client");
    let mut generate = guard::command(&bin.join("openapi-python-client"), process::GRACE);
    generate
        .args(["generate", "--meta", "none", "--overwrite", "--url"])
        .arg(format!("{api}/openapi.json"))
        .arg("--output-path")
        .arg(client.join("kea"));
    fs::create_dir_all(&client)?;
    process::succeed(generate, "the generation of a client", interrupt)?;
    let mut order = guard::command(&bin.join("python"), process::GRACE);
    order
        .arg(project.root.join("tests/client/place_order.py"))
        .arg(&api)
        .env("PYTHONPATH", &client)
        .env("PYTHONDONTWRITEBYTECODE", "1");
    process::succeed(order, "the generated client", interrupt)?;

    step(format_args!(
        "Sending at most {} cases to each operation",
        arguments.cases
    ));
    let mut schemathesis = guard::command(&bin.join("schemathesis"), process::GRACE);
    schemathesis
        .args(["run", &format!("{api}/openapi.json"), "--url", &api])
        .args([
            "--phases",
            "examples,coverage,fuzzing,stateful",
            "--mode",
            "all",
        ])
        .args(["--checks", CHECKS])
        .args(["--max-examples", &arguments.cases.to_string()])
        .args(["--request-timeout", "15", "--generation-database", "none"])
        .current_dir(&folder);
    if let Some(seed) = arguments.seed {
        schemathesis.args(["--seed", &seed.to_string()]);
    }
    let status = process::run(schemathesis, interrupt)?;
    drop(stores);
    Ok(exit_code(status))
}

/// Serves the whole system as the tests have it, on throw-away stores. The
/// gateway of the tests hands on any bytes at all, which `cargo lambda watch`
/// does not.
fn serve(
    project: &Project,
    folder: &Path,
    interrupt: &Interrupt,
) -> Result<(Stores, Guarded, String)> {
    step(format_args!("Building"));
    let mut build = process::cargo();
    build
        .args(["build", "--quiet", "--bin", "stores", "--bin", "tools"])
        .current_dir(&project.root);
    process::succeed(build, "the build", interrupt)?;
    let mariadbd = tools::mariadbd(interrupt)?;
    let stores = Stores::throw_away(project, &mariadbd, &[], interrupt)?;

    let file = folder.join("url");
    let _ = fs::remove_file(&file);
    let mut system = guard::command(&project.program("tools"), process::GRACE);
    system.arg("serve").arg(&file);
    stores.tell(&mut system);
    let mut system = Guarded::spawn(system)?;
    let deadline = Instant::now() + READY;
    loop {
        let url = fs::read_to_string(&file).unwrap_or_default();
        if !url.is_empty() {
            return Ok((stores, system, url));
        }
        if let Some(status) = system.try_wait()? {
            bail!("the system ended ({status}); what it said is above");
        }
        if Instant::now() >= deadline {
            return Err(anyhow::anyhow!("the system does not start")).context("serve");
        }
        interrupt.pause()?;
    }
}
