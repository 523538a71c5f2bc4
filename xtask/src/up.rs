//! `cargo xtask up`.

use std::{
    env,
    path::Path,
    process::{Command, ExitCode},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use programs::Guarded;

use crate::{
    environment,
    net::{self, http_url},
    process::{self, pause, step},
    project::Project,
    stores::{Stores, Urls},
    tools,
    wires::{Wire, Wires},
};

/// The timeout until each function has answered a request.
const READY_TIMEOUT: Duration = Duration::from_mins(1);

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

    /// Use your own DynamoDB at this endpoint
    ///
    /// Missing tables are created. The region and the credentials are those of
    /// your environment, if it has any.
    #[arg(long, value_name = "URL", value_parser = http_url)]
    dynamodb_url: Option<String>,

    /// Use your own MySQL at mysql://user:password@host:port/database
    ///
    /// The database is created if it is missing, and migrated.
    #[arg(long, value_name = "URL", value_parser = mysql_url)]
    mysql_url: Option<String>,

    /// Drop the data in .kea/data and start with the sample data
    ///
    /// Stores that are given by their URL are not changed.
    #[arg(long)]
    fresh: bool,

    /// The maximum number of instances of each function
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

/// The command `up` itself, on `port` and on running stores.
pub fn command(project: &Project, port: u16, stores: &Urls) -> Result<Command> {
    let mut up = process::command(env::current_exe()?);
    up.args(["up", "--port", &port.to_string()])
        .args(["--dynamodb-url", &stores.dynamodb])
        .args(["--mysql-url", &stores.mysql])
        .current_dir(&project.root);
    Ok(up)
}

pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let started = Instant::now();
    let project = Project::read()?;
    arguments.check_ports()?;
    let cargo_lambda = tools::cargo_lambda(&project)?;
    let mut stores = arguments.stores(&project)?;
    arguments.build(&project)?;

    step("Starting the stores");
    stores.current_dir(&project.root);
    let mut stores = Stores::start(stores)?;

    step("Starting the functions");
    let api = format!("http://127.0.0.1:{}", arguments.port);
    let wires = Wires::start(&project, &api)?;
    let urls = wires.to_stores(
        &stores.urls,
        arguments.dynamodb_url.is_some(),
        arguments.mysql_url.is_some(),
    )?;
    let catalogue = wires.to(Wire::Catalogue, &api)?;
    let mut functions = arguments.watch(&cargo_lambda, &project, &catalogue, &urls)?;

    let paths = project.sample_paths();
    let pages: Vec<_> = paths.iter().map(|path| format!("{api}{path}")).collect();
    let ready = wait_until_ready(pages.clone());
    loop {
        if let Some(status) = functions.try_wait()? {
            bail!("cargo lambda watch ended ({status}), so everything was stopped");
        }
        if let Some(status) = stores.try_wait()? {
            bail!("the stores ended ({status}), so everything was stopped");
        }
        if let Ok(outcome) = ready.try_recv() {
            outcome?;
            let seconds = started.elapsed().as_secs_f64();
            step(format_args!("Ready after {seconds:.1} s"));
            arguments.announce(&api, &pages, &stores.urls);
        }
        if pause().is_err() {
            step("Stopping");
            return Ok(ExitCode::SUCCESS);
        }
    }
}

/// Sends when each page has answered, one after the other: each starts the
/// function that has it, and the last one calls all others.
fn wait_until_ready(pages: Vec<String>) -> mpsc::Receiver<Result<()>> {
    let (sender, receiver) = mpsc::channel();
    let deadline = Instant::now() + READY_TIMEOUT;
    thread::spawn(move || {
        let ready = pages.iter().try_for_each(|page| {
            while let Err(error) = net::get(page) {
                if Instant::now() >= deadline {
                    return Err(error.context("the system is not ready; its log is above"));
                }
                thread::sleep(Duration::from_millis(100));
            }
            Ok(())
        });
        // The receiver is gone if the wait was interrupted.
        let _ = sender.send(ready);
    });
    receiver
}

impl Arguments {
    /// Fails before anything slow happens if a port is in use.
    fn check_ports(&self) -> Result<()> {
        net::require_free(self.port, "the API", "--port")?;
        if self.dynamodb_url.is_none() {
            net::require_free(self.dynamodb_port, "DynamoDB", "--dynamodb-port")?;
        }
        if self.mysql_url.is_none() {
            net::require_free(self.mysql_port, "MySQL", "--mysql-port")?;
        }
        Ok(())
    }

    /// The command that starts the stores.
    fn stores(&self, project: &Project) -> Result<Command> {
        let mut stores = Command::new(project.program("stores"));
        stores.arg("--sample");
        if self.dynamodb_url.is_none() || self.mysql_url.is_none() {
            stores.arg("--data").arg(project.own_folder().join("data"));
            stores.args(self.fresh.then_some("--fresh"));
        }
        match &self.dynamodb_url {
            Some(url) => stores.args(["--dynamodb-url", url]),
            None => stores.args(["--dynamodb-port", &self.dynamodb_port.to_string()]),
        };
        match &self.mysql_url {
            Some(url) => stores.args(["--mysql-url", url]),
            None => stores
                .args(["--mysql-port", &self.mysql_port.to_string()])
                .arg("--mariadbd")
                .arg(tools::mariadbd()?),
        };
        Ok(stores)
    }

    /// Builds the stores and every function, by the same options as `cargo lambda
    /// watch` does, so that it has nothing to compile.
    fn build(&self, project: &Project) -> Result<()> {
        step("Building; the first time this takes some minutes");
        if !self.release {
            return project.build(project.functions().chain(["stores"]));
        }
        let mut functions = process::cargo(&project.root);
        functions.args(["build", "--release"]);
        functions.args(project.functions().flat_map(|name| ["--bin", name]));
        process::succeed(functions, "cargo build --release")?;
        project.build(["stores"])
    }

    /// Starts the server that starts the functions on demand.
    fn watch(
        &self,
        cargo_lambda: &Path,
        project: &Project,
        api: &str,
        urls: &Urls,
    ) -> Result<Guarded> {
        let own_dynamodb = self.dynamodb_url.is_some();
        let mut watch = process::command(cargo_lambda);
        process::remove_package_variables(&mut watch);
        watch
            .args(["lambda", "watch", "--quiet", "--disable-cors"])
            .args(["--invoke-address", "127.0.0.1"])
            .args(["--invoke-port", &self.port.to_string()])
            .args(["--concurrency", &self.concurrency.to_string()])
            .args(self.release.then_some("--release"))
            .current_dir(&project.root)
            .envs(environment::of_functions(api, urls, own_dynamodb)?);
        if env::var_os("RUST_LOG").is_none() {
            // The warnings of cargo-lambda; the functions do not read it.
            watch.env("RUST_LOG", "cargo_lambda=warn");
        }
        Guarded::spawn(watch).context("cargo lambda watch cannot be started")
    }

    /// Prints where everything is and what to try.
    fn announce(&self, api: &str, pages: &[String], urls: &Urls) {
        // The URL of one's own store may contain a password.
        let shown = |own: &Option<String>, url: &str| match own {
            Some(_) => "your own".to_owned(),
            None => url.to_owned(),
        };
        println!(
            "
  {}

  DynamoDB  {}
  MySQL     {}

Try, in another terminal:

  curl {api}/
  curl '{api}/nosqldata?category=coffee&limit=3'
  curl {api}/mysqldata --json '{{\"customer\":\"Ada\",\"lines\":[{{\"productId\":\"moka-pot\",\"quantity\":2}}]}}'

Break something: cargo xtask break catalogue (see docs/let-it-fail.md)
Ctrl-C stops everything.",
            pages.join("\n  "),
            shown(&self.dynamodb_url, &urls.dynamodb),
            shown(&self.mysql_url, &urls.mysql),
        );
    }
}

/// Parses what looks like a URL of MySQL; the stores check whether it is one.
fn mysql_url(text: &str) -> Result<String, String> {
    if text.starts_with("mysql://") && text.matches('/').count() == 3 {
        Ok(text.to_owned())
    } else {
        Err("its form is mysql://user:password@host:port/database".to_owned())
    }
}
