// region: mysqldata nosqldata
//! The load: clients that place and read orders and create and read products, and check
//! each response. Others change shared products and orders, and record histories.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Result;
use futures_util::future::join_all;
use http::Method;
use mysql_async::prelude::Queryable;
use serde_json::{Value, json};
use tokio::time::sleep;
use uuid::Uuid;

use super::{
    Case, System,
    ledger::{Ledger, Outcome, Tally},
    system::{CLIENTS, PRODUCTS},
};
use testbed::{
    Client, Response,
    linearizability::{Recording, Report},
};

/// The timeout of a request: longer than that of any function.
const TIMEOUT: Duration = Duration::from_secs(15);

/// The timeout of a request while functions are killed, which lose responses.
pub const SHORT_TIMEOUT: Duration = Duration::from_secs(3);

/// The attempts of a write before it is left unconfirmed.
const ATTEMPTS: usize = 3;

/// The time without a failure after which the system has recovered.
const QUIET_PERIOD: Duration = Duration::from_secs(3);

/// The limit of a recovery.
const RECOVERY_LIMIT: Duration = Duration::from_secs(30);

/// The attempts to confirm a write once the system has recovered.
const FINAL_ATTEMPTS: usize = 20;

/// The clients that record histories: half of them share a product, the others an order.
const RECORDING_CLIENTS: usize = 4;

/// The result of one case.
pub struct Row {
    /// The case.
    pub case: Case,
    /// A note, such as the number of kills.
    pub note: String,
    /// The counts during the fault and the recovery.
    pub tally: Tally,
    /// The orders placed during the fault, in total and at snapshot prices.
    pub placed: (usize, usize),
    /// The requests on the broken connection during the fault.
    pub calls: Option<usize>,
    /// The time from the repair to the last failure; none if failures did not end.
    pub recovery: Option<Duration>,
    /// Acknowledged writes that are not stored.
    pub lost: usize,
    /// Writes that were executed twice.
    pub twice: usize,
    /// The histories of the shared products and orders.
    pub histories: Report,
}

impl Row {
    /// Descriptions of the invariants that were violated.
    pub fn violations(&self) -> Vec<String> {
        let mut violations = Vec::new();
        let mut count = |count: usize, what: &str| {
            if count > 0 {
                violations.push(format!("{count} {what}"));
            }
        };
        count(self.lost, "acknowledged writes were lost");
        count(self.twice, "writes were executed twice");
        if self.case.must_accept_orders() {
            count(self.tally.refused_orders, "orders were refused");
        }
        if self.recovery.is_none() {
            violations.push("the system did not recover".to_owned());
        }
        violations.extend_from_slice(&self.tally.violations);
        violations.extend_from_slice(&self.histories.violations);
        violations
    }

    /// The number of responses that were neither correct nor a problem, and of histories
    /// that are not linearizable.
    pub fn wrong(&self) -> usize {
        self.tally.violations.len() + self.histories.violations.len()
    }
}

/// Injects a fault under load, ends it, waits for the recovery, and compares the
/// stores with the acknowledged writes.
///
/// # Errors
/// The fault cannot be injected or repaired.
pub async fn run(system: &mut System, case: Case, duration: Duration) -> Result<Row> {
    eprintln!("{} …", case.name());
    let ledger = Arc::new(Ledger::default());
    let stop = Arc::new(AtomicBool::new(false));
    let run = format!("run-{}", Uuid::now_v7().simple());
    let clients: Vec<_> = (RECORDING_CLIENTS..CLIENTS)
        .map(|number| {
            let client = LoadClient::new(
                system.client.clone(),
                ledger.clone(),
                case,
                &format!("{run}-{number}"),
            );
            tokio::spawn(client.run(stop.clone()))
        })
        .collect();
    // Every product has to be in the snapshots before the catalogue is broken.
    sleep(Duration::from_secs(1)).await;
    ledger.take();
    case.calls(system);
    let recording = Recording::start(system.client.clone(), RECORDING_CLIENTS);

    let note = case.inject(system, duration).await?;
    let calls = case.calls(system);
    let placed = ledger.placed();
    system.heal().await;
    let repaired = Instant::now();
    let recovery = loop {
        sleep(Duration::from_millis(100)).await;
        let last = (ledger.last_failure()).map_or(repaired, |last| last.max(repaired));
        if last.elapsed() > QUIET_PERIOD {
            break Some(last - repaired);
        }
        if repaired.elapsed() > RECOVERY_LIMIT {
            break None;
        }
    };
    stop.store(true, Ordering::Relaxed);
    let mut finished = Vec::new();
    for client in clients {
        finished.push(client.await?);
    }
    let histories = recording.finish().await?;
    join_all(finished.iter_mut().map(LoadClient::confirm_writes)).await;
    let (lost, twice) = audit(system, &run, &finished).await?;
    Ok(Row {
        case,
        note,
        tally: ledger.take(),
        placed,
        calls,
        recovery,
        lost,
        twice,
        histories,
    })
}

/// A client of the API, with the writes that were acknowledged to it.
struct LoadClient {
    client: Client,
    ledger: Arc<Ledger>,
    case: Case,
    name: String,
    count: usize,
    /// The orders that were acknowledged, and the products.
    orders: Vec<Value>,
    products: Vec<Value>,
    /// Writes of unknown outcome, repeated after the recovery.
    unconfirmed: Vec<Creation>,
}

/// A `POST` with its idempotency key.
struct Creation {
    target: &'static str,
    key: String,
    body: Value,
}

impl LoadClient {
    fn new(client: Client, ledger: Arc<Ledger>, case: Case, name: &str) -> Self {
        Self {
            client,
            ledger,
            case,
            name: name.to_owned(),
            count: 0,
            orders: Vec::new(),
            products: Vec::new(),
            unconfirmed: Vec::new(),
        }
    }

    /// Sends requests until `stop` is set.
    async fn run(mut self, stop: Arc<AtomicBool>) -> Self {
        while !stop.load(Ordering::Relaxed) {
            match fastrand::u8(..10) {
                0..4 => self.order().await,
                4 => self.read_order().await,
                5 => self.read_orders().await,
                6..8 => self.create_product().await,
                _ => self.read_products().await,
            }
            sleep(Duration::from_millis(20)).await;
        }
        self
    }

    async fn send(
        &self,
        method: Method,
        target: &str,
        headers: &[(&str, &str)],
        body: String,
        expected: &[u16],
    ) -> Outcome {
        let request = format!("{method} {target}");
        let lossy = self.case.may_lose_responses();
        let timeout = if lossy { SHORT_TIMEOUT } else { TIMEOUT };
        let sent = Instant::now();
        let response = self
            .client
            .try_send(method, target, headers, body, timeout)
            .await;
        self.ledger
            .check(&request, response, sent.elapsed(), expected, lossy)
    }

    async fn get(&self, target: &str) -> Option<Value> {
        let sent = self.send(Method::GET, target, &[], String::new(), &[]);
        match sent.await {
            Outcome::Success(response) => Some(self.json(target, &response)),
            Outcome::Problem(_) | Outcome::NoResponse => None,
        }
    }

    fn json(&self, request: &str, response: &Response) -> Value {
        serde_json::from_slice(&response.body).unwrap_or_else(|_| {
            (self.ledger).add_violation(format!("{request}: invalid JSON"));
            Value::Null
        })
    }

    fn expect(&self, holds: bool, violation: &str, found: &Value) {
        if !holds {
            self.ledger.add_violation(format!("{violation}: {found}"));
        }
    }

    /// Sends a creation until it is acknowledged, at most `attempts` times.
    async fn post(&self, creation: &Creation, attempts: usize) -> Option<Value> {
        let Creation { target, key, body } = creation;
        for _ in 0..attempts {
            let headers = [
                ("content-type", "application/json"),
                ("idempotency-key", key),
            ];
            let sent = self.send(Method::POST, target, &headers, body.to_string(), &[409]);
            match sent.await {
                Outcome::Success(response) => {
                    let created = self.json(target, &response);
                    self.expect(response.status == 201, "a status other than 201", &created);
                    return Some(created);
                }
                Outcome::Problem(503) if *target == "/mysqldata" => self.ledger.add_refused_order(),
                Outcome::Problem(_) | Outcome::NoResponse => {}
            }
            sleep(Duration::from_millis(fastrand::u64(20..200))).await;
        }
        None
    }

    /// Sends a creation that has to be executed once.
    async fn create(&mut self, creation: Creation) {
        let Some(created) = self.post(&creation, ATTEMPTS).await else {
            self.unconfirmed.push(creation);
            return;
        };
        if fastrand::u8(..5) == 0
            && let Some(replayed) = self.post(&creation, 1).await
        {
            let same = replayed == created;
            self.expect(same, "the replayed response differs", &replayed);
        }
        self.acknowledge(&creation, created);
    }

    fn acknowledge(&mut self, creation: &Creation, created: Value) {
        let same = |member: &str| created[member] == creation.body[member];
        if creation.target == "/nosqldata" {
            self.expect(
                same("name") && same("price"),
                "not the product that was sent",
                &created,
            );
            self.products.push(created);
            return;
        }
        let lines = created["lines"].as_array().cloned().unwrap_or_default();
        let total: i64 = lines
            .iter()
            .filter_map(|line| {
                Some(line["quantity"].as_i64()? * line["unitPrice"]["amount"].as_i64()?)
            })
            .sum();
        let holds = same("customer")
            && created["status"] == "placed"
            && lines.len() == creation.body["lines"].as_array().map_or(0, Vec::len)
            && created["total"]["amount"] == total;
        self.expect(holds, "not the order that was sent", &created);
        (self.ledger).add_order(created["pricing"] == "snapshot");
        self.orders.push(created);
    }

    /// A name that no other order or product has.
    fn unique_name(&mut self) -> String {
        self.count += 1;
        format!("{}-{}", self.name, self.count)
    }

    async fn order(&mut self) {
        let customer = self.unique_name();
        let lines: Vec<_> = PRODUCTS[..fastrand::usize(1..=PRODUCTS.len())]
            .iter()
            .map(|id| json!({"productId": id, "quantity": fastrand::u8(1..9)}))
            .collect();
        let creation = Creation {
            target: "/mysqldata",
            key: format!("key-{customer}"),
            body: json!({"customer": customer, "lines": lines}),
        };
        self.create(creation).await;
    }

    async fn create_product(&mut self) {
        let name = self.unique_name();
        let creation = Creation {
            target: "/nosqldata",
            key: format!("\"key {name}\""),
            body: json!({
                "name": name,
                "category": self.name,
                "price": {"amount": self.count, "currency": "DKK"},
            }),
        };
        self.create(creation).await;
    }

    fn random_order(&self) -> Option<&Value> {
        (!self.orders.is_empty()).then(|| &self.orders[fastrand::usize(..self.orders.len())])
    }

    async fn read_order(&self) {
        let Some(order) = self.random_order() else {
            return;
        };
        let path = format!("/mysqldata/{}", text(order, "id"));
        if let Some(found) = self.get(&path).await {
            let same = found == *order;
            self.expect(same, "not the order that was acknowledged", &found);
        }
    }

    async fn read_orders(&self) {
        let Some(order) = self.random_order() else {
            return;
        };
        let target = format!("/mysqldata?customer={}", text(order, "customer"));
        if let Some(found) = self.get(&target).await {
            let items = found["items"].as_array();
            let same = items.is_some_and(|items| *items == [order.clone()]);
            self.expect(same, "not the one order of this customer", &found);
        }
    }

    async fn read_products(&self) {
        let target = format!("/nosqldata?ids={}", PRODUCTS.join(","));
        if let Some(found) = self.get(&target).await {
            let count = found["items"].as_array().map(Vec::len);
            self.expect(count == Some(PRODUCTS.len()), "not every product", &found);
        }
    }

    /// Repeats each unconfirmed write until it is acknowledged.
    async fn confirm_writes(&mut self) {
        for creation in std::mem::take(&mut self.unconfirmed) {
            if let Some(created) = self.post(&creation, FINAL_ATTEMPTS).await {
                self.acknowledge(&creation, created);
            } else {
                let violation = format!("{} is never acknowledged", creation.body);
                self.ledger.add_violation(violation);
            }
        }
    }
}

fn text<'v>(object: &'v Value, member: &str) -> &'v str {
    object[member].as_str().unwrap_or_default()
}

/// Compares the stores with the acknowledged writes. Returns the number of writes
/// that were lost, and of those that were executed twice.
async fn audit(system: &System, run: &str, clients: &[LoadClient]) -> Result<(usize, usize)> {
    let (mut lost, mut twice) = (0, 0);
    let mut connection = system.connect().await?;
    let rows: Vec<(String, u64, String, String, i64)> = connection
        .query(format!(
            "SELECT CONVERT(customer USING utf8mb4), COUNT(*), LOWER(HEX(MIN(id))), MIN(status), \
             MIN(version) FROM orders WHERE customer LIKE '{run}-%' GROUP BY customer"
        ))
        .await?;
    connection.disconnect().await?;
    let mut rows: HashMap<_, _> = (rows.into_iter())
        .map(|(customer, count, id, status, version)| (customer, (count, id, status, version)))
        .collect();
    for order in clients.iter().flat_map(|client| &client.orders) {
        let found = rows.remove(text(order, "customer"));
        let Some((count, id, status, version)) = found else {
            lost += 1;
            continue;
        };
        let same_id = id == text(order, "id").replace('-', "");
        if !same_id || status != text(order, "status") || order["version"] != version {
            lost += 1;
        }
        twice += usize::from(count > 1);
    }
    // Every write was confirmed, so each row left is a second execution.
    twice += rows.len();

    for client in clients {
        let list = format!("/nosqldata?category={}&limit=100", client.name);
        let stored = system.client.walk(&list).await;
        let mut ids = HashMap::<_, Vec<_>>::new();
        for product in &stored {
            let of_name = ids.entry(text(product, "name")).or_default();
            of_name.push(text(product, "id"));
        }
        for product in &client.products {
            let id = text(product, "id");
            match ids.remove(text(product, "name")).as_deref() {
                Some([only]) if *only == id => {}
                Some(several) if several.contains(&id) => twice += 1,
                _ => lost += 1,
            }
        }
        twice += ids.len();
    }
    Ok((lost, twice))
}
// endregion
