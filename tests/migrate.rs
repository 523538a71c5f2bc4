//! What a deployment does to the orders' database: twice, at once, and after one
//! that broke off.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use axum::{Router, body::Bytes, extract::State, http::StatusCode, routing::any};
use chassis::runtime::{Environment, environment::Role};
use lambda_http::{Context, LambdaEvent};
use migrate::{Config, GRANTS, Migrate, Secret};
use mysql_async::{Conn, Opts, prelude::Queryable};
use serde_json::{Value, json};
use testbed::wire::{Fault, Protocol, Proxy};
use tokio::{net::TcpListener, time::Instant};

/// A database of the test's own, dropped at its end.
struct Orders {
    url: String,
    name: String,
}

impl Orders {
    async fn new() -> Self {
        let server = server();
        let name = format!("test_{}", uuid::Uuid::now_v7().simple());
        let url = stores::mysql::create_database(&server, &name)
            .await
            .unwrap();
        Self { url, name }
    }

    async fn connect(&self) -> Conn {
        Conn::new(Opts::from_url(&self.url).unwrap()).await.unwrap()
    }

    /// What its tables are, and what they hold.
    async fn content(&self) -> Vec<String> {
        let mut connection = self.connect().await;
        let mut content = Vec::new();
        let tables: Vec<String> = connection.query("SHOW TABLES").await.unwrap();
        for table in tables {
            if table == "refinery_schema_history" {
                continue;
            }
            let (_, made): (String, String) = connection
                .query_first(format!("SHOW CREATE TABLE {table}"))
                .await
                .unwrap()
                .unwrap();
            let count: u64 = connection
                .query_first(format!("SELECT COUNT(*) FROM {table}"))
                .await
                .unwrap()
                .unwrap();
            content.push(format!("{made} with {count} rows"));
        }
        connection.disconnect().await.unwrap();
        content
    }

    /// The migrations that it had, by their names.
    async fn history(&self) -> Vec<String> {
        let mut connection = self.connect().await;
        let query = "SELECT name FROM refinery_schema_history ORDER BY version";
        connection.query(query).await.unwrap()
    }

    async fn drop(self) {
        stores::mysql::drop_database(&self.url, &self.name)
            .await
            .unwrap();
    }
}

fn server() -> String {
    std::env::var("KEA_TEST_MYSQL_URL")
        .expect("KEA_TEST_MYSQL_URL is not set: run `cargo xtask test`, which starts the stores")
}

fn function(url: &str) -> Migrate {
    Migrate::new(Config {
        mysql: url.parse().unwrap(),
        secret: None,
        orders_user: None,
    })
}

/// A moment that no test comes to.
fn later() -> Instant {
    Instant::now() + Duration::from_mins(5)
}

/// The statements of the first migration.
fn statements() -> Vec<String> {
    let path = stores::migrations().join("V1__orders.sql");
    let sql = std::fs::read_to_string(path).unwrap();
    let lines = sql.lines().filter(|line| !line.trim().starts_with("--"));
    let sql = lines.collect::<Vec<_>>().join("\n");
    let statements = sql.split_inclusive(';').map(str::trim);
    statements
        .filter(|s| !s.is_empty())
        .map(str::to_owned)
        .collect()
}

const FUNCTION: &str = "arn:aws:lambda:eu-north-1:123456789012:function:migrate";

const ORDER: &str = "INSERT INTO orders (id, customer, status, currency, quantity, total, pricing, \
     version, created_at, updated_at) VALUES (REPEAT('o', 16), 'Ada', 'placed', 'DKK', 1, 100, \
     'live', 1, NOW(3), NOW(3))";

#[tokio::test]
async fn a_migration_runs_once_however_many_deployments_there_are() {
    let orders = Orders::new().await;
    let function = function(&orders.url);
    let runs = futures_util::future::join_all((0..6).map(|_| function.run(later()))).await;
    let applied = runs.into_iter().flat_map(|run| run.unwrap().applied);
    assert_eq!(applied.count(), 1, "each ran in one of them alone");
    assert_eq!(orders.history().await, ["orders"]);

    orders.connect().await.query_drop(ORDER).await.unwrap();
    let before = orders.content().await;
    let again = function.run(later()).await.unwrap();
    assert!(again.applied.is_empty());
    assert_eq!(orders.content().await, before);
    orders.drop().await;
}

#[tokio::test]
async fn a_migration_goes_on_where_one_broke_off() {
    let whole = Orders::new().await;
    function(&whole.url).run(later()).await.unwrap();
    whole.connect().await.query_drop(ORDER).await.unwrap();
    let expected = whole.content().await;
    let statements = statements();
    assert!(statements.len() >= 4, "{statements:?}");
    for done in 1..=statements.len() {
        let orders = Orders::new().await;
        let mut connection = orders.connect().await;
        for statement in &statements[..done] {
            connection.query_drop(statement).await.unwrap();
        }
        // What is there by then must stay.
        connection.query_drop(ORDER).await.unwrap();
        function(&orders.url).run(later()).await.unwrap();
        assert_eq!(orders.content().await, expected, "after {done} statements");
        orders.drop().await;
    }
    whole.drop().await;
}

#[tokio::test]
async fn a_migration_ends_well_on_a_wire_that_breaks_at_random() {
    let whole = Orders::new().await;
    function(&whole.url).run(later()).await.unwrap();
    let expected = whole.content().await;
    let server = address(&whole.url);
    let wire = Proxy::start(server.clone(), Protocol::MySql)
        .await
        .expect("a free port");
    let mut broken = 0;
    while broken < 5 {
        let orders = Orders::new().await;
        let behind = function(&orders.url.replace(&server, &wire.address().to_string()));
        wire.set(Fault::Reset(8)).await;
        while behind.run(later()).await.is_err() {
            broken += 1;
        }
        assert_eq!(orders.content().await, expected);
        assert_eq!(orders.history().await, ["orders"]);
        orders.drop().await;
    }
    whole.drop().await;
}

#[tokio::test]
async fn a_database_that_is_not_there_yet_is_waited_for() {
    let orders = Orders::new().await;
    let server = address(&orders.url);
    let wire = Proxy::start(server.clone(), Protocol::MySql)
        .await
        .expect("a free port");
    let behind = function(&orders.url.replace(&server, &wire.address().to_string()));
    wire.set(Fault::Refused).await;
    let run = tokio::spawn(async move { behind.run(later()).await });
    // It must have failed once; nobody counts who is refused.
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(!run.is_finished());
    wire.heal().await;
    assert_eq!(run.await.unwrap().unwrap().applied.len(), 1);
    orders.drop().await;
}

/// A deployment that is rolled back: the older code meets the newer schema.
#[tokio::test]
async fn a_newer_schema_is_left_alone_and_a_changed_one_refused() {
    let orders = Orders::new().await;
    let function = function(&orders.url);
    function.run(later()).await.unwrap();
    let mut connection = orders.connect().await;
    connection
        .query_drop(
            "INSERT INTO refinery_schema_history (version, name, applied_on, checksum) \
             VALUES (99, 'from_tomorrow', '2026-11-23T00:00:00Z', '1')",
        )
        .await
        .unwrap();
    function.run(later()).await.unwrap();
    assert_eq!(orders.history().await, ["orders", "from_tomorrow"]);

    connection
        .query_drop("UPDATE refinery_schema_history SET checksum = '1' WHERE version = 1")
        .await
        .unwrap();
    let refused = function.run(later()).await.unwrap_err();
    assert!(
        refused.chain().contains("a migration failed"),
        "{refused:?}"
    );
    orders.drop().await;
}

/// What the orders function runs as in every other test is just what it is
/// granted; here, that this is done, and on each table.
#[tokio::test]
async fn the_orders_user_gets_its_rights_and_no_more() {
    let orders = Orders::new().await;
    // MariaDB has no plugin of AWS's: a user that exists is not made anew.
    let user = format!("u{}", &orders.name[orders.name.len() - 20..]);
    let mut connection = orders.connect().await;
    let create = format!("CREATE USER '{user}'@'%' IDENTIFIED BY 'secret'");
    connection.query_drop(create).await.unwrap();
    let function = Migrate::new(Config {
        mysql: orders.url.parse().unwrap(),
        secret: None,
        orders_user: Some(user.parse().unwrap()),
    });
    for _ in 0..2 {
        function.run(later()).await.unwrap();
        let grants: Vec<String> = connection
            .query(format!("SHOW GRANTS FOR '{user}'@'%'"))
            .await
            .unwrap();
        let mut expected: Vec<_> = GRANTS
            .iter()
            .map(|(table, rights)| {
                format!(
                    "GRANT {rights} ON `{}`.`{table}` TO `{user}`@`%`",
                    orders.name
                )
            })
            .collect();
        expected.sort();
        let mut told: Vec<_> = grants
            .into_iter()
            .filter(|g| !g.contains("USAGE"))
            .collect();
        told.sort();
        assert_eq!(told, expected);
    }
    let drop = format!("DROP USER '{user}'@'%'");
    connection.query_drop(drop).await.unwrap();
    orders.drop().await;
}

#[tokio::test]
async fn cloudformation_is_told_what_became_of_it() {
    let orders = Orders::new().await;
    let function = function(&orders.url);
    let told = Listener::start(["{}"]).await;
    for kind in ["Create", "Update"] {
        let answered = function.handle(custom_resource(kind, &told, 300)).await;
        assert_eq!(answered.unwrap(), Value::Null);
        let (method, answer) = told.take();
        assert_eq!(method, "PUT");
        assert_eq!(
            answer,
            json!({
                "Status": "SUCCESS",
                "PhysicalResourceId": "orders-schema",
                "StackId": "arn:aws:cloudformation:eu-north-1:123456789012:stack/kea/1",
                "RequestId": "request-1",
                "LogicalResourceId": "Migration",
            })
        );
    }

    // What fails is told as well, with why, or the stack would wait.
    orders
        .connect()
        .await
        .query_drop("UPDATE refinery_schema_history SET checksum = '1'")
        .await
        .unwrap();
    function
        .handle(custom_resource("Update", &told, 300))
        .await
        .unwrap();
    let (_, answer) = told.take();
    assert_eq!(answer["Status"], "FAILED");
    assert!(
        answer["Reason"]
            .as_str()
            .unwrap()
            .contains("a migration failed"),
        "{answer}"
    );
    assert_eq!(answer["PhysicalResourceId"], "orders-schema");

    // A stack that goes leaves the schema.
    let before = orders.content().await;
    function
        .handle(custom_resource("Delete", &told, 300))
        .await
        .unwrap();
    assert_eq!(told.take().1["Status"], "SUCCESS");
    assert_eq!(orders.content().await, before);
    orders.drop().await;
}

/// The database may be what failed: asking it again would fail the rollback too.
#[tokio::test]
async fn a_rollback_succeeds_without_the_database() {
    let function = function("mysql://nobody@127.0.0.1:1/none");
    let told = Listener::start(["{}"]).await;
    let version = |number| json!({ "Code": format!("{FUNCTION}:{number}") });
    let mut event = custom_resource("Update", &told, 300);
    event.payload["ResourceProperties"] = version(9);
    event.payload["OldResourceProperties"] = version(10);
    function.handle(event).await.unwrap();
    assert_eq!(told.take().1["Status"], "SUCCESS");
}

/// Nobody else answers, and the stack would wait for ten minutes.
#[tokio::test]
async fn cloudformation_is_told_what_is_wrong_with_the_configuration() {
    let mut environment = Environment::of([("MYSQL_TLS", "rds"), ("ORDERS_USER", "Robert';")]);
    let function = Migrate::configure(&mut environment);
    let told = Listener::start(["{}"]).await;
    let event = custom_resource("Create", &told, 300);
    function.handle(event).await.unwrap();
    let (_, answer) = told.take();
    assert_eq!(answer["Status"], "FAILED");
    let reason = answer["Reason"].as_str().unwrap();
    for variable in ["MYSQL_URL", "ORDERS_USER"] {
        assert!(reason.contains(variable), "{reason}");
    }
    let event = custom_resource("Delete", &told, 300);
    function.handle(event).await.unwrap();
    assert_eq!(told.take().1["Status"], "SUCCESS");
}

#[tokio::test]
async fn cloudformation_is_told_before_the_functions_time_is_over() {
    let orders = Orders::new().await;
    let server = address(&orders.url);
    let wire = Proxy::start(server.clone(), Protocol::MySql)
        .await
        .expect("a free port");
    wire.set(Fault::BlackHole).await;
    let function = function(&orders.url.replace(&server, &wire.address().to_string()));
    let told = Listener::start(["{}"]).await;
    let event = custom_resource("Create", &told, 12);
    function.handle(event).await.unwrap();
    let (_, answer) = told.take();
    assert_eq!(answer["Status"], "FAILED");
    let reason = answer["Reason"].as_str().unwrap();
    assert!(reason.contains("longer than the function has"), "{reason}");
    orders.drop().await;
}

#[tokio::test]
async fn cloudformation_is_told_again_when_it_did_not_hear() {
    let orders = Orders::new().await;
    let told = Listener::start(["503", "503", "{}"]).await;
    let function = function(&orders.url);
    function
        .handle(custom_resource("Create", &told, 300))
        .await
        .unwrap();
    assert_eq!(told.take().1["Status"], "SUCCESS");

    // An event that nobody could be told of fails: Lambda tries it again, and
    // keeps it in the end.
    let deaf = Listener::start(["503", "503", "503"]).await;
    let lost = function.handle(custom_resource("Create", &deaf, 300)).await;
    assert!(lost.unwrap_err().chain().contains("503"));
    orders.drop().await;
}

#[tokio::test]
async fn an_invocation_by_hand_says_what_it_did() {
    let orders = Orders::new().await;
    let function = function(&orders.url);
    let event = || LambdaEvent::new(json!({}), Context::default());
    let report = function.handle(event()).await.unwrap();
    assert_eq!(report, json!({ "applied": ["V1__orders"] }));
    let report = function.handle(event()).await.unwrap();
    assert_eq!(report, json!({ "applied": [] }));
    orders.drop().await;
}

#[tokio::test]
async fn the_password_comes_from_the_secret() {
    let orders = Orders::new().await;
    let opts = Opts::from_url(&orders.url).unwrap();
    let login = json!({ "username": opts.user(), "password": opts.pass() }).to_string();
    let secret = json!({ "ARN": "arn", "Name": "kea", "SecretString": login }).to_string();
    let manager = Listener::start([secret.as_str()]).await;
    let role = Role {
        region: "eu-north-1".to_owned(),
        access_key_id: "id".to_owned(),
        secret_access_key: "key".to_owned(),
        session_token: None,
    };
    let database: mysql::Config = orders.url.parse().unwrap();
    let config = Config {
        mysql: database.with(|opts| opts.user(Some("nobody")).pass(None::<&str>)),
        secret: Some(Secret::new(
            "arn".to_owned(),
            role,
            Some(manager.url.clone()),
        )),
        orders_user: None,
    };
    let report = Migrate::new(config).run(later()).await.unwrap();
    assert_eq!(report.applied, ["V1__orders"]);
    assert_eq!(manager.take().1, json!({ "SecretId": "arn" }));
    orders.drop().await;
}

/// An event of `CloudFormation`'s, with so many seconds to answer it.
fn custom_resource(kind: &str, told: &Listener, seconds: u64) -> LambdaEvent<Value> {
    let mut event = json!({
        "RequestType": kind,
        "ServiceToken": format!("{FUNCTION}:live"),
        "RequestId": "request-1",
        "ResponseURL": format!("{}/answer?X-Amz-Signature=1", told.url),
        "StackId": "arn:aws:cloudformation:eu-north-1:123456789012:stack/kea/1",
        "ResourceType": "Custom::Migration",
        "LogicalResourceId": "Migration",
        "ResourceProperties": { "Code": format!("{FUNCTION}:10") },
    });
    if kind != "Create" {
        event["PhysicalResourceId"] = "orders-schema".into();
        event["OldResourceProperties"] = json!({ "Code": format!("{FUNCTION}:9") });
    }
    let deadline = SystemTime::now() + Duration::from_secs(seconds);
    let mut context = Context::default();
    let since = deadline.duration_since(UNIX_EPOCH).unwrap();
    context.deadline = u64::try_from(since.as_millis()).unwrap();
    LambdaEvent::new(event, context)
}

/// A service of AWS's on the wire: it keeps what it is told, and answers with a
/// body, or with a status of a few figures; the last again and again.
struct Listener {
    url: String,
    state: Arc<Mutex<Heard>>,
}

#[derive(Default)]
struct Heard {
    answers: VecDeque<String>,
    requests: Vec<(String, Value)>,
}

impl Listener {
    async fn start<const N: usize>(answers: [&str; N]) -> Self {
        let state = Arc::new(Mutex::new(Heard {
            answers: answers.map(str::to_owned).into(),
            requests: Vec::new(),
        }));
        let hear = |State(state): State<Arc<Mutex<Heard>>>, method: String, body: Bytes| {
            let mut heard = state.lock().unwrap();
            let answer = match heard.answers.len() {
                1 => heard.answers[0].clone(),
                _ => heard.answers.pop_front().unwrap(),
            };
            let body = serde_json::from_slice(&body).unwrap_or_default();
            heard.requests.push((method, body));
            match answer.parse::<u16>() {
                Ok(status) => (StatusCode::from_u16(status).unwrap(), String::new()),
                Err(_) => (StatusCode::OK, answer),
            }
        };
        let hear = any(
            async move |state: State<Arc<Mutex<Heard>>>,
                        method: axum::http::Method,
                        body: Bytes| { hear(state, method.to_string(), body) },
        );
        let router = Router::new().fallback(hear).with_state(state.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, state }
    }

    /// The last that it was told: how, and what.
    fn take(&self) -> (String, Value) {
        let mut heard = self.state.lock().unwrap();
        heard.requests.pop().expect("it was told something")
    }
}

fn address(url: &str) -> String {
    let opts = Opts::from_url(url).unwrap();
    format!("{}:{}", opts.ip_or_hostname(), opts.tcp_port())
}
