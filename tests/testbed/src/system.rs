//! The system: every function behind one gateway, on stores of the test's own.
//!
//! Nothing else in the tests knows how a function is built.

// region: mysql
mod database;
// endregion

use std::{
    collections::BTreeMap,
    sync::LazyLock,
    time::{Duration, SystemTime},
};

use aws_sdk_dynamodb::Client as DynamoDb;
pub use bundle::Started;
use chassis::{
    http::Router,
    outbound::Policy,
    runtime::{Event, Handler},
};
use futures_util::{FutureExt, future::BoxFuture};
use lambda_runtime::{Context, Diagnostic, LambdaEvent};
// region: mysql
use mysql_async::Conn;
// endregion
use serde_json::Value;
use stores::dynamodb;
// region: mysql
use stores::mysql;
// endregion
// region: nosqldata
use stores::sample::products;
// endregion
// region: mysqldata
use stores::sample::orders;
// endregion
use template::Local;

// region: mysql
pub use database::{Database, finally};
// endregion

use crate::{
    BASE_PATH, Client, Gateway, address, callers,
    gateway::{Function, Instance},
    store,
    wire::{Fault, Protocol, Proxy},
};

/// The timeout of a deployed function: `Timeout` in `template.yaml`.
const DEPLOYED_TIMEOUT: Duration = Duration::from_secs(10);

/// The timeout of a function by default.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The names of the functions that respond to HTTP requests.
pub static FUNCTIONS: LazyLock<Vec<&str>> = LazyLock::new(|| {
    let functions = bundle::functions().expect("the template");
    functions.iter().map(|function| function.binary).collect()
});

/// The policy of calls by default. On a machine that is busy with other tests, a call
/// that takes a few seconds has not failed.
pub fn patient() -> Policy {
    Policy {
        connect: Duration::from_secs(5),
        attempt: Duration::from_secs(5),
        ..Policy::default()
    }
}

/// The options of a system. By default there is more time than in a deployment, so
/// that only tests about time depend on the speed of the machine.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Instances of each function: with more than one, requests race.
    pub instances: usize,
    /// The policy of calls to stores and services; `None` for those of a deployment.
    pub policy: Option<Policy>,
    /// The one function that `policy` is for, if it is not for all. That of the others
    /// is [`patient`].
    pub policy_of: Option<&'static str>,
    /// The timeout of a function.
    pub timeout: Duration,
    /// The fault of the connections to the stores while the functions start.
    pub store_fault: Fault,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            instances: 1,
            policy: Some(patient()),
            policy_of: None,
            timeout: TIMEOUT,
            store_fault: Fault::None,
        }
    }
}

impl Setup {
    /// The timeouts of a deployment, for a test about time.
    pub fn deployed() -> Self {
        Self {
            policy: None,
            timeout: DEPLOYED_TIMEOUT,
            ..Self::default()
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
    tables: Vec<String>,
    surroundings: Surroundings,
    // region: mysql
    /// The test's own `MySQL` database.
    pub database: Database,
    // endregion
    functions: BTreeMap<&'static str, Function>,
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
    #[allow(clippy::let_and_return, reason = "not every project has samples")]
    pub async fn with_samples() -> Self {
        let system = Self::start().await;
        // region: nosqldata
        let inserted = products::insert(&system.store(), system.table("products")).await;
        inserted.expect("sample products");
        // endregion
        // region: mysqldata
        let inserted = orders::insert(&system.database.url).await;
        inserted.expect("sample orders");
        // endregion
        system
    }

    /// Starts it with empty stores, set up in this way.
    pub async fn with(setup: Setup) -> Self {
        let name = format!("test_{}", uuid::Uuid::now_v7().simple());

        let dynamodb_url = store("KEA_TEST_DYNAMODB_URL");
        let client = dynamodb::client(&dynamodb_url);
        let prefix = format!("{name}-");
        let tables = dynamodb::create_tables(&client, &template::path(), &prefix).await;
        let tables = tables.expect("tables");
        let proxy = async |upstream: &str, protocol| {
            let proxy = Proxy::start(upstream, protocol).await;
            proxy.expect("a free port")
        };
        let dynamodb = proxy(address(&dynamodb_url), Protocol::DynamoDb).await;
        dynamodb.set(setup.store_fault).await;

        let mysql_url = store("KEA_TEST_MYSQL_URL");
        let mysql = proxy(address(&mysql_url), Protocol::MySql).await;
        mysql.set(setup.store_fault).await;
        // region: mysql
        let database = Database::named(name.clone()).await;
        let migrated = mysql::migrate(&database.url, &stores::migrations()).await;
        migrated.expect("migrations");
        let granted = mysql::grant(&database.url, &stores::grants()).await;
        granted.expect("grants");
        // endregion

        let (listener, api) = Gateway::listen().await;
        let catalogue = proxy(&api.to_string(), Protocol::Http).await;
        let surroundings = Surroundings {
            api: format!("http://{api}"),
            catalogue: format!("http://{}", catalogue.address()),
            dynamodb: format!("http://{}", dynamodb.address()),
            mysql: format!("{}/{name}", mysql.address()),
            table_prefix: prefix,
            policy: setup.policy,
            policy_of: setup.policy_of,
        };
        let mut functions = BTreeMap::new();
        let mut routes = BTreeMap::new();
        for function in bundle::functions().expect("the template") {
            let name = function.binary;
            let mut instances = Vec::new();
            let mut paths = Vec::new();
            for _ in 0..setup.instances {
                let Started { service, .. } = surroundings.start(function).await;
                paths = service.paths().to_vec();
                let handler = Handler::new(service, BASE_PATH.to_owned());
                instances.push(InProcess(handler, setup.timeout));
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
            tables,
            surroundings,
            // region: mysql
            database,
            // endregion
            functions,
        }
    }

    /// The test's own `DynamoDB` table of this local name, such as `products`.
    pub fn table(&self, name: &str) -> &str {
        let own = format!("-{name}");
        let table = self.tables.iter().find(|table| table.ends_with(&own));
        table.expect("a table of the template")
    }

    /// The environment of a function that runs as a process of its own, beside the
    /// one in this process and on the same stores.
    pub fn environment(&self, function: &str) -> BTreeMap<String, String> {
        let mut functions = bundle::functions().expect("the template").into_iter();
        let function = functions.find(|it| it.binary == function);
        let function = function.expect("there is a function of this name");
        function.local_variables(&self.surroundings.local(function))
    }

    /// A client of the test's `DynamoDB`, past the proxy.
    pub fn store(&self) -> DynamoDb {
        dynamodb::client(&store("KEA_TEST_DYNAMODB_URL"))
    }

    // region: mysql
    /// A connection to the test's `MySQL` database, past the proxy.
    pub async fn connect(&self) -> Conn {
        self.database.connect().await
    }
    // endregion

    /// Invokes a function with an event, as Lambda does, and returns its response.
    pub async fn invoke(&self, function: &str, event: &Value) -> Value {
        let function = self.functions.get(function);
        let function = function.expect("there is a function of this name");
        function.invoke(event).await
    }
}

/// An instance of a function in this process, and its timeout.
struct InProcess(Handler, Duration);

impl Instance for InProcess {
    fn invoke(&self, event: Value) -> BoxFuture<'_, Value> {
        invoke(&self.0, event, self.1).boxed()
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
    match handler.handle(LambdaEvent::new(payload, context)).await {
        Ok(response) => serde_json::to_value(response),
        Err(error) => serde_json::to_value(Diagnostic::from(error)),
    }
    .expect("what Lambda gets is JSON")
}

/// The handler of a router, as a function's `main` makes it.
pub fn handler<S: Clone + Send + Sync + 'static>(router: Router<S>) -> Handler {
    Handler::new(router.into_service(), String::new())
}

/// Every function. No store is needed: a function starts without.
pub async fn functions() -> Vec<Started> {
    let closed = "http://127.0.0.1:9".to_owned();
    let surroundings = Surroundings {
        api: closed.clone(),
        catalogue: closed.clone(),
        dynamodb: closed,
        mysql: "127.0.0.1:9/none".to_owned(),
        table_prefix: String::new(),
        policy: None,
        policy_of: None,
    };
    let mut functions = Vec::new();
    for function in bundle::functions().expect("the template") {
        functions.push(surroundings.start(function).await);
    }
    functions
}

/// Each path that a function declares, and that function.
pub async fn routes() -> BTreeMap<String, String> {
    let mut routes = BTreeMap::new();
    for Started { service, .. } in functions().await {
        let name = service.name();
        let paths = service.paths().iter();
        routes.extend(paths.map(|path| (path.clone(), name.to_owned())));
    }
    routes
}

/// The addresses of a function's dependencies.
struct Surroundings {
    api: String,
    catalogue: String,
    dynamodb: String,
    /// The address of the server, and the database.
    mysql: String,
    table_prefix: String,
    policy: Option<Policy>,
    policy_of: Option<&'static str>,
}

impl Surroundings {
    /// Starts a function, configured by its environment as in Lambda. It signs in
    /// to `MySQL` as its own user, which may do just what the deployed one may.
    async fn start(&self, function: template::Function<'_>) -> Started {
        let is_other = self.policy_of.is_some_and(|name| name != function.binary);
        let policy = if is_other {
            Some(patient())
        } else {
            self.policy.clone()
        };
        let started = bundle::start(function, &self.local(function), policy.as_ref()).await;
        started.expect("a function of the template starts")
    }

    fn local(&self, function: template::Function<'_>) -> Local {
        let api = if function.binary == "health" {
            &self.api
        } else {
            &self.catalogue
        };
        let user = function.database_user().unwrap_or_default();
        Local {
            api: api.clone(),
            dynamodb: self.dynamodb.clone(),
            mysql: format!("mysql://{user}:{user}@{}", self.mysql),
            table_prefix: self.table_prefix.clone(),
            auth: callers::environment(),
        }
    }
}
