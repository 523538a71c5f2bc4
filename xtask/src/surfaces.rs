//! `cargo xtask surfaces`.

use std::{
    net::IpAddr,
    path::Path,
    process::{Command, ExitCode},
    time::Duration,
};

use anyhow::{Result, ensure};
use clap::ValueEnum;
use programs::Guarded;

use crate::{
    docker::{self, Engine},
    environment::Urls,
    net::{self, http_url},
    process::{self, check_interrupt, step},
    project::Project,
    start_api::Release,
    stores::Stores,
    up,
};

/// The timeout until a surface is ready: `up` may have to build first.
const READY_TIMEOUT: Duration = Duration::from_mins(20);

/// Run one suite against every surface of the system
///
/// Prints a table of the results on each surface: `replay` (events, in process),
/// `watch` (`cargo xtask up`, which must not run in this clone already), `emulator`
/// (the release programs under the Lambda Runtime Interface Emulator), `start-api`
/// (`sam build` and `sam local start-api`, which need Docker), and a deployment that
/// is given by its URL. The local ones run on throw-away stores. Fails if a case fails
/// on any surface. docs/surfaces.md has the details.
#[derive(clap::Args)]
pub struct Arguments {
    /// Only these surfaces [default: all four, or none with --url]
    #[arg(long, value_enum, value_delimiter = ',', value_name = "NAME,…")]
    surface: Vec<Surface>,

    /// The URL of a deployment; no other surface runs unless --surface names it
    ///
    /// The suite creates products and orders in it, and deletes the products.
    #[arg(long, value_name = "URL", value_parser = http_url)]
    url: Option<String>,

    /// Only the cases whose name contains this
    #[arg(long, value_name = "NAME")]
    only: Option<String>,

    /// Fail instead of skipping start-api if there is no Docker
    #[arg(long)]
    require: bool,

    /// Write the table to docs/surfaces.md too
    ///
    /// It has every local surface, so none is left out or skipped.
    #[arg(long, conflicts_with = "only")]
    write: bool,
}

/// A surface that runs on this machine.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Surface {
    Replay,
    Watch,
    Emulator,
    StartApi,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let mut surfaces = arguments.surfaces();
    let is_whole = Surface::value_variants()
        .iter()
        .all(|it| surfaces.contains(it));
    ensure!(
        !arguments.write || is_whole,
        "--write needs every local surface: remove --surface, and with --url name all four"
    );
    let project = Project::read()?;
    let folder = project.create_folder("surfaces")?;

    let mut engine = None;
    if surfaces.contains(&Surface::StartApi) {
        let found = Engine::find(&folder);
        engine = arguments.unless_required(found)?;
        if engine.is_none() {
            surfaces.retain(|&it| it != Surface::StartApi);
        }
    }
    let uses = |surface| surfaces.contains(&surface);
    step("Building the suite");
    let mut binaries = vec!["tools"];
    binaries.extend((!surfaces.is_empty()).then_some("stores"));
    if uses(Surface::Watch) {
        // As `up` does, which then has nothing to build.
        binaries.extend(project.functions());
    }
    project.build(binaries)?;

    let mut release = None;
    if uses(Surface::Emulator) || uses(Surface::StartApi) {
        let built = Release::build(&project, &folder)?;
        if let Some(found) = engine.take() {
            let image = found.provide_image(&folder);
            if let Some(image) = arguments.unless_required(image)? {
                step(format_args!("start-api runs the functions in {image}"));
                engine = Some(found);
            }
        }
        release = Some(built);
    }

    let mut suite = arguments.suite(&project);
    let mut stores = None;
    let mut servers = Vec::new();
    if !surfaces.is_empty() {
        let host = engine.as_ref().map(Engine::host).transpose()?;
        let options = host.map(|host| ["--host".to_owned(), host.to_string()]);
        let options: Vec<_> = options.iter().flatten().map(String::as_str).collect();
        let started = Stores::throw_away(&project, &options)?;
        started.set_variables(&project, &mut suite);
        if uses(Surface::Replay) {
            suite.arg("--replay");
        }
        if uses(Surface::Watch) {
            let (server, url) = start_watch(&project, &folder, &started.urls)?;
            servers.push(server);
            suite.args(["--watch", &url]);
        }
        if let Some(release) = &release {
            if uses(Surface::Emulator) {
                let program = release.sam.emulator(release.architecture)?;
                suite.arg("--emulator").arg(&release.output);
                suite.arg("--emulator-program").arg(program);
            }
            if let Some(host) = host {
                let urls = &started.urls;
                let (server, url) = start_start_api(release, &project, &folder, urls, host)?;
                servers.push(server);
                suite.args(["--start-api", &url]);
            }
        }
        stores = Some(started);
    }
    let logs = folder.display();
    step(format_args!("Running the suite; the logs are in {logs}"));
    let code = process::run(suite)?;
    if arguments.surfaces().contains(&Surface::StartApi) && engine.is_none() {
        step("Left out: start-api, for the reason above");
    }

    // The servers use the stores and the engine.
    drop(servers);
    drop((stores, engine));
    Ok(code)
}

impl Arguments {
    fn surfaces(&self) -> Vec<Surface> {
        match (&self.surface[..], &self.url) {
            ([], Some(_)) => Vec::new(),
            ([], None) => Surface::value_variants().to_vec(),
            (some, _) => some.to_vec(),
        }
    }

    /// The program of the suite, with the options that depend on no surface.
    fn suite(&self, project: &Project) -> Command {
        let mut suite = project.tools("surfaces");
        project.set_signing_key(&mut suite);
        suite.args(self.url.iter().flat_map(|url| ["--url", url]));
        suite.args(self.only.iter().flat_map(|only| ["--only", only]));
        suite.args(self.write.then_some("--write"));
        suite
    }

    /// `None` in place of the reason why `start-api` cannot run, unless it must.
    fn unless_required<T>(&self, found: Result<T>) -> Result<Option<T>> {
        check_interrupt()?;
        let reason = match found {
            Ok(found) => return Ok(Some(found)),
            Err(reason) => reason,
        };
        let is_required = self.require || self.write || self.surface.contains(&Surface::StartApi);
        ensure!(
            !is_required,
            "start-api cannot be checked: {reason:#}; {}",
            docker::HINT
        );
        step(format_args!(
            "Leaving out start-api: {reason:#}; {}",
            docker::HINT
        ));
        Ok(None)
    }
}

/// Starts `cargo xtask up` and returns its URL.
fn start_watch(project: &Project, folder: &Path, urls: &Urls) -> Result<(Guarded, String)> {
    step("Starting cargo xtask up");
    let (up, url) = up::command(project, urls)?;
    let health = format!("{url}/health");
    let log = folder.join("watch.log");
    let server = process::start_server(up, "cargo xtask up", &log, READY_TIMEOUT, || {
        net::get(&health)
    })?;
    Ok((server, url))
}

/// Starts `sam local start-api` and returns its URL.
fn start_start_api(
    release: &Release,
    project: &Project,
    folder: &Path,
    urls: &Urls,
    host: IpAddr,
) -> Result<(Guarded, String)> {
    step("Starting sam local start-api");
    let port = net::free_port(&host.to_string())?;
    let (serve, url) = release.serve(project, folder, urls, host, port)?;
    let health = format!("{url}/health");
    let log = folder.join("start-api.log");
    let server = process::start_server(serve, "sam local start-api", &log, READY_TIMEOUT, || {
        net::get(&health)
    })?;
    Ok((server, url))
}
