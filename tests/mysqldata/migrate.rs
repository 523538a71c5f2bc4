//! Migrations of the orders' database: repeated, concurrent, and after a failure.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fs,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use axum::{Router, body::Bytes, extract, http::StatusCode, routing::any};
use chassis::{Environment, environment::Role, error_chain};
use lambda_runtime::{Context, LambdaEvent};
use migrate::{Config, Migrate, Secret};
use mysql_async::{Opts, prelude::Queryable};
use refinery::Migration;
use serde_json::{Value, json};
use testbed::{
    Database, address, eventually, log,
    wire::{Fault, Protocol, Proxy},
};
use tokio::time::Instant;

/// The definition and the number of rows of each table.
async fn content(database: &Database) -> Vec<String> {
    let mut connection = database.connect().await;
    let mut content = Vec::new();
    let tables: Vec<String> = connection.query("SHOW TABLES").await.unwrap();
    for table in tables {
        if table == "refinery_schema_history" {
            continue;
        }
        let (_, definition): (String, String) = connection
            .query_first(format!("SHOW CREATE TABLE {table}"))
            .await
            .unwrap()
            .unwrap();
        let count: u64 = connection
            .query_first(format!("SELECT COUNT(*) FROM {table}"))
            .await
            .unwrap()
            .unwrap();
        content.push(format!("{definition} with {count} rows"));
    }
    connection.disconnect().await.unwrap();
    content
}

/// The names of the applied migrations.
async fn history(database: &Database) -> Vec<String> {
    let mut connection = database.connect().await;
    let query = "SELECT name FROM refinery_schema_history ORDER BY version";
    connection.query(query).await.unwrap()
}

/// The function that migrates the database of this URL.
pub fn function(url: &str) -> Migrate {
    Migrate::new(Config {
        mysql: url.parse().unwrap(),
        secret: None,
        creates_users: false,
    })
}

/// The same function behind a proxy of its database.
async fn proxied(database: &Database) -> (Proxy, Migrate) {
    let server = address(&database.url);
    let wire = Proxy::start(server, Protocol::MySql).await;
    let wire = wire.expect("a free port");
    let function = function(&database.url.replace(server, &wire.address().to_string()));
    (wire, function)
}

/// The databases, at most, on which migrations are interrupted at random.
const DATABASES: usize = 20;

/// The attempts, at most, of an interrupted migration.
const ATTEMPTS: usize = 200;

/// A deadline that no test reaches.
pub fn deadline() -> Instant {
    Instant::now() + Duration::from_mins(5)
}

/// The migrations in their order.
fn migrations() -> Vec<Migration> {
    refinery::load_sql_migrations(stores::migrations()).unwrap()
}

/// What a run reports that applied all of them: `V1__orders`.
fn applied() -> Vec<String> {
    migrations().iter().map(ToString::to_string).collect()
}

/// Their names in the history: `orders`.
fn names() -> Vec<String> {
    let migrations = migrations();
    let names = migrations.iter().map(|it| it.name().to_owned());
    names.collect()
}

/// The statements of all migrations.
fn statements() -> Vec<String> {
    let migrations = migrations();
    let sql: String = migrations.iter().filter_map(Migration::sql).collect();
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
async fn concurrent_and_repeated_deployments_apply_a_migration_once() {
    let orders = Database::create().await;
    let function = function(&orders.url);
    let runs = futures_util::future::join_all((0..6).map(|_| function.run(deadline()))).await;
    let applied = runs.into_iter().flat_map(|run| run.unwrap().applied);
    assert_eq!(applied.count(), migrations().len(), "each was applied once");
    assert_eq!(history(&orders).await, names());

    orders.connect().await.query_drop(ORDER).await.unwrap();
    assert_eq!(function.run(deadline()).await.unwrap().summed, 1);
    let before = content(&orders).await;
    let again = function.run(deadline()).await.unwrap();
    assert!(again.applied.is_empty());
    assert_eq!(content(&orders).await, before);
}

#[tokio::test]
async fn migration_resumes_after_any_statement_of_a_failed_one() {
    let whole = Database::create().await;
    function(&whole.url).run(deadline()).await.unwrap();
    whole.connect().await.query_drop(ORDER).await.unwrap();
    function(&whole.url).run(deadline()).await.unwrap();
    let expected = content(&whole).await;
    let statements = statements();
    assert!(statements.len() >= 4, "{statements:?}");
    for done in 1..=statements.len() {
        let orders = Database::create().await;
        let mut connection = orders.connect().await;
        for statement in &statements[..done] {
            connection.query_drop(statement).await.unwrap();
        }
        // An order stored before the migration resumes must remain.
        connection.query_drop(ORDER).await.unwrap();
        function(&orders.url).run(deadline()).await.unwrap();
        assert_eq!(content(&orders).await, expected, "after {done} statements");
    }
}

#[tokio::test]
async fn migration_completes_on_a_connection_that_is_reset_at_random() {
    let whole = Database::create().await;
    function(&whole.url).run(deadline()).await.unwrap();
    let expected = content(&whole).await;
    let mut failures = 0;
    for _ in 0..DATABASES {
        let orders = Database::create().await;
        let (wire, proxied) = proxied(&orders).await;
        wire.set(Fault::Reset(16)).await;
        let mut completed = false;
        for _ in 0..ATTEMPTS {
            completed = proxied.run(deadline()).await.is_ok();
            if completed {
                break;
            }
            failures += 1;
        }
        assert!(completed, "{ATTEMPTS} migrations failed");
        assert_eq!(content(&orders).await, expected);
        assert_eq!(history(&orders).await, names());
        if failures >= 5 {
            break;
        }
    }
    assert!(failures > 0, "no connection was reset");
}

#[tokio::test]
async fn migration_waits_until_the_database_is_available() {
    let orders = Database::create().await;
    let (wire, proxied) = proxied(&orders).await;
    wire.set(Fault::Reset(1)).await;
    let run = tokio::spawn(async move { proxied.run(deadline()).await });
    // The second connection shows that the first one has failed.
    for _ in 0..2 {
        eventually(async || (wire.take_calls() > 0).then_some(())).await;
    }
    assert!(!run.is_finished());
    wire.heal().await;
    assert_eq!(run.await.unwrap().unwrap().applied, applied());
}

/// A deployment that is rolled back runs older code on a newer schema.
#[tokio::test]
async fn newer_schema_is_accepted_and_a_changed_migration_rejected() {
    let orders = Database::create().await;
    let function = function(&orders.url);
    function.run(deadline()).await.unwrap();
    let mut connection = orders.connect().await;
    connection
        .query_drop(
            "INSERT INTO refinery_schema_history (version, name, applied_on, checksum) \
             VALUES (99, 'newer', '2026-11-23T00:00:00Z', '1')",
        )
        .await
        .unwrap();
    function.run(deadline()).await.unwrap();
    let mut expected = names();
    expected.push("newer".to_owned());
    assert_eq!(history(&orders).await, expected);

    connection
        .query_drop("UPDATE refinery_schema_history SET checksum = '1' WHERE version = 1")
        .await
        .unwrap();
    let error = error_chain(&function.run(deadline()).await.unwrap_err());
    assert!(error.contains("a migration failed"), "{error}");
}

/// In every other test the orders function runs with these rights.
#[tokio::test]
async fn orders_user_gets_exactly_its_rights() {
    let orders = Database::create().await;
    // MariaDB lacks the authentication plugin of AWS: a user that exists is not
    // created again.
    let grants = fs::read_to_string(stores::grants()).unwrap();
    let grants: Vec<_> = grants
        .lines()
        .filter_map(|line| line.strip_suffix(';'))
        .collect();
    let mut connection = orders.connect().await;
    let mut expected = BTreeMap::<&str, BTreeSet<String>>::new();
    for grant in grants {
        let (privileges, rest) = grant.split_once(" ON ").unwrap();
        let (table, user) = rest.split_once(" TO ").unwrap();
        let granted = format!(
            "{privileges} ON `{}`.`{table}` TO `{user}`@`%`",
            orders.name
        );
        expected.entry(user).or_default().insert(granted);
        let create = format!("CREATE USER IF NOT EXISTS {user} IDENTIFIED BY '{user}'");
        connection.query_drop(create).await.unwrap();
    }
    let function = Migrate::new(Config {
        mysql: orders.url.parse().unwrap(),
        secret: None,
        creates_users: true,
    });
    for _ in 0..2 {
        function.run(deadline()).await.unwrap();
        for (user, expected) in &expected {
            // Other tests grant the same user rights in databases of their own.
            let granted: Vec<String> = connection
                .query(format!("SHOW GRANTS FOR {user}"))
                .await
                .unwrap();
            let here = format!("`{}`", orders.name);
            let granted = granted.into_iter().filter(|it| it.contains(&here));
            assert_eq!(granted.collect::<BTreeSet<_>>(), *expected);
        }
    }
}

#[tokio::test]
async fn outcome_is_reported_to_cloudformation() {
    let orders = Database::create().await;
    let function = function(&orders.url);
    let cloudformation = Server::start(["{}"]).await;
    for kind in ["Create", "Update"] {
        let event = custom_resource(kind, &cloudformation, 300);
        assert_eq!(
            cloudformation.report(&function, event).await,
            json!({
                "Status": "SUCCESS",
                "PhysicalResourceId": "orders-schema",
                "StackId": "arn:aws:cloudformation:eu-north-1:123456789012:stack/kea/1",
                "RequestId": "request-1",
                "LogicalResourceId": "Migration",
            })
        );
    }

    // A failure is reported with its reason; otherwise the stack would wait.
    orders
        .connect()
        .await
        .query_drop("UPDATE refinery_schema_history SET checksum = '1'")
        .await
        .unwrap();
    let event = custom_resource("Update", &cloudformation, 300);
    let report = cloudformation.report(&function, event).await;
    assert_eq!(report["Status"], "FAILED");
    assert!(
        report["Reason"]
            .as_str()
            .unwrap()
            .contains("a migration failed"),
        "{report}"
    );
    assert_eq!(report["PhysicalResourceId"], "orders-schema");

    // Deleting the stack keeps the schema.
    let before = content(&orders).await;
    let event = custom_resource("Delete", &cloudformation, 300);
    let report = cloudformation.report(&function, event).await;
    assert_eq!(report["Status"], "SUCCESS");
    assert_eq!(content(&orders).await, before);
}

/// The database may be what failed: to query it again would fail the rollback too.
#[tokio::test]
async fn rollback_succeeds_without_the_database() {
    let function = function("mysql://nobody@127.0.0.1:1/none");
    let cloudformation = Server::start(["{}"]).await;
    let version = |number| json!({ "Code": format!("{FUNCTION}:{number}") });
    let mut event = custom_resource("Update", &cloudformation, 300);
    event.payload["ResourceProperties"] = version(9);
    event.payload["OldResourceProperties"] = version(10);
    let report = cloudformation.report(&function, event).await;
    assert_eq!(report["Status"], "SUCCESS");
}

/// Without a report the stack would wait for ten minutes.
#[tokio::test]
async fn malformed_configuration_is_reported_to_cloudformation() {
    let mut environment = Environment::of([("MYSQL_TLS", "rds"), ("MYSQL_SECRET", "no arn")]);
    let function = Migrate::configure(&mut environment);
    let cloudformation = Server::start(["{}", "{}"]).await;
    let event = custom_resource("Create", &cloudformation, 300);
    let report = cloudformation.report(&function, event).await;
    assert_eq!(report["Status"], "FAILED");
    let reason = report["Reason"].as_str().unwrap();
    assert!(reason.contains("MYSQL_URL"), "{reason}");
    let event = custom_resource("Delete", &cloudformation, 300);
    let report = cloudformation.report(&function, event).await;
    assert_eq!(report["Status"], "SUCCESS");
}

#[tokio::test]
async fn failure_is_reported_before_the_function_times_out() {
    let orders = Database::create().await;
    let (wire, function) = proxied(&orders).await;
    wire.set(Fault::BlackHole).await;
    let cloudformation = Server::start(["{}"]).await;
    let event = custom_resource("Create", &cloudformation, 12);
    let report = cloudformation.report(&function, event).await;
    assert_eq!(report["Status"], "FAILED");
    let reason = report["Reason"].as_str().unwrap();
    assert!(reason.contains("longer than the function has"), "{reason}");
}

#[tokio::test]
async fn report_is_retried_until_cloudformation_accepts_it() {
    let orders = Database::create().await;
    let cloudformation = Server::start(["503", "503", "{}"]).await;
    let function = function(&orders.url);
    let event = custom_resource("Create", &cloudformation, 300);
    let report = cloudformation.report(&function, event).await;
    assert_eq!(report["Status"], "SUCCESS");

    // The invocation fails if no report is accepted: Lambda retries the event, and
    // then keeps it in the dead-letter queue.
    let failing = Server::start(["503", "503", "503"]).await;
    let event = custom_resource("Create", &failing, 300);
    let failed = function.handle(event).await;
    assert!(error_chain(&failed.unwrap_err()).contains("503"));
}

#[tokio::test]
async fn every_invocation_leaves_one_completion_line() {
    let orders = Database::create().await;
    let function = function(&orders.url);
    let cloudformation = Server::start(["{}"]).await;
    let misconfigured = Migrate::configure(&mut Environment::of::<&str, &str>([]));
    let direct = || LambdaEvent::new(json!({}), Context::default());
    let malformed = LambdaEvent::new(json!({ "ResponseURL": 1 }), Context::default());
    let delete = custom_resource("Delete", &cloudformation, 300);
    let all = json!({ "applied": applied(), "summed": 0 });
    let none = json!({ "applied": [], "summed": 0 });
    for (function, mut event, message, expected) in [
        (&function, direct(), "migrated", Some(all)),
        (&function, direct(), "migrated", Some(none)),
        (&function, delete, "migrated", Some(Value::Null)),
        (&misconfigured, direct(), "the migration failed", None),
        (&function, malformed, "the migration failed", None),
    ] {
        event.context.request_id = "8f5079e8".to_owned();
        let (returned, mut lines) = log::capture("info", function.handle(event)).await;
        assert_eq!(returned.ok(), expected);
        lines.retain(|line| !line["duration_ms"].is_null());
        assert_eq!(lines.len(), 1, "{lines:?}");
        for (field, value) in [
            ("message", message),
            ("function", "migrate"),
            ("request_id", "8f5079e8"),
        ] {
            assert_eq!(lines[0][field], value);
        }
    }
}

#[tokio::test]
async fn password_is_read_from_the_secret() {
    let orders = Database::create().await;
    let opts = Opts::from_url(&orders.url).unwrap();
    let login = json!({ "username": opts.user(), "password": opts.pass() }).to_string();
    let secret = json!({ "ARN": "arn", "Name": "kea", "SecretString": login }).to_string();
    let manager = Server::start([secret.as_str()]).await;
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
            Some(manager.url.parse().unwrap()),
        )),
        creates_users: false,
    };
    let report = Migrate::new(config).run(deadline()).await.unwrap();
    assert_eq!(report.applied, applied());
    assert_eq!(manager.last_request().1, json!({ "SecretId": "arn" }));
}

/// An event of `CloudFormation`, with a deadline in so many seconds.
fn custom_resource(kind: &str, cloudformation: &Server, seconds: u64) -> LambdaEvent<Value> {
    let mut event = json!({
        "RequestType": kind,
        "ServiceToken": format!("{FUNCTION}:live"),
        "RequestId": "request-1",
        "ResponseURL": format!("{}/report?X-Amz-Signature=1", cloudformation.url),
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

/// An HTTP server in place of an AWS service. It records the requests.
struct Server {
    url: String,
    state: Arc<Mutex<State>>,
}

struct State {
    /// The next responses, each a body or a status; the last one is repeated.
    responses: VecDeque<String>,
    requests: Vec<(String, Value)>,
}

impl Server {
    async fn start<const N: usize>(responses: [&str; N]) -> Self {
        let state = Arc::new(Mutex::new(State {
            responses: responses.map(str::to_owned).into(),
            requests: Vec::new(),
        }));
        let respond =
            async |shared: extract::State<Arc<Mutex<State>>>, method: http::Method, body: Bytes| {
                let mut state = shared.lock().unwrap();
                let response = match state.responses.len() {
                    1 => state.responses[0].clone(),
                    _ => state.responses.pop_front().unwrap(),
                };
                let body = serde_json::from_slice(&body).unwrap_or_default();
                state.requests.push((method.to_string(), body));
                match response.parse::<u16>() {
                    Ok(status) => (StatusCode::from_u16(status).unwrap(), String::new()),
                    Err(_) => (StatusCode::OK, response),
                }
            };
        let router = Router::new()
            .fallback(any(respond))
            .with_state(state.clone());
        let url = testbed::serve(router).await;
        Self { url, state }
    }

    /// Handles an event of `CloudFormation`, which this is; what is reported to it.
    async fn report(&self, function: &Migrate, event: LambdaEvent<Value>) -> Value {
        let returned = function.handle(event).await;
        assert_eq!(returned.unwrap(), Value::Null);
        let (method, report) = self.last_request();
        assert_eq!(method, "PUT");
        report
    }

    /// Takes the method and the body of the last request.
    fn last_request(&self) -> (String, Value) {
        let mut state = self.state.lock().unwrap();
        state.requests.pop().expect("there was a request")
    }
}
