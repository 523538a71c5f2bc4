// region: mysqldata nosqldata
//! The stores, and for each size the functions' programs on data of their own.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    net::Ipv4Addr,
    path::Path,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use mysql_async::{Conn, Opts, prelude::Queryable};
use programs::proc;
use serde_json::Value;
use stores::{
    dynamodb,
    mariadb::{Durability, MariaDb},
    mysql,
};
use template::{Local, Template};
use testbed::{Client, Function, Gateway, callers};

use crate::program::{self, Program};

use super::{
    fill,
    function::{Timed, Times},
};

/// The orders of a page.
pub const PAGE: u32 = 20;

/// A request: the target, and the body of a `POST`.
pub struct Request(pub String, pub Option<Value>);

/// The servers of the stores.
pub struct Server {
    dynamodb: dynamodb::Server,
    mariadb: MariaDb,
    process: u32,
    _folder: tempfile::TempDir,
}

/// The functions on data of one size.
pub struct System {
    /// The orders that it started with.
    pub orders: u32,
    /// The products.
    pub products: u32,
    /// The ids of some orders.
    pub ids: Vec<String>,
    /// The parameter that selects page 1000 of the orders, or the last full page.
    pub page_1000: String,
    /// The same of the products.
    pub products_page_1000: String,
    /// The time that adding the orders to their sums took.
    pub backfill: Duration,
    client: Client,
    times: BTreeMap<&'static str, Times>,
    processes: Vec<u32>,
    _gateway: Gateway,
}

impl Server {
    /// Starts the stores, with memory for the largest size.
    pub async fn start() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("growth-").tempdir()?;
        let data = folder.path().join("mysql");
        let durability = Durability::ThrowAway;
        let mariadb = MariaDb::start((Ipv4Addr::LOCALHOST, 0), &data, durability, None).await?;
        let process = fs::read_to_string(data.join("pid"))?.trim().parse()?;
        let mut connection = Conn::new(Opts::from_url(mariadb.url())?).await?;
        for size in [
            "SET GLOBAL innodb_buffer_pool_size = 1073741824",
            "SET GLOBAL innodb_log_file_size = 268435456",
        ] {
            connection.query_drop(size).await?;
        }
        connection.disconnect().await?;
        Ok(Self {
            dynamodb: dynamodb::Server::start((Ipv4Addr::LOCALHOST, 0), None).await?,
            mariadb,
            process,
            _folder: folder,
        })
    }

    /// The processor time of a system's functions and of the database.
    pub fn processor_time(&self, system: &System) -> Result<Duration> {
        let mut time = proc::cpu_time(self.process)?;
        for &process in &system.processes {
            time += proc::cpu_time(process)?;
        }
        Ok(time)
    }

    /// The number of waits for a lock of a row, and the longest in milliseconds.
    pub async fn lock_waits(&self) -> Result<(u64, u64)> {
        let mut connection = Conn::new(Opts::from_url(self.mariadb.url())?).await?;
        let sql = "SHOW GLOBAL STATUS LIKE 'Innodb_row_lock%'";
        let rows: Vec<(String, u64)> = connection.query(sql).await?;
        connection.disconnect().await?;
        let value = |name: &str| rows.iter().find(|row| row.0 == name).map_or(0, |row| row.1);
        Ok((
            value("Innodb_row_lock_waits"),
            value("Innodb_row_lock_time_max"),
        ))
    }
}

impl System {
    /// Fills the stores and starts the functions.
    pub async fn start(
        output: &Path,
        server: &Server,
        orders: u32,
        instances: usize,
    ) -> Result<Self> {
        let products = orders.clamp(100, 100_000);
        eprintln!("growth: inserting {orders} orders and {products} products");
        let name = format!("orders_{orders}");
        let database = mysql::create_database(server.mariadb.url(), &name).await?;
        mysql::migrate(&database, &stores::migrations()).await?;
        mysql::grant(&database, &stores::grants()).await?;
        let mut connection = Conn::new(Opts::from_url(&database)?).await?;
        fill::orders(&mut connection, orders).await?;
        let started = Instant::now();
        let migrate = migrate::Migrate::new(migrate::Config {
            mysql: database.parse().map_err(anyhow::Error::msg)?,
            secret: None,
            creates_users: false,
        });
        let deadline = tokio::time::Instant::now() + Duration::from_mins(15);
        let report = migrate.run(deadline).await?;
        ensure!(
            report.summed == usize::try_from(orders)?,
            "not all orders were summed"
        );
        let backfill = started.elapsed();
        eprintln!("growth: added them to the sums in {backfill:?}");
        let analyze = "ANALYZE TABLE orders, order_lines, order_sums, product_sums";
        connection.query_drop(analyze).await?;

        let client = dynamodb::client(server.dynamodb.url());
        let prefix = format!("{name}-");
        dynamodb::create_tables(&client, &template::path(), &prefix).await?;

        let (listener, api) = Gateway::listen().await;
        let template = Template::read(&template::path())?;
        // As they are deployed, beside the folder of this program.
        let programs = std::env::current_exe()?.with_file_name("../release");
        let (mut routes, mut times, mut processes) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        for name in ["mysqldata", "nosqldata"] {
            let function = template.function(name)?;
            let user = function.database_user().unwrap_or_default();
            let server_address = testbed::address(server.mariadb.url());
            let variables = function.local_variables(&Local {
                api: format!("http://{api}"),
                dynamodb: server.dynamodb.url().to_owned(),
                mysql: format!("mysql://{user}:{user}@{server_address}/orders_{orders}"),
                table_prefix: prefix.clone(),
                auth: callers::environment(),
            });
            let own: Times = Arc::new(Mutex::default());
            let mut started = Vec::new();
            for n in 0..instances {
                let log = File::create(output.join(format!("{name}-{orders}-{n}.log")))?;
                let mut command = program::command(&programs.join(name), &variables, 256);
                command.stdout(log.try_clone()?).stderr(log);
                let program = Program::start(command).await?;
                processes.push(program.id());
                let times = own.clone();
                started.push(Timed { program, times });
            }
            let paths = function.paths().into_iter();
            let function = Function::new(started);
            routes.extend(paths.map(|path| (path, function.clone())));
            times.insert(name, own);
        }
        let gateway = Gateway::serve(listener, routes);
        let mut system = Self {
            orders,
            products,
            ids: Vec::new(),
            page_1000: String::new(),
            products_page_1000: String::new(),
            backfill,
            client: Client::new(gateway.url()),
            times,
            processes,
            _gateway: gateway,
        };
        let product = system.client.put_product("p0", 100, "DKK").await;
        product.expect(201);
        fill::products(&client, &format!("{prefix}products"), products).await?;
        let ids = "SELECT id FROM orders ORDER BY MD5(id) LIMIT 100";
        let ids: Vec<uuid::Uuid> = connection.query(ids).await?;
        connection.disconnect().await?;
        system.ids = ids.iter().map(ToString::to_string).collect();
        system.page_1000 = system.cursor("/mysqldata").await;
        system.products_page_1000 = system.cursor("/nosqldata").await;
        Ok(system)
    }

    /// The cursor of page 1000 of a list, or of the last full page.
    async fn cursor(&self, list: &str) -> String {
        let (mut cursor, mut next) = (String::new(), String::new());
        for _ in 0..1000 {
            let target = format!("{list}?limit={PAGE}{next}");
            let page = self.client.get(&target).await.expect(200).json();
            let items = page["items"].as_array().map_or(0, Vec::len);
            if items < PAGE as usize {
                break;
            }
            cursor = next;
            match page["nextCursor"].as_str() {
                Some(it) => next = format!("&cursor={it}"),
                None => break,
            }
        }
        cursor
    }

    /// Sends a request, which must succeed.
    pub async fn send(&self, Request(target, body): Request) -> Result<()> {
        let response = match body {
            None => self.client.get(&target).await,
            Some(body) => self.client.post(&target, &body).await,
        };
        ensure!(response.status.is_success(), "{target}: {response}");
        Ok(())
    }

    /// Takes the times of the calls since the last time: of the orders, if there were
    /// any, and otherwise of the catalogue.
    pub fn take_times(&self) -> Vec<Duration> {
        let [orders, products] = ["mysqldata", "nosqldata"]
            .map(|name| std::mem::take(&mut *self.times[name].lock().unwrap()));
        if orders.is_empty() { products } else { orders }
    }
}
// endregion
