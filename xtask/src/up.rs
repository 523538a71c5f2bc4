//! `cargo xtask up`.

use std::{
    env,
    fs::TryLockError,
    io::Write,
    net::{Ipv4Addr, TcpStream},
    path::Path,
    process::{Command, ExitCode},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use fs_err::{self as fs, File};
use logs::Log;
use programs::Guarded;
use serde_json::Value;
use tokens::scopes;

use crate::{
    docker::{self, Engine},
    environment::{self, Urls},
    net,
    process::{self, pause, step},
    project::Project,
    start_api::Release,
    stores::{Options, Stores},
    tools,
};
// region: mysqldata nosqldata
use crate::wires::Wire;
// endregion
// region: nosqldata
use crate::wires::Wires;
// endregion

/// The timeout until each function has answered a request, on a slow machine too.
const READY_TIMEOUT: Duration = Duration::from_mins(10);

/// The programs of this project that `up` itself runs.
const OWN: [&str; 3] = ["front", "launcher", "stores"];

/// The prefix of the variables that the launcher sets for functions, without it: the
/// environment in the manifest, for plain `cargo lambda watch`, overrides others.
const FUNCTION: &str = "LAUNCHER_ENV_";

/// The level of the lines of calls.
const LOG_LEVELS: &str = "chassis::outbound::call_log=debug";

/// What serves the functions on this machine.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Surface {
    /// `cargo lambda watch`, which rebuilds what changes
    Watch,
    /// `sam local start-api`: release builds in containers; needs Docker
    StartApi,
}

/// Run the whole system on this machine
///
/// Installs what is missing, builds, starts a DynamoDB and a MySQL with sample
/// data, serves every function through `cargo lambda watch` and reports when all
/// of it is ready. Changed sources are rebuilt and served. Ctrl-C stops
/// everything; the data is kept in .kea/data.
#[derive(clap::Args)]
pub struct Arguments {
    /// Port of the API
    #[arg(long, default_value_t = 9000, value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,

    #[command(flatten)]
    stores: Options,

    /// What serves the functions
    #[arg(long, value_enum, default_value_t = Surface::Watch)]
    surface: Surface,

    /// The maximum number of instances of each function
    #[arg(
        long,
        value_name = "N",
        default_value_t = 4,
        value_parser = clap::value_parser!(u16).range(1..)
    )]
    concurrency: u16,

    /// Run release builds of the functions, which take minutes to build
    #[arg(long)]
    release: bool,
}

/// The levels of the functions' log: the user's own, and all calls.
fn log_levels() -> String {
    match env::var("LOG_LEVELS") {
        Ok(own) if !own.is_empty() => format!("{LOG_LEVELS},{own}"),
        _ => LOG_LEVELS.to_owned(),
    }
}

/// The command `up` itself, on a free port and on running stores, and the URL of the API.
pub fn command(project: &Project, stores: &Urls) -> Result<(Command, String)> {
    let port = net::free_port("127.0.0.1")?;
    let mut up = process::command(env::current_exe()?);
    up.args(["up", "--port", &port.to_string()])
        .args(["--dynamodb-url", &stores.dynamodb])
        .current_dir(&project.root);
    if !stores.mysql.is_empty() {
        up.args(["--mysql-url", &stores.mysql]);
    }
    Ok((up, format!("http://127.0.0.1:{port}")))
}

pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let project = Project::read()?;
    let _lock = lock(&project.own_folder(), arguments.port)?;
    arguments.stores.check(Some(arguments.port))?;
    match arguments.surface {
        Surface::Watch => arguments.up_watch(&project),
        Surface::StartApi => arguments.up_start_api(&project),
    }
}

/// Fails if another `up` runs in this clone: they would share the log, the data and the
/// state of `cargo xtask break` in `folder`. The lock ends with the returned file.
fn lock(folder: &Path, port: u16) -> Result<File> {
    fs::create_dir_all(folder)?;
    let path = folder.join("up.lock");
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false);
    let mut file = options.open(&path)?;
    match file.file().try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => bail!(
            "`cargo xtask up` already runs in this clone, {}: stop it first, or use another \
             clone. (`cargo xtask browser` and `cargo xtask surfaces` run it too.)",
            fs::read_to_string(&path)?
        ),
        Err(TryLockError::Error(error)) => return Err(error.into()),
    }
    file.set_len(0)?;
    write!(file, "on port {port} as process {}", std::process::id())?;
    Ok(file)
}

/// Sends when each page has responded: each starts the function that has it, and
/// the last one, which calls all others, is requested when those have. What is sent
/// is why functions are unavailable.
fn wait_until_ready(pages: Vec<String>) -> mpsc::Receiver<Result<Vec<String>>> {
    let (sender, receiver) = mpsc::channel();
    let deadline = Instant::now() + READY_TIMEOUT;
    let outcome = move |page: String| {
        loop {
            match net::fetch(&page, READY_TIMEOUT) {
                Ok((status, body)) => return Ok(unavailable(status, &body)),
                Err(error) if Instant::now() >= deadline => {
                    return Err(error.context("the system is not ready; its log is above"));
                }
                Err(_) => thread::sleep(Duration::from_millis(100)),
            }
        }
    };
    thread::spawn(move || {
        let (last, others) = pages
            .split_last()
            .map_or((None, &[][..]), |(last, others)| (Some(last), others));
        let others: Vec<_> = (others.iter().cloned())
            .map(|page| thread::spawn(move || outcome(page)))
            .collect();
        let others = others.into_iter().filter_map(|thread| thread.join().ok());
        let mut outcomes: Vec<_> = others.collect();
        outcomes.extend(last.cloned().map(outcome));
        let failures: Result<Vec<_>> = outcomes.into_iter().collect();
        let failures = failures.map(|failures| failures.into_iter().flatten().collect());
        // The receiver is gone if the wait was interrupted.
        let _ = sender.send(failures);
    });
    receiver
}

/// Why a function is unavailable, if a response says so: the detail of its problem.
fn unavailable(status: u16, body: &str) -> Option<String> {
    let problem: Value = serde_json::from_str(body).ok()?;
    let detail = problem.get("detail")?.as_str()?;
    (status == 503).then(|| detail.to_owned())
}

impl Arguments {
    fn up_watch(&self, project: &Project) -> Result<ExitCode> {
        let started = Instant::now();
        let cargo_lambda = tools::cargo_lambda(project)?;
        let stores = self.stores.command(project, None)?;
        self.build(project)?;

        step("Starting the stores");
        let stores = Stores::start(stores)?;
        step("Starting the functions");
        let log = project.log_folder();
        Log::at(&log)
            .begin()
            .with_context(|| format!("the log in {} cannot be written", log.display()))?;
        let api = format!("http://127.0.0.1:{}", self.port);
        let urls = stores.urls.clone();
        // Where functions call others.
        let others = api.clone();
        // region: nosqldata
        let wires = Wires::start(project, &api)?;
        let urls = wires.to_stores(&urls, &self.stores)?;
        // region: mysqldata
        let others = wires.to(Wire::Catalogue, &others)?;
        // endregion
        // endregion
        let upstream = net::free_port("127.0.0.1")?;
        let mut functions = self.watch(&cargo_lambda, project, upstream, &others, &urls)?;
        let (name, address) = ("cargo lambda watch", (Ipv4Addr::LOCALHOST, upstream));
        process::wait_until_ready(&mut functions, name, READY_TIMEOUT, || {
            Ok(TcpStream::connect(address)?)
        })?;
        let front = Guarded::spawn(self.front(project, upstream))?;
        let direct = format!("http://127.0.0.1:{upstream}");
        let servers = vec![(name, functions), ("front", front)];
        self.serve(project, started, (&api, &direct), stores, servers)
    }

    fn up_start_api(&self, project: &Project) -> Result<ExitCode> {
        let started = Instant::now();
        ensure!(
            self.stores.dynamodb_url.is_none() && self.stores.mysql_url.is_none(),
            "the surface start-api starts its own stores, at the address of Docker's bridge, \
             which its containers reach: remove --dynamodb-url and --mysql-url"
        );
        let folder = project.create_folder("start-api")?;
        let engine = Engine::find(&folder);
        let engine = engine.with_context(|| format!("start-api needs Docker: {}", docker::HINT))?;
        let host = engine.host()?;
        let stores = self.stores.command(project, Some(host))?;
        project.build(["stores"])?;
        let release = Release::build(project, &folder)?;
        let image = engine.provide_image(&folder)?;
        step(format_args!("The functions run in {image}"));

        step("Starting the stores");
        let stores = Stores::start(stores)?;
        step("Starting the functions");
        let (serve, api) = release.serve(project, &folder, &stores.urls, host, self.port)?;
        let functions = Guarded::spawn(serve).context("sam local start-api cannot be started")?;
        let servers = vec![("sam local start-api", functions)];
        self.serve(project, started, (&api, &api), stores, servers)
    }

    /// Waits until the functions are ready, reports that, and returns when this
    /// process is asked to stop. `api` is where clients find the API, and `direct`
    /// where nothing limits the time of a request. `servers` are those of the API,
    /// with their names.
    fn serve(
        &self,
        project: &Project,
        started: Instant,
        (api, direct): (&str, &str),
        mut stores: Stores,
        mut servers: Vec<(&str, Guarded)>,
    ) -> Result<ExitCode> {
        let paths = project.sample_paths();
        let pages: Vec<_> = paths.iter().map(|path| format!("{api}{path}")).collect();
        let ready = wait_until_ready(paths.iter().map(|path| format!("{direct}{path}")).collect());
        loop {
            for (name, server) in &mut servers {
                if let Some(status) = server.try_wait()? {
                    bail!("{name} ended ({status}), so everything was stopped");
                }
            }
            if let Some(status) = stores.program.try_wait()? {
                bail!("the stores ended ({status}), so everything was stopped");
            }
            if let Ok(failures) = ready.try_recv() {
                let failures = failures?;
                let seconds = started.elapsed().as_secs_f64();
                step(format_args!("Ready after {seconds:.1} s"));
                self.announce(project, api, &pages, &stores.urls)?;
                for failure in failures {
                    println!("{failure}");
                }
            }
            if pause().is_err() {
                step("Stopping");
                if self.surface == Surface::Watch {
                    // Without their server, functions would log errors.
                    for (_, server) in &servers {
                        server.kill_below();
                    }
                }
                return Ok(ExitCode::SUCCESS);
            }
        }
    }

    /// Builds the stores and every function, by the same options as `cargo lambda
    /// watch` does, so that it has nothing to compile. A function that does not
    /// compile does not stop the others.
    fn build(&self, project: &Project) -> Result<()> {
        step("Building; the first time this takes some minutes");
        let mut build = process::cargo(&project.root);
        build.args(["build", "--keep-going"]);
        build.args(project.functions().flat_map(|name| ["--bin", name]));
        if self.release {
            build.arg("--release");
        } else {
            build.args(OWN.iter().flat_map(|name| ["--bin", name]));
        }
        let all_compile = process::status(build)?.success();
        if self.release || !all_compile {
            project.build(OWN)?;
        }
        if !all_compile {
            step("Not every function compiles; the others are started");
        }
        Ok(())
    }

    /// The command of the server in front of `cargo lambda watch` at `upstream`.
    fn front(&self, project: &Project, upstream: u16) -> Command {
        let mut front = process::command(project.program("front"));
        front.args(["--listen", &format!("127.0.0.1:{}", self.port)]);
        front.args(["--upstream", &format!("127.0.0.1:{upstream}")]);
        front.arg("--log").arg(project.log_folder());
        for (function, paths) in &project.routes {
            for path in paths {
                front.args(["--route", &format!("{path}={function}")]);
            }
        }
        front
    }

    /// Starts the server that starts the functions on demand, at `port`. `api` is
    /// where functions call others.
    fn watch(
        &self,
        cargo_lambda: &Path,
        project: &Project,
        port: u16,
        api: &str,
        urls: &Urls,
    ) -> Result<Guarded> {
        let own_dynamodb = self.stores.dynamodb_url.is_some();
        let environment = environment::of_functions(project, api, urls, own_dynamodb)?.into_iter();
        let builds = project.create_folder("builds")?;
        let mut watch = process::command(cargo_lambda);
        watch
            .args(["lambda", "watch", "--quiet", "--disable-cors"])
            .args(["--invoke-address", "127.0.0.1"])
            .args(["--invoke-port", &port.to_string()])
            .args(["--concurrency", &self.concurrency.to_string()])
            .args(self.release.then_some("--release"))
            .current_dir(&project.root)
            .envs(environment.map(|(name, value)| (format!("{FUNCTION}{name}"), value)))
            // As in Lambda, with a line for each call, from which traces are drawn.
            .env(format!("{FUNCTION}AWS_LAMBDA_LOG_FORMAT"), "JSON")
            .env(format!("{FUNCTION}LOG_LEVELS"), log_levels())
            .env("LAUNCHER_LOG", project.log_folder())
            // It runs functions by `cargo run`; this reports those that fail.
            .env("CARGO", project.program("launcher"))
            .env("LAUNCHER_CARGO", process::cargo_program())
            .env("LAUNCHER_FOLDER", builds);
        if env::var_os("RUST_LOG").is_none() {
            // The warnings of cargo-lambda; the functions do not read it. Without
            // those of its watcher, which are about each process that it ends.
            watch.env(
                "RUST_LOG",
                "cargo_lambda=warn,cargo_lambda_watch::watcher=off",
            );
        }
        Guarded::spawn(watch).context("cargo lambda watch cannot be started")
    }

    /// Prints where everything is and what to try.
    fn announce(&self, project: &Project, api: &str, pages: &[String], urls: &Urls) -> Result<()> {
        let token = project.signing_key()?.token("developer", &scopes()?);
        // The URL of one's own store may contain a password.
        let shown = |own: &Option<String>, url: &str| match own {
            Some(_) => "your own".to_owned(),
            None => url.to_owned(),
        };
        let mysql = match urls.mysql.as_str() {
            "" => String::new(),
            url => format!("  MySQL     {}\n", shown(&self.stores.mysql_url, url)),
        };
        println!(
            "
  {}

  DynamoDB  {}
{mysql}
Try, in another terminal; the token is that of a caller who may do everything, for
eight hours (`cargo xtask token` makes others):

  export TOKEN={token}

  curl {api}/",
            pages.join("\n  "),
            shown(&self.stores.dynamodb_url, &urls.dynamodb),
        );
        // region: nosqldata
        println!("  curl '{api}/nosqldata?category=coffee&limit=3'");
        // endregion
        // region: mysqldata nosqldata
        let order = r#"{"customer":"Ada","lines":[{"productId":"moka-pot","quantity":2}]}"#;
        println!("  curl {api}/mysqldata -H \"Authorization: Bearer $TOKEN\" --json '{order}'");
        // endregion
        if self.surface == Surface::Watch {
            println!(
                "
  Watch it:         cargo xtask top
  Follow the log:   cargo xtask logs --follow
  Draw a request:   cargo xtask trace --last"
            );
        }
        // region: mysqldata nosqldata
        if self.surface == Surface::Watch {
            println!("  Break something:  cargo xtask break catalogue (see docs/let-it-fail.md)");
        }
        // endregion
        println!("\nCtrl-C stops everything.");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn second_up_in_a_folder_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let first = lock(folder.path(), 9000).unwrap();
        let error = lock(folder.path(), 9001).unwrap_err().to_string();
        assert!(error.contains("on port 9000"), "{error}");
        drop(first);
        lock(folder.path(), 9001).unwrap();
    }
}
