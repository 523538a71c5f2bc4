// region: mysqldata nosqldata
//! The system under test: the deployed binaries under the Lambda Runtime API of
//! `cargo lambda watch`, on their own stores, with a proxy on every connection.

use std::{
    fs::{self, File},
    net::TcpListener,
    path::PathBuf,
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use mysql_async::{Conn, Opts};
use programs::{Guarded, guard};
use rustix::process::{Pid, Signal, kill_process};
use stores::{
    dynamodb,
    mariadb::{Durability, MariaDb},
    mysql, sample,
};
use tempfile::TempDir;
use tokio::{
    process::{Child, Command},
    time::{sleep, timeout},
};

use super::Arguments;
use testbed::{
    Client, address, callers,
    wire::{Protocol, Proxy},
};

/// The number of clients; each sends one request at a time.
pub const CLIENTS: usize = 6;

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
    mariadbd: PathBuf,
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
    pub async fn start(arguments: &Arguments) -> Result<Self> {
        eprintln!("faults: starting the stores, the Runtime API and the functions");
        let folder = tempfile::Builder::new().prefix("faults-").tempdir()?;
        fs::create_dir_all(&arguments.logs)?;

        let store = dynamodb::Server::start(0, None).await?;
        let client = dynamodb::client(store.url());
        let tables = dynamodb::create_tables(&client, &stores::template(), "").await?;
        let table = |name: &str| {
            let table = tables.iter().find(|table| *table == name);
            table.cloned().context("the template has other tables")
        };
        sample::products::insert(&client, &table("products")?).await?;
        let dynamodb = Proxy::start(address(store.url()), Protocol::DynamoDb).await?;

        let mariadb = start_mariadb(&arguments.mariadbd, &folder, 0).await?;
        let database = mariadb.url().to_owned();
        mysql::migrate(&database, &stores::migrations()).await?;
        let mysql = Proxy::start(address(&database), Protocol::MySql).await?;

        let port = free_port()?;
        let api = format!("127.0.0.1:{port}");
        let catalogue = Proxy::start(api.clone(), Protocol::Http).await?;
        let watch = watch(arguments, port)?;

        let proxied = database.replace(&address(&database), &mysql.address().to_string());
        let environment = [
            ("API_URL", format!("http://{}", catalogue.address())),
            ("PRODUCTS_TABLE", table("products")?),
            ("IDEMPOTENCY_TABLE", table("idempotency-keys")?),
            ("MYSQL_URL", proxied),
            (
                "AWS_ENDPOINT_URL_DYNAMODB",
                format!("http://{}", dynamodb.address()),
            ),
            ("AWS_REGION", dynamodb::REGION.to_owned()),
            ("AWS_ACCESS_KEY_ID", "local".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "local".to_owned()),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256".to_owned()),
            ("AWS_LAMBDA_FUNCTION_VERSION", "1".to_owned()),
        ];
        until_listening(&api).await?;
        let mut instances = Vec::new();
        for (function, count) in INSTANCES {
            for n in 0..count {
                let mut command = Command::new(arguments.functions.join(function));
                let log = File::create(arguments.logs.join(format!("{function}-{n}.log")))?;
                command
                    .envs(environment.iter().map(|(name, value)| (*name, value)))
                    .envs(callers::environment())
                    .env("AWS_LAMBDA_FUNCTION_NAME", function)
                    .env(
                        "AWS_LAMBDA_RUNTIME_API",
                        format!("http://{api}/.rt/{function}"),
                    )
                    .stdin(Stdio::null())
                    .stdout(log.try_clone()?)
                    .stderr(log)
                    .kill_on_drop(true);
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
            mariadbd: arguments.mariadbd.clone(),
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
            self.mariadb = Some(start_mariadb(&self.mariadbd, &self.folder, port).await?);
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
        timeout(Duration::from_mins(1), healthy)
            .await
            .context("the functions are not healthy after a minute")
    }

    /// Stops the functions; the rest stops when it is dropped.
    pub async fn stop(mut self) {
        for instance in &mut self.instances {
            let _ = instance.process.kill().await;
        }
    }
}

/// Starts MariaDB so that it flushes every acknowledged transaction to disk.
async fn start_mariadb(program: &std::path::Path, folder: &TempDir, port: u16) -> Result<MariaDb> {
    let folder = folder.path().join("mysql");
    MariaDb::start(program, &folder, port, Durability::Kept).await
}

/// Starts the Lambda Runtime API and the routes. The suite starts the functions
/// itself: it kills them and restarts them as Lambda does, whereas `cargo lambda
/// watch` restarts a function only when its sources change.
fn watch(arguments: &Arguments, port: u16) -> Result<Guarded> {
    let log = File::create(arguments.logs.join("cargo-lambda.log"))?;
    let mut watch = guard::command(&arguments.cargo_lambda, WATCH_GRACE);
    watch
        .args(["lambda", "watch", "--quiet", "--only-lambda-apis"])
        .args(["--invoke-address", "127.0.0.1"])
        .args(["--invoke-port", &port.to_string()])
        .current_dir(stores::project())
        .stdout(log.try_clone()?)
        .stderr(log);
    Guarded::spawn(watch).context("cargo lambda watch cannot be started")
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

async fn until_listening(address: &str) -> Result<()> {
    for _ in 0..600 {
        if tokio::net::TcpStream::connect(address).await.is_ok() {
            return Ok(());
        }
        sleep(Duration::from_millis(50)).await;
    }
    bail!("cargo lambda watch does not listen on {address}")
}
// endregion
