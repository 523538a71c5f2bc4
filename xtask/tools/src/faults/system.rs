// region: mysqldata nosqldata
//! The system under test: the deployed binaries under the Lambda Runtime API of
//! `cargo lambda watch`, on their own stores, with a proxy on every connection.

use std::{
    fs::{self, File},
    net::Ipv4Addr,
    path::Path,
    time::Duration,
};

use anyhow::{Context, Result};
use mysql_async::{Conn, Opts};
use programs::{Guarded, guard};
use rustix::process::{Pid, Signal, kill_process};
use stores::{
    dynamodb,
    mariadb::{Durability, MariaDb},
    mysql, sample,
};
use tempfile::TempDir;
use template::{Local, Template};
use tokio::{
    process::{Child, Command},
    time::{sleep, timeout},
};

use crate::{
    folder::own_folder,
    port::{free_addresses, until_listening},
    program,
};
use testbed::{
    Client, address, callers,
    wire::{Protocol, Proxy},
};

/// The number of clients; each sends one request at a time.
pub const CLIENTS: usize = 8;

/// The products that are ordered, of the sample catalogue.
pub const PRODUCTS: [&str; 4] = ["espresso-cups", "french-press", "hand-grinder", "moka-pot"];

/// The instances of each function: as many as there can be concurrent requests,
/// since Lambda queues none. Placing an order also calls the catalogue.
const INSTANCES: [(&str, usize); 2] = [("mysqldata", CLIENTS), ("nosqldata", 2 * CLIENTS)];

/// The time that `cargo lambda watch` has to stop.
const WATCH_GRACE: Duration = Duration::from_secs(5);

/// The system, as separate processes.
pub struct System {
    /// A client of the API.
    pub client: Client,
    /// The proxy between the orders and the catalogue.
    pub catalogue: Proxy,
    /// The proxy between the catalogue and its store.
    pub dynamodb: Proxy,
    /// The proxy between the orders and their store.
    pub mysql: Proxy,
    instances: Vec<Instance>,
    mariadb: Option<MariaDb>,
    folder: TempDir,
    /// The URL of the orders' database, without the proxy.
    database: String,
    _watch: Guarded,
    _store: dynamodb::Server,
}

/// One process of a function.
struct Instance {
    function: &'static str,
    command: Command,
    process: Child,
}

/// A process to kill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Victim {
    /// An instance of this function.
    Function(&'static str),
    /// The orders' database.
    MySql,
}

impl System {
    /// Starts the system with the sample catalogue, and waits until it is healthy.
    ///
    /// # Errors
    /// A part of it does not start.
    pub async fn start(cargo_lambda: &Path) -> Result<Self> {
        eprintln!("faults: starting the stores, the Runtime API and the functions");
        let folder = tempfile::Builder::new().prefix("faults-").tempdir()?;
        let logs = own_folder("faults")?;

        let store = dynamodb::Server::start((Ipv4Addr::LOCALHOST, 0), None).await?;
        let client = dynamodb::client(store.url());
        dynamodb::create_tables(&client, &template::path(), "").await?;
        sample::products::insert(&client, "products").await?;
        let dynamodb = Proxy::start(address(store.url()), Protocol::DynamoDb).await?;

        let mariadb = start_mariadb(&folder, 0).await?;
        let database = mariadb.url().to_owned();
        mysql::migrate(&database, &stores::migrations()).await?;
        let mysql = Proxy::start(address(&database), Protocol::MySql).await?;

        let [api] = free_addresses()?;
        let catalogue = Proxy::start(api.to_string(), Protocol::Http).await?;
        let watch = watch(cargo_lambda, api.port(), &logs)?;

        let template = Template::read(&template::path())?;
        let local = Local {
            api: format!("http://{}", catalogue.address()),
            dynamodb: format!("http://{}", dynamodb.address()),
            mysql: database.replace(address(&database), &mysql.address().to_string()),
            table_prefix: String::new(),
            auth: callers::environment(),
        };
        // They are beside this program.
        let this = std::env::current_exe()?;
        until_listening(api, "cargo lambda watch").await?;
        let mut instances = Vec::new();
        for (function, count) in INSTANCES {
            let variables = template.function(function)?.local_variables(&local);
            for n in 0..count {
                let log = File::create(logs.join(format!("{function}-{n}.log")))?;
                let file = this.with_file_name(function);
                let mut command = program::command(&file, &variables, 256);
                command
                    .env(
                        "AWS_LAMBDA_RUNTIME_API",
                        format!("http://{api}/.rt/{function}"),
                    )
                    .stdout(log.try_clone()?)
                    .stderr(log);
                let process = command
                    .spawn()
                    .with_context(|| format!("{function} cannot be started"))?;
                instances.push(Instance {
                    function,
                    command,
                    process,
                });
            }
        }
        let system = Self {
            client: Client::new(format!("http://{api}")),
            catalogue,
            dynamodb,
            mysql,
            instances,
            mariadb: Some(mariadb),
            folder,
            database,
            _watch: watch,
            _store: store,
        };
        system.until_healthy().await?;
        Ok(system)
    }

    /// Opens a connection to the orders' database, without the proxy.
    ///
    /// # Errors
    /// The database is unavailable.
    pub async fn connect(&self) -> Result<Conn> {
        Ok(Conn::new(Opts::from_url(&self.database)?).await?)
    }

    /// Kills a process with `kill -9`. A function restarts immediately, as on
    /// Lambda; the database does not.
    ///
    /// # Errors
    /// The process does not run.
    pub async fn kill(&mut self, victim: Victim) -> Result<()> {
        match victim {
            Victim::Function(function) => {
                let mut candidates: Vec<_> = (self.instances.iter_mut())
                    .filter(|instance| instance.function == function)
                    .collect();
                let chosen = fastrand::usize(..candidates.len());
                let instance = &mut *candidates[chosen];
                instance.process.kill().await?;
                instance.process = instance.command.spawn()?;
            }
            Victim::MySql => {
                let file = self.folder.path().join("mysql/pid");
                let pid = fs::read_to_string(file)?.trim().parse().ok();
                let pid = pid
                    .and_then(Pid::from_raw)
                    .context("the pid file has no pid")?;
                kill_process(pid, Signal::KILL)?;
                if let Some(mut mariadb) = self.mariadb.take() {
                    mariadb.ended().await?;
                }
            }
        }
        Ok(())
    }

    /// Restarts the orders' database, if it was killed, and waits for its recovery.
    ///
    /// # Errors
    /// It does not start.
    pub async fn restart_mysql(&mut self) -> Result<()> {
        if self.mariadb.is_none() {
            let port = Opts::from_url(&self.database)?.tcp_port();
            self.mariadb = Some(start_mariadb(&self.folder, port).await?);
        }
        Ok(())
    }

    /// Ends the fault of every connection.
    pub async fn heal(&self) {
        for proxy in [&self.catalogue, &self.dynamodb, &self.mysql] {
            proxy.heal().await;
        }
    }

    /// Waits until both functions are healthy.
    async fn until_healthy(&self) -> Result<()> {
        let healthy = async {
            for (function, _) in INSTANCES {
                let health = format!("/health/{function}");
                let limit = Duration::from_secs(15);
                while !(self.client.try_get(&health, limit).await)
                    .is_some_and(|it| it.status.is_success())
                {
                    sleep(Duration::from_millis(100)).await;
                }
            }
        };
        timeout(Duration::from_mins(5), healthy)
            .await
            .context("the functions are not healthy after five minutes")
    }

    /// Stops the functions; the rest stops when it is dropped.
    pub async fn stop(mut self) {
        for instance in &mut self.instances {
            let _ = instance.process.kill().await;
        }
    }
}

/// Starts MariaDB so that it flushes every acknowledged transaction to disk.
async fn start_mariadb(folder: &TempDir, port: u16) -> Result<MariaDb> {
    let folder = folder.path().join("mysql");
    MariaDb::start((Ipv4Addr::LOCALHOST, port), &folder, Durability::Kept, None).await
}

/// Starts the Lambda Runtime API and the routes. The suite starts the functions
/// itself: it kills them and restarts them as Lambda does, whereas `cargo lambda
/// watch` restarts a function only when its sources change.
fn watch(cargo_lambda: &Path, port: u16, logs: &Path) -> Result<Guarded> {
    let log = File::create(logs.join("cargo-lambda.log"))?;
    let mut watch = guard::command(cargo_lambda, WATCH_GRACE);
    watch
        .args(["lambda", "watch", "--quiet", "--only-lambda-apis"])
        .args(["--invoke-address", "127.0.0.1"])
        .args(["--invoke-port", &port.to_string()])
        .current_dir(template::project())
        .stdout(log.try_clone()?)
        .stderr(log);
    Guarded::spawn(watch).context("cargo lambda watch cannot be started")
}
// endregion
