// region: nosqldata
//! The sums of the orders equal the orders at any time: while orders are added to
//! them, concurrently, after crashes, and beside the previous version of the code.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use chassis::{Deadline, RequestContext};
use fastrand::Rng;
use futures_util::future::join_all;
use mysql::{Database, TransactionError};
use mysql_async::{Conn, prelude::Queryable};
use serde::Deserialize;
use serde_json::json;
use testbed::{System, eventually, order};
use tokio::time::timeout;
use uuid::Uuid;

use super::migrate::{deadline, function};

/// The rounds of a history, and the operations of a round, which are concurrent.
const ROUNDS: usize = 12;
const OPERATIONS: usize = 24;

/// Times around which orders are placed: they share some days, months and years.
const TIMES: [&str; 8] = [
    "2023-12-31 23:59:59.999",
    "2024-01-01 00:00:00.000",
    "2024-02-29 12:00:00.000",
    "2024-02-29 12:00:00.001",
    "2024-03-01 00:00:00.000",
    "2024-03-17 08:30:00.000",
    "2025-06-30 20:00:00.000",
    "2026-01-02 06:00:00.000",
];

/// Periods with and without parts of days, with one end, and with none.
const PERIODS: [(Option<&str>, Option<&str>); 10] = [
    (None, None),
    (Some("2024-01-01"), Some("2025-01-01")),
    (Some("2024-02-29"), Some("2024-03-01")),
    (
        Some("2024-02-29T12:00:00.001Z"),
        Some("2024-02-29T12:00:01Z"),
    ),
    (
        Some("2024-02-29T12:00:00.001Z"),
        Some("2025-06-30T20:00:00Z"),
    ),
    (
        Some("2023-12-31T23:59:59.999Z"),
        Some("2026-01-02T06:00:00.001Z"),
    ),
    (Some("2024-03-17T08:30:00Z"), None),
    (None, Some("2025-06-30T20:00:00.001Z")),
    (Some("2024-03-01"), Some("2024-03-01")),
    (Some("2024-03-01"), None),
];

const PRODUCTS: [&str; 5] = ["a", "b", "c", "d", "e"];

/// The sums of a key and currency: orders, quantity and revenue.
type Sums = BTreeMap<(String, String), (i128, i128, i128)>;

#[derive(Deserialize)]
struct Summary {
    rows: Vec<Row>,
}

/// A row of a summary. Its sums may exceed 64 bits.
#[derive(Deserialize)]
pub struct Row {
    #[serde(alias = "day", alias = "product", alias = "status")]
    pub key: String,
    pub orders: i128,
    pub quantity: i128,
    pub revenue: Revenue,
}

#[derive(Deserialize)]
pub struct Revenue {
    pub amount: i128,
    currency: String,
}

/// The rows of a summary, which are in the order of their keys.
pub async fn rows(system: &System, query: &str) -> Vec<Row> {
    let target = format!("/mysqldata/summary?{query}");
    let response = system.client.get(&target).await.expect(200);
    let Summary { rows } = serde_json::from_slice(&response.body).unwrap();
    assert!(rows.is_sorted_by_key(|row| &row.key), "{response}");
    rows
}

/// The summary that the service returns.
async fn summary(system: &System, by: &str, (from, to): (Option<&str>, Option<&str>)) -> Sums {
    let from = from.map_or_else(String::new, |from| format!("&from={from}"));
    let to = to.map_or_else(String::new, |to| format!("&to={to}"));
    let query = format!("by={by}{from}{to}");
    let rows = rows(system, &query).await;
    let count = rows.len();
    let sums = rows.into_iter().map(|row| {
        let sums = (row.orders, row.quantity, row.revenue.amount);
        ((row.key, row.revenue.currency), sums)
    });
    let sums: Sums = sums.collect();
    assert_eq!(
        sums.len(),
        count,
        "two rows have a key and currency: {query}"
    );
    sums
}

/// The same from the orders alone.
async fn computed(connection: &mut Conn, by: &str, period: (Option<&str>, Option<&str>)) -> Sums {
    let day = "DATE_FORMAT(created_at, '%Y-%m-%d')";
    let product = "CAST(l.quantity AS DECIMAL(30)) * unit_price";
    let (key, quantity, revenue, tables, counts) = match by {
        "day" => (
            day,
            "o.quantity",
            "total",
            "orders o",
            "status <> 'cancelled'",
        ),
        "status" => ("status", "o.quantity", "total", "orders o", "TRUE"),
        _ => (
            "product_id",
            "l.quantity",
            product,
            "orders o JOIN order_lines l ON order_id = id",
            "status <> 'cancelled'",
        ),
    };
    let time = |time: &str| time.replace('T', " ").replace('Z', "");
    let from = period.0.map_or_else(|| "1000-01-01".to_owned(), time);
    let to = period.1.map_or_else(|| "9999-12-31".to_owned(), time);
    let sql = format!(
        "SELECT {key}, currency, COUNT(*), SUM({quantity}), SUM({revenue}) FROM {tables} \
         WHERE created_at >= ? AND created_at < ? AND {counts} GROUP BY {key}, currency"
    );
    let rows: Vec<(String, String, i128, i128, i128)> =
        connection.exec(sql, (from, to)).await.unwrap();
    let rows = rows.into_iter();
    rows.map(|(key, currency, orders, quantity, revenue)| {
        ((key, currency), (orders, quantity, revenue))
    })
    .collect()
}

/// Compares all summaries with the orders.
async fn expect_exact(system: &System, context: &str) {
    let mut connection = system.connect().await;
    for period in PERIODS {
        for by in ["day", "product", "status"] {
            let expected = computed(&mut connection, by, period).await;
            let actual = summary(system, by, period).await;
            assert_eq!(actual, expected, "by {by}, {period:?}, {context}");
        }
    }
    connection.disconnect().await.unwrap();
}

/// Places an order with the statements of the version before the sums.
async fn place_by_earlier_version(connection: &mut Conn, rng: &mut Rng) -> Uuid {
    let id = Uuid::now_v7();
    let currency = ["DKK", "EUR"][rng.usize(..2)];
    let count = rng.usize(1..=PRODUCTS.len());
    let mut products = PRODUCTS;
    rng.shuffle(&mut products);
    let lines = products[..count].iter();
    let lines: Vec<(&str, i64, i64)> = lines
        // Few of them exceed 64 bits together.
        .map(|product| (*product, rng.i64(1..1000), rng.i64(0..i64::MAX / 10_000)))
        .collect();
    let at = TIMES[rng.usize(..TIMES.len())];
    let quantity: i64 = lines.iter().map(|(_, quantity, _)| quantity).sum();
    let totals = lines.iter().map(|(_, quantity, price)| quantity * price);
    let total: i64 = totals.sum();
    let mut transaction = connection
        .start_transaction(mysql_async::TxOpts::default())
        .await
        .unwrap();
    let order = "INSERT INTO orders (id, customer, status, currency, quantity, total, pricing, \
                 version, created_at, updated_at, owner) \
                 VALUES (?, 'c', 'placed', ?, ?, ?, 'live', 1, ?, ?, 'ada')";
    let values = (id, currency, quantity, total, at, at);
    transaction.exec_drop(order, values).await.unwrap();
    let line = "INSERT INTO order_lines (order_id, position, product_id, name, quantity, \
                unit_price) VALUES (?, ?, ?, 'n', ?, ?)";
    let rows = lines.iter().zip(0..);
    let rows = rows
        .map(|((product, quantity, price), position)| (id, position, *product, *quantity, *price));
    transaction.exec_batch(line, rows).await.unwrap();
    transaction.commit().await.unwrap();
    id
}

/// Changes the status of an order with the statements of the version before the sums.
async fn change_by_earlier_version(connection: &mut Conn, id: Uuid, to: &str) {
    let mut transaction = connection
        .start_transaction(mysql_async::TxOpts::default())
        .await
        .unwrap();
    let found = "SELECT status FROM orders WHERE id = ? FOR UPDATE";
    let status: Option<String> = transaction.exec_first(found, (id,)).await.unwrap();
    let allowed: &[&str] = match status.as_deref().unwrap() {
        "placed" => &["paid", "cancelled"],
        "paid" => &["shipped", "cancelled"],
        _ => &[],
    };
    if allowed.contains(&to) {
        let change = "UPDATE orders SET status = ?, version = version + 1, \
                      updated_at = NOW(3), change_id = ? WHERE id = ?";
        let values = (to, Uuid::now_v7(), id);
        transaction.exec_drop(change, values).await.unwrap();
    }
    transaction.commit().await.unwrap();
}

/// How adding orders to the sums ends.
#[derive(Clone, Copy)]
enum End {
    /// It commits.
    Commit,
    /// It fails after its last statement.
    Rollback,
    /// Its connection is closed after this time, in the middle of a statement.
    Crash(Duration),
}

/// Adds at most `limit` pending orders to the sums.
async fn sum(database: &Database, limit: u32, end: End) -> Option<usize> {
    let ctx = RequestContext::at_start(Deadline::within(Duration::from_secs(10)));
    let add = async |session| {
        let added = sums::add_pending(&session, limit).await?;
        match end {
            End::Rollback => Err(TransactionError::Abort(Aborted)),
            End::Commit | End::Crash(_) => Ok(added),
        }
    };
    let added = database.transaction(&ctx, add);
    match end {
        End::Crash(after) => timeout(after, added).await.ok()?.ok()?,
        _ => added.await.ok()?,
    }
}

struct Aborted;

impl From<mysql::Error> for Aborted {
    fn from(_: mysql::Error) -> Self {
        Self
    }
}

/// The number of orders that are not in the sums with their status.
async fn pending(connection: &mut Conn) -> u64 {
    let query = "SELECT COUNT(*) FROM orders WHERE NOT summed <=> status";
    connection.query_first(query).await.unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn summary_is_refused_when_it_does_not_fit_into_a_response() {
    let system = System::start().await;
    let mut connection = system.connect().await;
    let longest = "p".repeat(59);
    let most = "9".repeat(38);
    // As many products as a summary may have, with the longest rows there are.
    let rows: Vec<_> = (0..20_000)
        .map(|n| {
            format!(
                "('year', '2020-01-01', '{longest}{n:05}', 'DKK', {}, {most}, {most})",
                i64::MAX
            )
        })
        .collect();
    let insert = "INSERT INTO product_sums VALUES ";
    connection
        .query_drop(format!("{insert}{}", rows.join(",")))
        .await
        .unwrap();
    let target = "/mysqldata/summary?by=product&from=2020-01-01&to=2021-01-01";
    let summary = system.client.get(target).await.expect(200);
    assert_eq!(summary.json()["rows"].as_array().unwrap().len(), 20_000);
    let body = serde_json::to_vec(&summary.text()).unwrap();
    assert!(body.len() < 6_000_000, "{}", body.len());

    let one = format!("{insert}('year', '2020-01-01', 'one', 'DKK', 1, 1, 1)");
    connection.query_drop(one).await.unwrap();
    let refused = system.client.get(target).await;
    let detail = "the summary has more than 20000 rows: choose a shorter period";
    refused.expect_invalid(&[("from", detail)]);

    // A sum that the last order has left is no row, however many there are.
    let rows: Vec<_> = (0..=40_000)
        .map(|n| format!("('year', '2021-01-01', 'p{n}', 'DKK', 0, 0, 0)"))
        .collect();
    let left = format!("{insert}{}", rows.join(","));
    connection.query_drop(left).await.unwrap();
    let target = "/mysqldata/summary?by=product&from=2021-01-01&to=2022-01-01";
    let summary = system.client.get(target).await.expect(200);
    summary.expect_members(&[("/rows", json!([]))]);
}

#[tokio::test(flavor = "multi_thread")]
async fn summary_equals_the_orders_after_any_history() {
    let seed = fastrand::u64(..);
    let mut rng = Rng::with_seed(seed);
    let system = System::with_instances(4).await;
    for product in PRODUCTS {
        system.client.put_product(product, 7, "DKK").await;
    }
    let database = Database::open(system.database.url.parse().unwrap()).await;
    let mut orders = Vec::<Uuid>::new();
    let added = AtomicU64::new(0);
    for round in 0..ROUNDS {
        let operations = (0..OPERATIONS).map(|_| {
            let mut rng = rng.fork();
            let order = orders.get(rng.usize(..=orders.len())).copied();
            let to = ["paid", "shipped", "cancelled"][rng.usize(..3)];
            let (system, database, added) = (&system, &database, &added);
            async move {
                match (rng.u8(..10), order) {
                    (0..=1, _) => {
                        let line = |product: &&str| json!({"productId": product, "quantity": 3});
                        let count = rng.usize(1..=PRODUCTS.len());
                        let lines: Vec<_> = PRODUCTS[..count].iter().map(line).collect();
                        let order = json!({"customer": "c", "lines": lines});
                        let placed = system.client.post("/mysqldata", &order).await.expect(201);
                        let id = placed.json()["id"].as_str().unwrap().parse().unwrap();
                        return Some(id);
                    }
                    (2..=3, Some(id)) => {
                        let path = format!("/mysqldata/{id}");
                        let patch = json!({ "status": to });
                        let patched = system.client.patch(&path, &patch).await;
                        assert!([200, 409].contains(&patched.status.as_u16()), "{patched}");
                    }
                    (4..=5, Some(id)) => {
                        let mut connection = system.connect().await;
                        change_by_earlier_version(&mut connection, id, to).await;
                        connection.disconnect().await.unwrap();
                    }
                    (6..=7, _) => {
                        let end = match rng.u8(..3) {
                            0 => End::Commit,
                            1 => End::Rollback,
                            _ => End::Crash(Duration::from_micros(rng.u64(..20_000))),
                        };
                        let summed = sum(database, rng.u32(1..20), end).await;
                        let summed = summed.unwrap_or_default();
                        added.fetch_add(summed.try_into().unwrap(), Relaxed);
                    }
                    _ => {
                        let mut connection = system.connect().await;
                        let id = place_by_earlier_version(&mut connection, &mut rng).await;
                        connection.disconnect().await.unwrap();
                        return Some(id);
                    }
                }
                None
            }
        });
        let operations: Vec<_> = operations.collect();
        orders.extend(join_all(operations).await.into_iter().flatten());
        expect_exact(&system, &format!("round {round}, seed {seed}")).await;
    }
    assert!(added.load(Relaxed) > 0, "no order was added to the sums");

    // A deployment adds the rest.
    let function = function(&system.database.url);
    function.run(deadline()).await.unwrap();
    assert_eq!(pending(&mut system.connect().await).await, 0, "seed {seed}");
    expect_exact(&system, &format!("all summed, seed {seed}")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn placing_orders_keeps_few_of_them_pending() {
    const ORDERS: usize = 400;
    let system = System::with_instances(8).await;
    system.client.put_product("p", 7, "DKK").await;
    let order = order("c", &["p"]);
    for _ in 0..ORDERS / 8 {
        let places = (0..8).map(|_| system.client.post("/mysqldata", &order));
        for placed in join_all(places).await {
            placed.expect(201);
        }
    }
    // An order that cannot lock the sums leaves them to the next.
    eventually(async || {
        let places = (0..8).map(|_| system.client.post("/mysqldata", &order));
        join_all(places).await;
        let pending = pending(&mut system.connect().await).await;
        (pending <= 64).then_some(())
    })
    .await;
    expect_exact(&system, "after many orders").await;
}

/// A database at the version before the sums, with orders, is migrated while the code
/// of that version writes. Runs are interrupted, the first ones early.
#[tokio::test(flavor = "multi_thread")]
async fn interrupted_migration_sums_existing_orders() {
    let seed = fastrand::u64(..);
    let mut rng = Rng::with_seed(seed);
    let system = System::start().await;
    let mut connection = system.connect().await;
    let mut orders = Vec::new();
    for _ in 0..300 {
        orders.push(place_by_earlier_version(&mut connection, &mut rng).await);
    }
    assert_eq!(pending(&mut connection).await, 300);
    expect_exact(&system, &format!("before the migration, seed {seed}")).await;
    let function = function(&system.database.url);
    let (mut runs, mut interrupted) = (0, 0);
    while pending(&mut connection).await > 0 && runs < 100 {
        runs += 1;
        let limit = Duration::from_millis(rng.u64(..20 * runs));
        let run = timeout(limit, function.run(deadline()));
        let write = async {
            let mut connection = system.connect().await;
            let id = orders[rng.usize(..orders.len())];
            change_by_earlier_version(&mut connection, id, "paid").await;
            connection.disconnect().await.unwrap();
        };
        let (run, ()) = tokio::join!(run, write);
        interrupted += usize::from(run.is_err());
        expect_exact(&system, &format!("after {runs} runs, seed {seed}")).await;
    }
    assert!(
        interrupted > 0,
        "no run of {runs} was interrupted, seed {seed}"
    );
    function.run(deadline()).await.unwrap();
    assert_eq!(pending(&mut connection).await, 0, "seed {seed}");
    expect_exact(&system, &format!("after the migration, seed {seed}")).await;
    assert_eq!(function.run(deadline()).await.unwrap().summed, 0);
}
// endregion
