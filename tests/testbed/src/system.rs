//! Every function, behind one gateway, on stores of the test's own.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::{
    Client as DynamoDb,
    config::{Credentials, Region},
};
use chassis::{Handler, Service, resilience::Policy};
use mysql_async::{Conn, Opts, prelude::Queryable};
use serde_json::Value;
use stores::{dynamodb, mysql, sample};

use crate::{
    Client, Gateway,
    gateway::Function,
    wire::{Protocol, Proxy},
};

/// Every function's name.
pub const FUNCTIONS: [&str; 6] = [
    "docs",
    "health",
    "hello",
    "mysqldata",
    "nosqldata",
    "oscheck",
];

/// How the functions call what they depend on; as they are deployed, unless a
/// test is about something else.
#[derive(Debug, Clone)]
pub struct Policies {
    /// How the orders call the catalogue.
    pub catalogue: Policy,
    /// How the catalogue calls `DynamoDB`.
    pub dynamodb: Policy,
    /// How the orders call `MySQL`.
    pub mysql: Policy,
}

impl Default for Policies {
    fn default() -> Self {
        Self {
            catalogue: mysqldata::config::default_catalogue_policy(),
            dynamodb: nosqldata::config::default_policy(),
            mysql: mysqldata::config::default_mysql_policy(),
        }
    }
}

impl Policies {
    /// The same policy for each.
    pub fn all(policy: &Policy) -> Self {
        Self {
            catalogue: policy.clone(),
            dynamodb: policy.clone(),
            mysql: policy.clone(),
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
        Self::with_instances(1).await
    }

    /// Starts it with empty stores and so many instances of each function: with
    /// more than one, requests race.
    pub async fn with_instances(count: usize) -> Self {
        Self::with_policies(count, Policies::default()).await
    }

    /// The same, where the functions call what they depend on by these policies.
    pub async fn with_policies(count: usize, policies: Policies) -> Self {
        let name = format!("test_{}", uuid::Uuid::now_v7().simple());

        let dynamodb_url = store("KEA_TEST_DYNAMODB_URL");
        let client = dynamodb::client(&dynamodb_url);
        let tables =
            dynamodb::create_tables(&client, &stores::template(), &format!("{name}-")).await;
        let tables = tables.expect("tables");
        let named = |name: &str| {
            let table = tables.iter().find(|table| table.ends_with(name));
            table.cloned().expect("a table of the template")
        };
        let (table, keys_table) = (named("-products"), named("-idempotency-keys"));
        let dynamodb = Proxy::start(address(&dynamodb_url), Protocol::DynamoDb).await;

        let mysql_url = store("KEA_TEST_MYSQL_URL");
        let database = mysql::create_database(&mysql_url, &name)
            .await
            .expect("a database");
        mysql::migrate(&database, &stores::migrations())
            .await
            .expect("migrations");
        grant_orders(&database).await.expect("grants");
        let mysql = Proxy::start(address(&mysql_url), Protocol::MySql).await;

        let (listener, gateway_address) = Gateway::listen().await;
        let api = format!("http://{gateway_address}");
        let catalogue = Proxy::start(gateway_address.to_string(), Protocol::Http).await;
        let behind = format!("mysql://{ORDERS}:{ORDERS}@{}/{name}", mysql.address());
        let settings = Settings {
            api: &api,
            catalogue: &format!("http://{}", catalogue.address()),
            table: &table,
            keys_table: &keys_table,
            dynamodb: &format!("http://{}", dynamodb.address()),
            mysql: &behind,
            policies: &policies,
        };
        let mut functions = BTreeMap::new();
        let mut routes = BTreeMap::new();
        for name in FUNCTIONS {
            let mut instances = Vec::new();
            for _ in 0..count {
                instances.push(Handler::new(settings.service(name).await));
            }
            let paths = instances[0].service().paths().to_vec();
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

    /// Starts it with the sample catalogue and orders in its stores, and one
    /// instance of each function.
    pub async fn with_samples() -> Self {
        let system = Self::start().await;
        let client = system.store();
        sample::insert_products(&client, &system.table)
            .await
            .expect("sample products");
        sample::insert_orders(&system.database)
            .await
            .expect("sample orders");
        system
    }

    /// A client of the test's `DynamoDB`, past the proxy.
    pub fn store(&self) -> DynamoDb {
        dynamodb::client(&store("KEA_TEST_DYNAMODB_URL"))
    }

    /// Invokes a function with an event, as Lambda does, and returns its answer.
    pub async fn invoke(&self, function: &str, event: &Value) -> Value {
        let function = self.functions.get(function);
        function
            .expect("there is a function of this name")
            .invoke(event)
            .await
    }

    /// Drops the test's database: a server full of them grows slow.
    pub async fn stop(self) {
        let name = mysql::database(&self.database).expect("the URL names a database");
        mysql::drop_database(&self.database, &name)
            .await
            .expect("the database is dropped");
    }
}

/// Every function as a service. No store is needed: a function comes up without.
pub async fn services() -> Vec<Service> {
    let nowhere = Settings {
        api: "http://127.0.0.1:9",
        catalogue: "http://127.0.0.1:9",
        table: "none",
        keys_table: "none",
        dynamodb: "http://127.0.0.1:9",
        mysql: "mysql://nobody@127.0.0.1:9/none",
        policies: &Policies::default(),
    };
    let mut services = Vec::new();
    for name in FUNCTIONS {
        services.push(nowhere.service(name).await);
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

/// What the functions' environment would say.
struct Settings<'s> {
    api: &'s str,
    catalogue: &'s str,
    table: &'s str,
    keys_table: &'s str,
    dynamodb: &'s str,
    mysql: &'s str,
    policies: &'s Policies,
}

impl Settings<'_> {
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
                    api: Some(url(self.api)),
                    functions,
                })
                .into_service()
            }
            "nosqldata" => {
                let config = nosqldata::Config {
                    table: self.table.to_owned(),
                    keys_table: self.keys_table.to_owned(),
                    policy: self.policies.dynamodb.clone(),
                    endpoint: Some(self.dynamodb.parse().expect("a URL")),
                    region: Region::from_static(dynamodb::REGION),
                    credentials: Credentials::new("test", "test", None, None, "tests"),
                };
                nosqldata::router(nosqldata::Catalogue::open(config).await).into_service()
            }
            "mysqldata" => {
                let mysql = rds::parse_mysql_url(self.mysql).expect("a URL").into();
                let config = mysqldata::Config {
                    mysql,
                    api: Some(url(self.catalogue)),
                    mysql_policy: self.policies.mysql.clone(),
                    catalogue_policy: self.policies.catalogue.clone(),
                };
                mysqldata::router(mysqldata::Orders::open(config).await).into_service()
            }
            other => panic!("{other} is no function"),
        }
    }
}

/// The URL of a store that `cargo xtask test` started.
pub(crate) fn store(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| {
        panic!(
            "{variable} is not set: these tests need a DynamoDB and a MySQL server.\n\
             Run `cargo xtask test`, which starts them, runs every test and stops them again."
        )
    })
}

/// The address in a URL: `127.0.0.1:8000`.
pub(crate) fn address(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or(rest);
    authority.rsplit('@').next().unwrap_or(authority).to_owned()
}
