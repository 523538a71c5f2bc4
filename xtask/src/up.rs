//! `cargo xtask up`.

use std::{
    env,
    fs::{self, File, TryLockError},
    io::Write,
    iter,
    path::Path,
    process::{Command, ExitCode},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use programs::{Guarded, guard};

use crate::{
    environment, ports,
    process::{self, Interrupt, step},
    project::Project,
    readiness,
    stores::{Stores, Urls},
    tools,
    wires::{Wire, Wires},
};

/// How long `cargo lambda watch` may take to stop the functions.
const WATCH_GRACE: Duration = Duration::from_secs(5);

/// What anybody may order.
const SAMPLE_ORDER: &str = r#"{"customer":"Ada","lines":[{"productId":"moka-pot","quantity":2}]}"#;

/// Run the whole system on this machine
///
/// Installs what is missing, builds, starts a DynamoDB and a MySQL with sample
/// data, serves every function through `cargo lambda watch` and says when it is
/// ready. What is changed in the sources is built and served anew. Ctrl-C stops
/// everything; the data is kept in .kea/data.
#[derive(clap::Args)]
pub struct Arguments {
    /// Port of the API
    #[arg(long, default_value_t = 9000, value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,

    /// Port of the DynamoDB that is started
    #[arg(
        long,
        value_name = "PORT",
        default_value_t = 8000,
        value_parser = clap::value_parser!(u16).range(1..),
        conflicts_with = "dynamodb_url"
    )]
    dynamodb_port: u16,

    /// Port of the MySQL that is started
    #[arg(
        long,
        value_name = "PORT",
        default_value_t = 3307,
        value_parser = clap::value_parser!(u16).range(1..),
        conflicts_with = "mysql_url"
    )]
    mysql_port: u16,

    /// Use your own DynamoDB, at this endpoint
    ///
    /// Tables that are missing are made. Region and credentials are those of
    /// your environment, if it has any.
    #[arg(long, value_name = "URL", value_parser = http_url)]
    dynamodb_url: Option<String>,

    /// Use your own MySQL, at mysql://user:password@host:port/database
    ///
    /// The database is made if it is missing, and migrated.
    #[arg(long, value_name = "URL", value_parser = mysql_url)]
    mysql_url: Option<String>,

    /// Drop the data that is kept in .kea/data and begin anew
    ///
    /// Stores that are given by their URL are left as they are.
    #[arg(long)]
    fresh: bool,

    /// How many instances of each function may run at once
    #[arg(
        long,
        value_name = "N",
        default_value_t = 4,
        value_parser = clap::value_parser!(u16).range(1..)
    )]
    concurrency: u16,

    /// Run the functions as they are deployed: optimised, which takes minutes to build
    #[arg(long)]
    release: bool,
}

/// This very command as a program of its own, on `port` and on stores that run
/// already.
pub fn command(project: &Project, port: u16, stores: &Urls) -> Result<Command> {
    let mut up = guard::command(&env::current_exe()?, process::GRACE);
    up.args(["up", "--port", &port.to_string()])
        .args([
            "--dynamodb-url",
            &stores.dynamodb,
            "--mysql-url",
            &stores.mysql,
        ])
        .current_dir(&project.root);
    Ok(up)
}

pub fn run(arguments: &Arguments, interrupt: &Interrupt) -> Result<ExitCode> {
    let started = Instant::now();
    let project = Project::read()?;
    let _lock = arguments.check(&project.own_folder())?;

    let cargo_lambda = tools::cargo_lambda(&project, interrupt)?;
    let mut options = arguments.of_the_stores(&project);
    if arguments.mysql_url.is_none() {
        let mariadbd = tools::mariadbd(interrupt)?;
        options.extend(["--mariadbd".to_owned(), mariadbd.display().to_string()]);
    }

    build(&project, arguments.release, interrupt)?;

    step(format_args!("Starting the stores"));
    let mut stores = Stores::start(&project.program("stores"), &options, interrupt)?;

    step(format_args!("Starting the functions"));
    let api = format!("http://127.0.0.1:{}", arguments.port);
    let wires = Wires::new(&project, &api)?;
    let urls = wires.to_stores(
        &stores.urls,
        arguments.dynamodb_url.is_some(),
        arguments.mysql_url.is_some(),
    )?;
    let behind = wires.to(Wire::Catalogue, &api)?;
    let mut functions = arguments.watch(&cargo_lambda, &project, &behind, &urls)?;

    let paths = readiness::paths(&project);
    let (told, ready) = mpsc::channel();
    thread::spawn({
        let (api, paths) = (api.clone(), paths.clone());
        // Nobody listens any more if the wait was given up.
        move || told.send(readiness::wait(&api, &paths))
    });
    loop {
        if let Some(status) = functions.try_wait()? {
            bail!("cargo lambda watch ended ({status}), so everything was stopped");
        }
        if let Some(status) = stores.try_wait()? {
            bail!("the stores ended ({status}), so everything was stopped");
        }
        if let Ok(outcome) = ready.try_recv() {
            outcome?;
            step(format_args!(
                "Ready after {:.1} s",
                started.elapsed().as_secs_f64()
            ));
            arguments.announce(&api, &paths, &stores.urls);
        }
        if interrupt.pause().is_err() {
            step(format_args!("Stopping"));
            return Ok(ExitCode::SUCCESS);
        }
    }
}

impl Arguments {
    /// Fails where this run could not succeed, before anything slow happens.
    /// Returns the lock of the data folder, if that is used.
    fn check(&self, folder: &Path) -> Result<Option<File>> {
        let lock = if self.keeps_data() {
            Some(lock(folder)?)
        } else {
            None
        };
        ports::require_free(self.port, "the API", "--port")?;
        if self.dynamodb_url.is_none() {
            ports::require_free(self.dynamodb_port, "DynamoDB", "--dynamodb-port")?;
        }
        if self.mysql_url.is_none() {
            ports::require_free(self.mysql_port, "MySQL", "--mysql-port")?;
        }
        Ok(lock)
    }

    /// Whether a store is started here, rather than all given by their URLs.
    fn keeps_data(&self) -> bool {
        self.dynamodb_url.is_none() || self.mysql_url.is_none()
    }

    /// The arguments of `stores`.
    fn of_the_stores(&self, project: &Project) -> Vec<String> {
        let mut options = vec!["--sample".to_owned()];
        if self.keeps_data() {
            let data = project.own_folder().join("data").display().to_string();
            options.extend(["--data".to_owned(), data]);
            if self.fresh {
                options.push("--fresh".to_owned());
            }
        }
        match &self.dynamodb_url {
            Some(url) => options.extend(["--dynamodb-url".to_owned(), url.clone()]),
            None => {
                options.extend(["--dynamodb-port".to_owned(), self.dynamodb_port.to_string()]);
            }
        }
        match &self.mysql_url {
            Some(url) => options.extend(["--mysql-url".to_owned(), url.clone()]),
            None => options.extend(["--mysql-port".to_owned(), self.mysql_port.to_string()]),
        }
        options
    }

    /// Starts the server that starts the functions, as requests come.
    fn watch(
        &self,
        cargo_lambda: &Path,
        project: &Project,
        api: &str,
        urls: &Urls,
    ) -> Result<Guarded> {
        let mut watch = guard::command(cargo_lambda, WATCH_GRACE);
        process::without_cargos_variables(&mut watch);
        watch
            // Quiet: that every instance "runs" is no news.
            .args(["lambda", "watch", "--quiet", "--disable-cors"])
            .args(["--invoke-address", "127.0.0.1"])
            .args(["--invoke-port", &self.port.to_string()])
            .args(["--concurrency", &self.concurrency.to_string()])
            .current_dir(&project.root)
            .envs(environment::of_the_functions(
                project,
                api,
                urls,
                self.dynamodb_url.is_some(),
            ));
        if self.release {
            watch.arg("--release");
        }
        if env::var_os("RUST_LOG").is_none() {
            // Its warnings only. The functions read no such directive.
            watch.env("RUST_LOG", "cargo_lambda=warn");
        }
        Guarded::spawn(watch).context("cargo lambda watch cannot be started")
    }

    /// Says where everything is and what to try.
    fn announce(&self, api: &str, paths: &[String], urls: &Urls) {
        println!();
        for path in paths {
            println!("  {api}{path}");
        }
        println!();
        // The URL of one's own may hold a password.
        let shown = |own: Option<&String>, url| own.map_or(url, |_| "your own").to_owned();
        println!(
            "  DynamoDB  {}",
            shown(self.dynamodb_url.as_ref(), &urls.dynamodb)
        );
        println!(
            "  MySQL     {}",
            shown(self.mysql_url.as_ref(), &urls.mysql)
        );
        println!();
        println!("Try, in another terminal:");
        println!();
        println!("  curl {api}/");
        println!("  curl '{api}/nosqldata?category=coffee&limit=3'");
        println!("  curl {api}/mysqldata --json '{SAMPLE_ORDER}'");
        println!();
        println!("Break something: cargo xtask break catalogue (see docs/let-it-fail.md)");
        println!("Ctrl-C stops everything.");
    }
}

/// Whether it looks like one; the stores find out whether it is.
fn http_url(text: &str) -> Result<String, String> {
    let is_one = text.starts_with("http://") || text.starts_with("https://");
    is_one
        .then(|| text.to_owned())
        .ok_or_else(|| "it must begin with http:// or https://".to_owned())
}

/// Whether it looks like one; the stores find out whether it is.
fn mysql_url(text: &str) -> Result<String, String> {
    let is_one = text.starts_with("mysql://") && text.matches('/').count() == 3;
    is_one
        .then(|| text.to_owned())
        .ok_or_else(|| "its form is mysql://user:password@host:port/database".to_owned())
}

/// Takes the lock of the data folder, which two runs would fight over.
fn lock(folder: &Path) -> Result<File> {
    fs::create_dir_all(folder)
        .with_context(|| format!("the folder {} cannot be made", folder.display()))?;
    let path = folder.join("up.lock");
    let mut file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)?;
    match file.try_lock() {
        Ok(()) => {
            file.set_len(0)?;
            write!(file, "{}", std::process::id())?;
            Ok(file)
        }
        Err(TryLockError::WouldBlock) => {
            let process = fs::read_to_string(&path).unwrap_or_default();
            bail!(
                "another `cargo xtask up` (process {process}) is using {}: stop it first",
                folder.display()
            )
        }
        Err(TryLockError::Error(error)) => Err(error.into()),
    }
}

/// Builds the stores and every function in one go.
fn build(project: &Project, release: bool, interrupt: &Interrupt) -> Result<()> {
    step(format_args!(
        "Building; the first time this takes some minutes"
    ));
    let binaries = |names: &mut dyn Iterator<Item = &str>| {
        let mut command = process::cargo();
        command.arg("build").current_dir(&project.root);
        for name in names {
            // By the same options as `cargo lambda watch` runs them, so that it
            // finds the same features built and compiles nothing.
            command.args(["--bin", name]);
        }
        command
    };
    if release {
        let mut functions = binaries(&mut project.functions());
        functions.arg("--release");
        process::succeed(functions, "the build of the functions", interrupt)?;
        return process::succeed(
            binaries(&mut iter::once("stores")),
            "the build of the stores",
            interrupt,
        );
    }
    process::succeed(
        binaries(&mut project.functions().chain(iter::once("stores"))),
        "the build",
        interrupt,
    )
}
