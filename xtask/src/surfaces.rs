//! `cargo xtask surfaces`.

use std::{
    fs::{self, File},
    net::{IpAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use programs::{Guarded, guard};

use crate::{
    docker::{self, Engine, Found},
    environment,
    process::{self, Interrupt, step},
    project::Project,
    readiness,
    sam::{Architecture, Sam},
    stores::{Stores, Urls},
    test::exit_code,
    tools, up,
};

/// How long a surface may take to be there. `up` may have to build first.
const READY: Duration = Duration::from_mins(20);

/// How long `sam local` may take to stop its containers.
const SAM_GRACE: Duration = Duration::from_secs(20);

/// Where containers find this machine.
const HOST: &str = "host.docker.internal";

/// Put the same cases through every way of using the bundle
///
/// Runs one suite against each surface and prints a table of what came of it:
/// `replay` (events, in process), `watch` (`cargo lambda watch`), `emulator` (the
/// release programs under the Lambda Runtime Interface Emulator), `start-api`
/// (`sam build` and `sam local start-api`, which need Docker), and a deployment
/// that is given by its URL. The local ones run on throw-away stores. Ends with
/// an error if a case fails on any. docs/surfaces.md tells more.
#[derive(clap::Args)]
pub struct Arguments {
    /// Only these [default: all four, or none with --url]
    #[arg(long, value_enum, value_delimiter = ',', value_name = "NAME,…")]
    surface: Vec<Surface>,

    /// A deployment; alone, unless others are named too
    ///
    /// The suite makes products and orders of its own in it, and deletes the
    /// products.
    #[arg(long, value_name = "URL", value_parser = http_url)]
    url: Option<String>,

    /// Only the cases whose name contains this
    #[arg(long, value_name = "NAME")]
    only: Option<String>,

    /// Fail where there is no Docker for start-api, as where that is named
    #[arg(long)]
    require: bool,

    /// Write the table to docs/surfaces.md too
    #[arg(long)]
    write: bool,
}

/// A surface that runs on this machine.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Surface {
    Replay,
    Watch,
    Emulator,
    StartApi,
}

const ALL: [Surface; 4] = [
    Surface::Replay,
    Surface::Watch,
    Surface::Emulator,
    Surface::StartApi,
];

pub fn run(arguments: &Arguments, interrupt: &Interrupt) -> Result<ExitCode> {
    let project = Project::read()?;
    let folder = project.own_folder().join("surfaces");
    fs::create_dir_all(&folder)?;
    let mut times = Times::default();

    let engine = arguments.engine(&folder, interrupt)?;
    let mut chosen = arguments.surfaces().to_vec();
    chosen.retain(|&it| it != Surface::StartApi || engine.is_some());
    let chosen = |surface| chosen.contains(&surface);
    build(
        &project,
        ALL.into_iter().any(chosen),
        chosen(Surface::Watch),
        interrupt,
    )?;
    times.add("the build of the suite");

    let mut release = None;
    if chosen(Surface::Emulator) || chosen(Surface::StartApi) {
        release = Some(Release::build(&project, &folder, interrupt)?);
        times.add("sam build, with its tools");
    }
    let engine = match (engine, &release) {
        (Some(engine), Some(release)) => {
            let bootstraps = &release.bootstraps;
            let image = engine.image(release.architecture, bootstraps, &folder, interrupt)?;
            arguments.usable(engine, image)?
        }
        _ => None,
    };

    let mut suite = arguments.suite(&project, &folder);
    let mut stores = None;
    if ALL.into_iter().any(chosen) {
        let host = engine.as_ref().map(Engine::host).transpose()?;
        let started = start_stores(&project, host, interrupt)?;
        started.tell(&mut suite);
        stores = Some(started);
        times.add("the stores");
    }
    let mut servers = Vec::new();
    if let Some(Stores { urls, .. }) = &stores {
        if chosen(Surface::Replay) {
            suite.arg("--replay");
        }
        if chosen(Surface::Watch) {
            let (server, url) = start_watch(&project, &folder, urls, interrupt)?;
            servers.push(server);
            suite.args(["--watch", &url]);
            times.add("cargo xtask up");
        }
        if let Some(release) = release.as_ref().filter(|_| chosen(Surface::Emulator)) {
            let program = release.sam.emulator(release.architecture)?;
            suite.arg("--emulator").arg(&release.output);
            suite.arg("--emulator-program").arg(program);
        }
        if let (Some(release), Some(engine)) = (&release, &engine) {
            let host = engine.host()?;
            let (server, url) = release.start_api(&project, &folder, urls, host, interrupt)?;
            servers.push(server);
            suite.args(["--start-api", &url]);
            times.add("sam local start-api");
        }
    }
    step(format_args!("Asking; the logs are in {}", folder.display()));
    let status = process::run(suite, interrupt)?;
    times.add("the suite");

    // What uses the stores and the engine goes first.
    drop(servers);
    drop((stores, engine));
    times.add("the end");
    times.tell();
    Ok(exit_code(status))
}

/// Builds the suite and what it runs on, for development.
fn build(project: &Project, stores: bool, watch: bool, interrupt: &Interrupt) -> Result<()> {
    step(format_args!("Building the suite"));
    let mut build = process::cargo();
    build
        .args(["build", "--bin", "tools"])
        .args(stores.then_some(["--bin", "stores"]).into_iter().flatten())
        .current_dir(&project.root);
    if watch {
        // As `up` does, which finds it done.
        build.args(project.functions().flat_map(|name| ["--bin", name]));
    }
    process::succeed(build, "the build", interrupt)
}

impl Arguments {
    fn surfaces(&self) -> &[Surface] {
        match (&self.surface[..], &self.url) {
            ([], Some(_)) => &[],
            ([], None) => &ALL,
            (some, _) => some,
        }
    }

    /// The program of the suite, told all that does not depend on what runs.
    fn suite(&self, project: &Project, logs: &Path) -> Command {
        let mut suite = guard::command(&project.program("tools"), process::GRACE);
        suite.arg("surfaces").arg("--logs").arg(logs);
        if let Some(url) = &self.url {
            suite.args(["--url", url]);
        }
        if let Some(only) = &self.only {
            suite.args(["--only", only]);
        }
        if self.write {
            let file = project.root.join("docs/surfaces.md");
            suite.arg("--write").arg(file);
        }
        suite
    }

    /// The engine, if `start-api` is to be checked and can be.
    fn engine(&self, logs: &Path, interrupt: &Interrupt) -> Result<Option<Engine>> {
        if !self.surfaces().contains(&Surface::StartApi) {
            return Ok(None);
        }
        match Engine::find(logs, interrupt)? {
            Found::Engine(engine) => Ok(Some(engine)),
            Found::None(why) => self.without_start_api(&why),
        }
    }

    /// The engine, if there is an image for it.
    fn usable(&self, engine: Engine, image: Result<String, String>) -> Result<Option<Engine>> {
        match image {
            Ok(image) => {
                step(format_args!("start-api runs the functions in {image}"));
                Ok(Some(engine))
            }
            Err(why) => self.without_start_api(&why),
        }
    }

    /// Says that start-api is not checked, or fails if it has to be.
    fn without_start_api(&self, why: &str) -> Result<Option<Engine>> {
        if self.require || self.surface.contains(&Surface::StartApi) {
            bail!("start-api cannot be checked: {why}; {}", docker::HINT);
        }
        step(format_args!(
            "NOT CHECKED: start-api, since {why}; {}",
            docker::HINT
        ));
        Ok(None)
    }
}

/// How long each part took.
struct Times {
    last: Instant,
    parts: Vec<(&'static str, u64)>,
}

impl Default for Times {
    fn default() -> Self {
        Self {
            last: Instant::now(),
            parts: Vec::new(),
        }
    }
}

impl Times {
    fn add(&mut self, part: &'static str) {
        self.parts.push((part, self.last.elapsed().as_secs()));
        self.last = Instant::now();
    }

    fn tell(&self) {
        let parts: Vec<_> = (self.parts.iter())
            .filter(|(_, seconds)| *seconds > 0)
            .map(|(part, seconds)| format!("{part} {seconds} s"))
            .collect();
        step(format_args!("Took: {}", parts.join(", ")));
    }
}

fn start_stores(project: &Project, host: Option<IpAddr>, interrupt: &Interrupt) -> Result<Stores> {
    let mariadbd = tools::mariadbd(interrupt)?;
    step(format_args!("Starting throw-away stores"));
    let host = host.map(|host| host.to_string());
    let options: Vec<_> = host.iter().flat_map(|host| ["--host", host]).collect();
    Stores::throw_away(project, &mariadbd, &options, interrupt)
}

/// The system as one runs it on one's own machine, and its URL.
fn start_watch(
    project: &Project,
    folder: &Path,
    urls: &Urls,
    interrupt: &Interrupt,
) -> Result<(Guarded, String)> {
    let port = free_port("127.0.0.1")?;
    let url = format!("http://127.0.0.1:{port}");
    step(format_args!("Starting cargo xtask up"));
    let log = folder.join("watch.log");
    let output = File::create(&log)?;
    let mut up = up::command(project, port, urls)?;
    up.stdout(output.try_clone()?).stderr(output);
    let mut up = Guarded::spawn(up)?;
    let what = format!("cargo xtask up, whose words are in {},", log.display());
    readiness::while_running(&format!("{url}/health"), &what, &mut up, READY, interrupt)?;
    Ok((up, url))
}

/// What `sam build` built for this machine.
struct Release {
    sam: Sam,
    architecture: Architecture,
    /// The folder.
    output: PathBuf,
    /// The programs.
    bootstraps: Vec<PathBuf>,
}

impl Release {
    /// Into a folder of its own, so that what is to be deployed stays.
    fn build(project: &Project, folder: &Path, interrupt: &Interrupt) -> Result<Self> {
        let sam = Sam::install(project, true, interrupt)?;
        let architecture = Architecture::here()?;
        let output = folder.join("build");
        let functions = sam.build(project, architecture, &output, interrupt)?;
        let bootstraps = functions
            .iter()
            .map(|it| output.join(&it.id).join("bootstrap"));
        Ok(Self {
            bootstraps: bootstraps.collect(),
            sam,
            architecture,
            output,
        })
    }

    /// It, as `sam local` serves it, and its URL. It listens where the functions
    /// in its containers reach each other through it.
    fn start_api(
        &self,
        project: &Project,
        folder: &Path,
        urls: &Urls,
        host: IpAddr,
        interrupt: &Interrupt,
    ) -> Result<(Guarded, String)> {
        step(format_args!("Starting sam local start-api"));
        let port = free_port(&host.to_string())?;
        let url = format!("http://{host}:{port}");

        let inside = |url: &str| url.replacen(&host.to_string(), HOST, 1);
        let stores = Urls {
            dynamodb: inside(&urls.dynamodb),
            mysql: inside(&urls.mysql),
        };
        let variables = environment::of_the_functions(project, &inside(&url), &stores, false);
        let variables: serde_json::Map<_, _> = (variables.into_iter())
            .map(|(name, value)| (name.to_owned(), value.into()))
            .collect();
        let environment = folder.join("environment.json");
        let text = serde_json::json!({ "Parameters": variables }).to_string();
        fs::write(&environment, text)?;

        let log = folder.join("start-api.log");
        let output = File::create(&log)?;
        let mut serve = guard::command(&self.sam.program(), SAM_GRACE);
        self.sam.tell(&mut serve);
        serve
            .args(["local", "start-api", "--template"])
            .arg(self.output.join("template.yaml"))
            .arg("--parameter-overrides")
            .arg(format!("Architecture={}", self.architecture.name()))
            .arg("--env-vars")
            .arg(environment)
            .args(["--host", &host.to_string(), "--port", &port.to_string()])
            .args(["--skip-pull-image", "--warm-containers", "EAGER"])
            .args(["--add-host", &format!("{HOST}:host-gateway")])
            // It hands these on to the functions.
            .envs([
                ("AWS_ACCESS_KEY_ID", "local"),
                ("AWS_SECRET_ACCESS_KEY", "local"),
            ])
            .env_remove("AWS_PROFILE")
            .env_remove("AWS_SESSION_TOKEN")
            .current_dir(&project.root)
            .stdout(output.try_clone()?)
            .stderr(output);
        let mut serve = Guarded::spawn(serve)?;
        let what = format!("sam local start-api, whose words are in {},", log.display());
        readiness::while_running(
            &format!("{url}/health"),
            &what,
            &mut serve,
            READY,
            interrupt,
        )?;
        Ok((serve, url))
    }
}

fn free_port(host: &str) -> Result<u16> {
    Ok(TcpListener::bind((host, 0))?.local_addr()?.port())
}

fn http_url(text: &str) -> Result<String, String> {
    let is_one = text.starts_with("http://") || text.starts_with("https://");
    is_one
        .then(|| text.to_owned())
        .ok_or_else(|| "it must begin with http:// or https://".to_owned())
}
