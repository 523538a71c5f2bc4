//! `cargo xtask conformance`.

use std::{
    path::Path,
    process::{Command, ExitCode},
    time::Duration,
};

use anyhow::{Result, ensure};
use fs_err as fs;
use programs::Guarded;
use tokens::scopes;

use crate::{
    process::{self, step},
    project::Project,
    stores::Stores,
    tools,
};

/// The checks of each response. `positive_data_acceptance` is not one of them: no
/// schema can express that a cursor belongs to this list, that an entity tag is
/// current or that a product exists.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_headers_conformance,response_schema_conformance,\
                      negative_data_rejection,unsupported_method,use_after_free,\
                      ensure_resource_availability";

/// Compares a document in JSON with one in YAML by a reader of YAML 1.1, to which `no`,
/// `1:30` and `2026-11-22` without quotes are not strings.
const COMPARE: &str = "import json, sys, yaml; \
                       a, b = open(sys.argv[1]), open(sys.argv[2]); \
                       sys.exit(json.load(a) != yaml.safe_load(b))";

/// The timeout until the system is ready, on a loaded machine.
const READY_TIMEOUT: Duration = Duration::from_mins(5);

/// Send the API what its document allows and what it forbids
///
/// Validates the document, generates a client from it, and has schemathesis send
/// many requests to every operation and follow its links, with valid and with
/// invalid data, with a token and without. Fails at a server error, an undocumented
/// status or a response that differs from the document.
#[derive(clap::Args)]
pub struct Arguments {
    /// The most requests to each operation, in each phase
    #[arg(long, value_name = "N", default_value_t = 200)]
    cases: u32,

    /// The seed of the requests: the same seed sends the same requests
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let project = Project::read()?;
    let bin = tools::CONFORMANCE.install(&project)?.join("bin");
    let folder = project.create_folder("conformance")?;

    step("Validating the document");
    let mut validate = process::command(bin.join("openapi-spec-validator"));
    let assets = project.root.join("functions/docs/assets");
    validate.args([assets.join("openapi.json"), assets.join("openapi.yaml")]);
    process::succeed(validate, "the validation")?;
    let mut compare = process::command(bin.join("python"));
    compare.args(["-c", COMPARE]);
    compare.args([assets.join("openapi.json"), assets.join("openapi.yaml")]);
    process::succeed(
        compare,
        "the comparison of the document in JSON and in YAML",
    )?;

    step("Generating a client");
    let mut generate = process::command(bin.join("openapi-python-client"));
    generate
        .args(["generate", "--meta", "none", "--overwrite"])
        .arg("--path")
        .arg(assets.join("openapi.json"))
        .arg("--output-path")
        .arg(folder.join("client"));
    process::succeed(generate, "the generation of a client")?;
    let mut compile = process::command(bin.join("python"));
    compile
        .args(["-m", "compileall", "-q"])
        .arg(folder.join("client"));
    process::succeed(compile, "the generated client")?;

    let (_stores, system) = Stores::tools(&project, "serve")?;
    let (_system, api) = serve(system, &folder)?;

    let cases = arguments.cases.to_string();
    let token = project.signing_key()?.token("conformance", &scopes()?);
    for (who, token) in [("with a token", Some(token)), ("without a token", None)] {
        step(format_args!(
            "Sending at most {cases} cases to each operation, {who}"
        ));
        let mut run = arguments.schemathesis(&bin, &api, &cases);
        run.current_dir(&folder);
        if let Some(token) = token {
            run.args(["--header", &format!("Authorization: Bearer {token}")]);
        }
        process::succeed(run, "schemathesis")?;
    }
    Ok(ExitCode::SUCCESS)
}

impl Arguments {
    fn schemathesis(&self, bin: &Path, api: &str, cases: &str) -> Command {
        let mut schemathesis = process::command(bin.join("schemathesis"));
        schemathesis
            .args(["run", &format!("{api}/openapi.json"), "--url", api])
            .args(["--phases", "examples,coverage,fuzzing,stateful"])
            .args(["--mode", "all", "--checks", CHECKS, "--max-examples", cases])
            .args(["--request-timeout", "15", "--generation-database", "none"]);
        if let Some(seed) = self.seed {
            schemathesis.args(["--seed", &seed.to_string()]);
        }
        schemathesis
    }
}

/// Serves the whole system as the tests have it: their gateway forwards any bytes,
/// which `cargo lambda watch` does not.
fn serve(mut system: Command, folder: &Path) -> Result<(Guarded, String)> {
    let file = folder.join("url");
    let _ = fs::remove_file(&file);
    system.arg(&file);
    let mut system = Guarded::spawn(system)?;
    let url = process::wait_until_ready(&mut system, "the system", READY_TIMEOUT, || {
        let url = fs::read_to_string(&file)?;
        ensure!(!url.is_empty(), "{} is empty", file.display());
        Ok(url)
    })?;
    Ok((system, url))
}
