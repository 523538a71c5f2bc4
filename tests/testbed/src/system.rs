//! The system: every function behind one gateway, on stores of the test's own.
//!
//! Nothing else in the tests knows how a function is built.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    thread,
    time::{Duration, SystemTime},
};

use aws_sdk_dynamodb::{
    Client as DynamoDb,
    config::{Credentials, Region},
};
use chassis::{Event, Handler, Router, Service, resilience::Policy};
use futures_util::{FutureExt, future::BoxFuture};
use lambda_http::{Context, LambdaEvent};
use mysql_async::{Conn, Opts, prelude::Queryable};
use serde_json::Value;
use stores::{dynamodb, mysql, sample};

use crate::{
    Client, Gateway, address,
    gateway::{Function, Instance},
    store,
    wire::{Protocol, Proxy},
};

/// The timeout of a deployed function: `Timeout` in `template.yaml`.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The names of the functions that respond to HTTP requests.
pub const FUNCTIONS: [&str; 6] = [
    "docs",
    "health",
    "hello",
    "mysqldata",
    "nosqldata",
    "oscheck",
];

/// How a system is set up, where a test needs more than the usual.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Instances of each function: with more than one, requests race.
    pub instances: usize,
    /// How the orders call the catalogue.
    pub catalogue: Policy,
    /// How the catalogue calls `DynamoDB`.
    pub dynamodb: Policy,
    /// How the orders call `MySQL`.
    pub mysql: Policy,
    /// Where the catalogue finds `DynamoDB`, in place of the system's proxy.
    pub dynamodb_address: Option<SocketAddr>,
}

/// One instance, and the policies of the deployed functions.
impl Default for Setup {
    fn default() -> Self {
        Self {
            instances: 1,
            catalogue: mysqldata::config::default_catalogue_policy(),
            dynamodb: nosqldata::config::default_policy(),
            mysql: mysqldata::config::default_mysql_policy(),
            dynamodb_address: None,
        }
    }
}

impl Setup {
    /// The same, with this policy for every call.
    pub fn with_policy(self, policy: &Policy) -> Self {
        Self {
            catalogue: policy.clone(),
            dynamodb: policy.clone(),
            mysql: policy.clone(),
            ..self
        }
    }
}

/// The whole system.
pub struct System {
    /// The gateway that the functions are behind.
    pub gateway: Gateway,
    /// A client of it.
    pub client: Client,
    /// The wire to `DynamoDB`.
    pub dynamodb: Proxy,
    /// The wire to `MySQL`.
    pub mysql: Proxy,
    /// The wire from the orders to the catalogue.
    pub catalogue: Proxy,
    /// The test's own `DynamoDB` table of products.
    pub table: String,
    /// The test's own `DynamoDB` table of idempotency keys.
    pub keys_table: String,
    /// The test's own `MySQL` database.
    pub database: String,
    functions: BTreeMap<&'static str, Function>,
}

/// The user, and its password, that the orders function signs in as here: one
/// that may do just what the deployed one may.
const ORDERS: &str = "orders";

async fn grant_orders(database: &str) -> mysql_async::Result<()> {
    let opts = Opts::from_url(database)?;
    let name = opts.db_name().unwrap_or_default().to_owned();
    let mut connection = Conn::new(opts).await?;
    connection
        .query_drop(format!(
            "CREATE USER IF NOT EXISTS '{ORDERS}'@'%' IDENTIFIED BY '{ORDERS}'"
        ))
        .await?;
    for (table, rights) in migrate::GRANTS {
        connection
            .query_drop(format!(
                "GRANT {rights} ON `{name}`.`{table}` TO '{ORDERS}'@'%'"
            ))
            .await?;
    }
    connection.disconnect().await
}

impl System {
    /// Starts it with empty stores and one instance of each function.
    pub async fn start() -> Self {
        Self::with(Setup::default()).await
    }

    /// Starts it with empty stores and this many instances of each function: with
    /// more than one, requests race.
    pub async fn with_instances(instances: usize) -> Self {
        Self::with(Setup {
            instances,
            ..Setup::default()
        })
        .await
    }

    /// Starts it with the sample catalogue and orders in its stores, and one
    /// instance of each function.
    pub async fn with_samples() -> Self {
        let system = Self::start().await;
        let products = sample::insert_products(&system.store(), &system.table).await;
        products.expect("sample products");
        let orders = sample::insert_orders(&system.database).await;
        orders.expect("sample orders");
        system
    }

    /// Starts it with empty stores, set up in this way.
    pub async fn with(setup: Setup) -> Self {
        let name = format!("test_{}", uuid::Uuid::now_v7().simple());

        let dynamodb_url = store("KEA_TEST_DYNAMODB_URL");
        let client = dynamodb::client(&dynamodb_url);
        let prefix = format!("{name}-");
        let tables = dynamodb::create_tables(&client, &stores::template(), &prefix).await;
        let tables = tables.expect("tables");
        let named = |name: &str| {
            let table = tables.iter().find(|table| table.ends_with(name));
            table.cloned().expect("a table of the template")
        };
        let (table, keys_table) = (named("-products"), named("-idempotency-keys"));
        let dynamodb = Proxy::start(address(&dynamodb_url), Protocol::DynamoDb).await;

        let mysql_url = store("KEA_TEST_MYSQL_URL");
        let database = mysql::create_database(&mysql_url, &name).await;
        let database = database.expect("a database");
        let migrated = mysql::migrate(&database, &stores::migrations()).await;
        migrated.expect("migrations");
        grant_orders(&database).await.expect("grants");
        let mysql = Proxy::start(address(&mysql_url), Protocol::MySql).await;

        let (listener, api) = Gateway::listen().await;
        let catalogue = Proxy::start(api.to_string(), Protocol::Http).await;
        let behind = setup.dynamodb_address.unwrap_or(dynamodb.address());
        let environment = Environment {
            api: format!("http://{api}"),
            catalogue: format!("http://{}", catalogue.address()),
            table: table.clone(),
            keys_table: keys_table.clone(),
            dynamodb: format!("http://{behind}"),
            mysql: format!("mysql://{ORDERS}:{ORDERS}@{}/{name}", mysql.address()),
            setup,
        };
        let mut functions = BTreeMap::new();
        let mut routes = BTreeMap::new();
        for name in FUNCTIONS {
            let mut instances = Vec::new();
            let mut paths = Vec::new();
            for _ in 0..environment.setup.instances {
                let service = environment.service(name).await;
                paths = service.paths().to_vec();
                instances.push(Local(Handler::new(service)));
            }
            let function = Function::new(instances);
            routes.extend(paths.into_iter().map(|path| (path, function.clone())));
            functions.insert(name, function);
        }
        let gateway = Gateway::serve(listener, routes);
        let client = Client::new(gateway.url());
        Self {
            gateway,
            client,
            dynamodb,
            mysql,
            catalogue,
            table,
            keys_table,
            database,
            functions,
        }
    }

    /// A client of the test's `DynamoDB`, past the proxy.
    pub fn store(&self) -> DynamoDb {
        dynamodb::client(&store("KEA_TEST_DYNAMODB_URL"))
    }

    /// A connection to the test's `MySQL` database, past the proxy.
    pub async fn connect(&self) -> Conn {
        let opts = Opts::from_url(&self.database).expect("a URL");
        Conn::new(opts).await.expect("a connection")
    }

    /// Invokes a function with an event, as Lambda does, and returns its response.
    pub async fn invoke(&self, function: &str, event: &Value) -> Value {
        let function = self.functions.get(function);
        let function = function.expect("there is a function of this name");
        function.invoke(event).await
    }
}

/// Drops the test's database: a server slows down with thousands of them.
impl Drop for System {
    fn drop(&mut self) {
        let url = self.database.clone();
        // Its own thread, because a destructor cannot wait in the test's runtime.
        let dropping = thread::spawn(move || -> anyhow::Result<()> {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            let name = mysql::database(&url)?;
            runtime.block_on(mysql::drop_database(&url, &name))
        });
        let dropped = dropping.join().expect("the thread does not panic");
        if !thread::panicking() {
            dropped.expect("the database is dropped");
        }
    }
}

/// An instance of a function in this process.
struct Local(Handler);

impl Instance for Local {
    fn invoke(&self, event: Value) -> BoxFuture<'_, Value> {
        invoke(&self.0, event, TIMEOUT).boxed()
    }
}

/// Invokes a handler with an event that has to be handled within `limit`.
pub async fn invoke(handler: &Handler, event: Value, limit: Duration) -> Value {
    let deadline = SystemTime::now() + limit;
    let since = deadline.duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let mut context = Context::default();
    context.request_id = uuid::Uuid::now_v7().to_string();
    context.deadline = u64::try_from(since.as_millis()).unwrap();
    let payload: Event = serde_json::from_value(event).expect("any JSON is an event");
    let response = handler.handle(LambdaEvent::new(payload, context)).await;
    serde_json::to_value(response.expect("infallible")).unwrap()
}

/// The handler of a router, as a function's `main` makes it.
pub fn handler(router: Router) -> Handler {
    Handler::new(router.into_service())
}

/// Every function as a service. No store is needed: a function starts without.
pub async fn services() -> Vec<Service> {
    let closed = "http://127.0.0.1:9".to_owned();
    let environment = Environment {
        api: closed.clone(),
        catalogue: closed.clone(),
        table: "none".to_owned(),
        keys_table: "none".to_owned(),
        dynamodb: closed,
        mysql: "mysql://nobody@127.0.0.1:9/none".to_owned(),
        setup: Setup::default(),
    };
    let mut services = Vec::new();
    for name in FUNCTIONS {
        services.push(environment.service(name).await);
    }
    services
}

/// Each path that a function declares, and that function.
pub async fn routes() -> BTreeMap<String, String> {
    let mut routes = BTreeMap::new();
    for service in services().await {
        let name = service.name();
        let paths = service.paths().iter();
        routes.extend(paths.map(|path| (path.clone(), name.to_owned())));
    }
    routes
}

/// What the functions read from their environment.
struct Environment {
    api: String,
    catalogue: String,
    table: String,
    keys_table: String,
    dynamodb: String,
    mysql: String,
    setup: Setup,
}

impl Environment {
    async fn service(&self, name: &str) -> Service {
        let url = |url| chassis::client::parse_api_url(url).expect("a URL");
        match name {
            "docs" => docs::router().into_service(),
            "hello" => hello::router().into_service(),
            "oscheck" => oscheck::router().into_service(),
            "health" => {
                let others = FUNCTIONS.iter().filter(|&&name| name != "health");
                let functions = others.map(|&name| name.to_owned()).collect();
                health::router(health::Config {
                    api: Some(url(&self.api)),
                    functions,
                })
                .into_service()
            }
            "nosqldata" => {
                let config = nosqldata::Config {
                    table: self.table.clone(),
                    keys_table: self.keys_table.clone(),
                    policy: self.setup.dynamodb.clone(),
                    endpoint: Some(self.dynamodb.parse().expect("a URL")),
                    region: Region::from_static(dynamodb::REGION),
                    credentials: Credentials::new("test", "test", None, None, "tests"),
                };
                nosqldata::router(nosqldata::Catalogue::open(config).await).into_service()
            }
            "mysqldata" => {
                let mysql = rds::parse_mysql_url(&self.mysql).expect("a URL").into();
                let config = mysqldata::Config {
                    mysql,
                    api: Some(url(&self.catalogue)),
                    mysql_policy: self.setup.mysql.clone(),
                    catalogue_policy: self.setup.catalogue.clone(),
                };
                mysqldata::router(mysqldata::Orders::open(config).await).into_service()
            }
            other => panic!("{other} is not a function"),
        }
    }
}
