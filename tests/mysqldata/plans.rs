// region: nosqldata
//! The plan of every statement of the orders: each reads rows by a key, in its order.
//!
//! The statements are those that the server logs while the service handles requests.

use std::{borrow::Cow, collections::BTreeSet};

use mysql_async::{Conn, Opts, Row, prelude::Queryable};
use serde_json::json;
use testbed::{System, eventually, finally, order};

use super::migrate::{deadline, function};

/// So many orders that a plan that reads all of them is never the cheapest.
const ORDERS: usize = 20_000;

/// Fills the tables: orders of 200 customers over two years, with two lines each.
async fn fill(connection: &mut Conn) {
    let numbers = format!("seq_0_to_{}", ORDERS - 1);
    for statement in [
        format!(
            "INSERT INTO orders (id, customer, status, currency, quantity, total, pricing, version, \
             created_at, updated_at, owner) \
             SELECT UNHEX(MD5(seq)), CONCAT('customer-', seq MOD 200), \
                    ELT(1 + seq MOD 4, 'placed', 'paid', 'shipped', 'cancelled'), 'DKK', 2, 200, \
                    'live', 1, at, at, CONCAT('owner-', seq MOD 200) \
             FROM (SELECT seq, '2024-01-01' + INTERVAL 53 * seq MINUTE AS at FROM {numbers}) AS s"
        ),
        "INSERT INTO order_lines (order_id, position, product_id, name, quantity, unit_price) \
         SELECT id, position, CONCAT('p', CRC32(id) MOD 100 + position), 'n', 1, 100 FROM orders \
         JOIN (SELECT 0 AS position UNION ALL SELECT 1) AS positions"
            .to_owned(),
        "INSERT INTO product_snapshots (product_id, name, unit_price, currency, seen_at) \
         SELECT CONCAT('x', seq), 'n', 1, 'DKK', '2026-01-01' FROM seq_1_to_5000"
            .to_owned(),
        "INSERT INTO idempotency_keys (caller, route, idempotency_key, fingerprint, answer, \
                                       created_at, expires_at) \
         SELECT 'c', 'r', seq, REPEAT('f', 32), '', '2026-01-01', '2036-01-01' FROM seq_1_to_5000"
            .to_owned(),
    ] {
        connection.query_drop(statement).await.unwrap();
    }
}

/// Adds the orders to the sums but for some, as a running service leaves them, and
/// lets the server count the rows of its tables.
async fn settle(system: &System, connection: &mut Conn) {
    let function = function(&system.database.url);
    function.run(deadline()).await.unwrap();
    let some = "UPDATE orders SET status = 'cancelled' WHERE status = 'placed' LIMIT 40";
    connection.query_drop(some).await.unwrap();
    let tables: Vec<String> = connection.query("SHOW TABLES").await.unwrap();
    let analyze = format!("ANALYZE TABLE {}", tables.join(", "));
    connection.query_drop(analyze).await.unwrap();
}

/// The requests: the list with every combination of filters, and all others.
async fn send_requests(system: &System) {
    for scope in ["orders:read-all orders:write orders:manage", "orders:write"] {
        let client = system.client.caller("owner-7", scope);
        for status in ["", "&status=paid"] {
            for customer in ["", "&customer=customer-7"] {
                for period in [
                    "",
                    "&from=2024-06-01",
                    "&to=2025-06-01",
                    "&from=2024-06-01&to=2025-06-01",
                ] {
                    let list = format!("/mysqldata?limit=3{status}{customer}{period}");
                    let page = client.get(&list).await.expect(200).json();
                    if let Some(cursor) = page["nextCursor"].as_str() {
                        client
                            .get(&format!("{list}&cursor={cursor}"))
                            .await
                            .expect(200);
                    }
                }
            }
        }
    }
    let client = system.client.caller(
        "owner-7",
        "orders:read-all orders:write orders:manage catalogue:write",
    );
    for by in ["day", "product", "status"] {
        for period in [
            "",
            "&from=2024-06-01",
            "&from=2024-06-01T12:00:00Z&to=2025-05-01T12:00:00Z",
            "&from=2024-06-01T12:00:00Z&to=2024-06-01T13:00:00Z",
        ] {
            let target = format!("/mysqldata/summary?by={by}{period}");
            client.get(&target).await.expect(200);
        }
    }
    system.client.put_product("new", 7, "DKK").await;
    let order = order("c", &["new"]);
    // One write in 32 also adds orders to the sums.
    eventually(async || {
        client.post("/mysqldata", &order).await.expect(201);
        let summed = "SELECT id FROM orders WHERE customer = 'c' AND summed = 'placed' LIMIT 1";
        let mut connection = system.connect().await;
        let summed: Option<Vec<u8>> = connection.query_first(summed).await.ok()?;
        summed.map(drop)
    })
    .await;
    let placed = client
        .post_once("/mysqldata", "k", &order)
        .await
        .expect(201);
    client
        .post_once("/mysqldata", "k", &order)
        .await
        .expect(201);
    let path = placed.header("location");
    client.get(path).await.expect(200);
    client
        .patch(path, &json!({"status": "paid"}))
        .await
        .expect(200);
    system.client.delete("/nosqldata/new").await.expect(204);
    client.post("/mysqldata", &order).await.expect(422);
    system.catalogue.set(testbed::wire::Fault::Refused).await;
    client.post("/mysqldata", &order).await.expect(503);
}

/// The server's log of statements. It is on until this is dropped, also by a panic: the
/// server outlives the test.
struct GeneralLog {
    database: String,
}

impl GeneralLog {
    async fn start(system: &System, connection: &mut Conn) -> Self {
        let log = Self {
            database: system.database.url.clone(),
        };
        let on = connection.query_drop("SET GLOBAL general_log = ON");
        on.await.unwrap();
        log
    }
}

impl Drop for GeneralLog {
    fn drop(&mut self) {
        let opts = Opts::from_url(&self.database).unwrap();
        finally(async {
            let mut connection = Conn::new(opts).await?;
            connection
                .query_drop("SET GLOBAL general_log = OFF")
                .await?;
            connection.disconnect().await
        });
    }
}

/// The statements that the service executes meanwhile, with their values.
async fn statements(system: &System, connection: &mut Conn) -> BTreeSet<String> {
    let threads = "SELECT id FROM information_schema.processlist WHERE db = ? AND user = 'orders'";
    let threads: Vec<u64> = connection
        .exec(threads, (system.database.name.as_str(),))
        .await
        .unwrap();
    connection
        .query_drop("SET GLOBAL log_output = 'TABLE'")
        .await
        .unwrap();
    let log = GeneralLog::start(system, connection).await;
    send_requests(system).await;
    drop(log);
    // The log has the statements of all tests.
    let threads: Vec<_> = threads.iter().map(u64::to_string).collect();
    let log = format!(
        "SELECT CONVERT(argument USING utf8mb4) FROM mysql.general_log \
         WHERE command_type = 'Execute' AND thread_id IN ({})",
        threads.join(", ")
    );
    // A statement has the values that were bound, also binary ones.
    let statements: Vec<Vec<u8>> = connection.query(log).await.unwrap();
    let statements = statements.iter().map(|it| String::from_utf8_lossy(it));
    statements.map(Cow::into_owned).collect()
}

/// What is wrong with the plan of a statement.
async fn defects(connection: &mut Conn, statement: &str) -> Vec<String> {
    let plan: Vec<Row> = connection
        .query(format!("EXPLAIN {statement}"))
        .await
        .unwrap();
    // It adds up a batch of orders, or the orders of parts of days: it sorts the
    // groups, of which there are few.
    let adds_up = statement.contains("GROUP BY");
    let mut defects = Vec::new();
    for step in plan {
        let text = |column: &str| {
            step.get::<Option<String>, _>(column)
                .unwrap()
                .unwrap_or_default()
        };
        let (table, kind, extra) = (text("table"), text("type"), text("Extra"));
        // Rows that are inserted are not read.
        let is_read = text("select_type") != "INSERT" && !table.is_empty();
        let is_stored = is_read && !table.starts_with('<');
        // The newest orders of all are the first of an index.
        let is_first_of_index = text("key") == "orders_by_time" && statement.contains("LIMIT");
        let scans = kind == "ALL" || (kind == "index" && !is_first_of_index);
        if is_stored && scans {
            defects.push(format!("reads all of {table}"));
        }
        if !adds_up && (extra.contains("filesort") || extra.contains("temporary")) {
            defects.push(format!("sorts {table}: {extra}"));
        }
    }
    defects
}

#[tokio::test(flavor = "multi_thread")]
async fn every_statement_reads_rows_by_a_key_in_its_order() {
    let system = System::start().await;
    let mut connection = system.connect().await;
    fill(&mut connection).await;
    settle(&system, &mut connection).await;
    let statements = statements(&system, &mut connection).await;
    let mut tables = BTreeSet::new();
    let mut all = Vec::new();
    for statement in &statements {
        let words: Vec<_> = statement.split_whitespace().collect();
        let table = words
            .iter()
            .skip_while(|word| !["FROM", "INTO", "UPDATE"].contains(word));
        tables.extend(table.skip(1).take(1).map(|table| (words[0], *table)));
        let defects = defects(&mut connection, statement).await;
        all.extend(
            defects
                .iter()
                .map(|defect| format!("{defect}: {statement}")),
        );
    }
    assert!(all.is_empty(), "{}", all.join("\n"));
    for expected in [
        ("SELECT", "orders"),
        ("SELECT", "order_sums"),
        ("SELECT", "product_sums"),
        ("SELECT", "product_snapshots"),
        ("SELECT", "idempotency_keys"),
        ("SELECT", "sums_lock"),
        ("INSERT", "orders"),
        ("INSERT", "order_sums"),
        ("INSERT", "product_sums"),
        ("INSERT", "product_snapshots"),
        ("INSERT", "idempotency_keys"),
        ("UPDATE", "orders"),
        ("UPDATE", "product_snapshots"),
        ("DELETE", "idempotency_keys"),
    ] {
        assert!(
            tables.contains(&expected),
            "{expected:?} is not in {tables:?}"
        );
    }
}
// endregion
