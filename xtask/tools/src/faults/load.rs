//! The load: clients that place, read and move orders and make, replace and
//! read products, and know what each answer has to be.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use futures_util::future::join_all;
use http::Method;
use mysql_async::prelude::Queryable;
use serde_json::{Value, json};
use tokio::time::sleep;
use uuid::Uuid;

use super::{
    Case, World,
    ledger::{Ledger, Outcome, Tally},
    world::CLIENTS,
};
use testbed::{Client, Response};

/// What is ordered: products of the sample catalogue.
pub const PRODUCTS: [&str; 4] = ["espresso-cups", "french-press", "hand-grinder", "moka-pot"];

/// How long a client waits for an answer: longer than any function may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// The same where a function is killed, and nobody is left to answer.
const SHORT_PATIENCE: Duration = Duration::from_secs(3);

/// How often a client tries a write at once before it does something else.
const TRIES: usize = 3;

/// No trouble for so long means healed.
const QUIET: Duration = Duration::from_secs(3);

/// What is not healed after this will not heal.
const HEALS_WITHIN: Duration = Duration::from_secs(30);

/// What came of one case.
pub struct Row {
    /// The case.
    pub case: Case,
    /// What was done beyond what its name says.
    pub note: String,
    /// What was counted while it was broken, and while it healed.
    pub tally: Tally,
    /// The orders that were placed while it was broken, and those of them at
    /// the prices of snapshots.
    pub placed: (usize, usize),
    /// The requests on the broken wire while it was broken.
    pub calls: Option<usize>,
    /// How long there was trouble after it was whole again; none where that
    /// did not end.
    pub healed: Option<Duration>,
    /// Acknowledged writes that are not there.
    pub lost: usize,
    /// Writes that are there twice.
    pub twice: usize,
}

impl Row {
    /// What must not be, in words.
    pub fn faults(&self) -> Vec<String> {
        let mut faults = self.tally.complaints.clone();
        let mut count = |count: usize, what: &str| {
            if count > 0 {
                faults.push(format!("{count} {what}"));
            }
        };
        count(self.lost, "acknowledged writes were lost");
        count(self.twice, "writes were done twice");
        if self.case.leaves_the_orders() {
            count(self.tally.refused_orders, "orders were refused");
        }
        if self.healed.is_none() {
            faults.push("it did not heal".to_owned());
        }
        faults
    }

    /// For a person who looks on.
    pub fn line(&self) -> String {
        let Self { tally, .. } = self;
        let mut line = format!(
            "  {}: {} requests ({}), slowest {:.2} s, {} calls, healed {}, lost {}, twice {}, wrong {} {}",
            self.case.name(),
            tally.requests(),
            tally.by_status(),
            tally.slowest.as_secs_f64(),
            self.calls
                .map_or_else(|| "?".to_owned(), |calls| calls.to_string()),
            self.healed.map_or_else(
                || "never".to_owned(),
                |time| format!("{:.1} s", time.as_secs_f64())
            ),
            self.lost,
            self.twice,
            tally.wrong,
            self.note,
        );
        for fault in self.faults() {
            line.push_str("\n    ! ");
            line.push_str(&fault);
        }
        line
    }
}

/// Breaks the system in this way under load, heals it, and looks what is left.
///
/// # Errors
/// It cannot be broken or healed.
pub async fn run(world: &mut World, case: &Case, lasts: Duration) -> Result<Row> {
    let case = *case;
    eprintln!("{} …", case.name());
    let ledger = Arc::new(Ledger::default());
    let stop = Arc::new(AtomicBool::new(false));
    let run = format!("run-{}", Uuid::now_v7().simple());
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let customer = Customer::new(
                world.client.clone(),
                ledger.clone(),
                case,
                &format!("{run}-{number}"),
            );
            tokio::spawn(customer.shop(stop.clone()))
        })
        .collect();
    // Long enough for every product to have been seen.
    sleep(Duration::from_secs(1)).await;
    ledger.take();
    case.calls(world);

    let note = case.inflict(world, lasts).await?;
    let calls = case.calls(world);
    let placed = ledger.placed();
    world.heal().await;
    let healing = Instant::now();
    let healed = loop {
        sleep(Duration::from_millis(100)).await;
        let last = ledger.last_trouble().map_or(healing, |it| it.max(healing));
        if last.elapsed() > QUIET {
            break Some(last - healing);
        }
        if healing.elapsed() > HEALS_WITHIN {
            break None;
        }
    };
    stop.store(true, Ordering::Relaxed);
    let mut customers = Vec::new();
    for client in clients {
        customers.push(client.await?);
    }
    // What was not acknowledged yet is asked for until it is.
    join_all(customers.iter_mut().map(Customer::settle)).await;
    let (lost, twice) = audit(world, &run, &customers).await?;
    Ok(Row {
        case,
        note,
        tally: ledger.take(),
        placed,
        calls,
        healed,
        lost,
        twice,
    })
}

/// A client of the API, and what it was told.
struct Customer {
    client: Client,
    ledger: Arc<Ledger>,
    case: Case,
    name: String,
    count: usize,
    orders: Vec<Order>,
    products: Vec<Product>,
    /// Writes whose fate it does not know, asked again when all is well.
    unsettled: Vec<Wanted>,
    own: Own,
}

/// An order that was acknowledged.
struct Order {
    seen: Value,
    /// It was told to become paid, and nobody said whether it did.
    may_be_paid: bool,
}

/// A product that was acknowledged.
struct Product {
    id: String,
    name: String,
}

/// A write with its key.
#[derive(Clone)]
struct Wanted {
    target: &'static str,
    key: String,
    body: Value,
}

/// The product that this client alone replaces, again and again.
#[derive(Default)]
struct Own {
    /// The number of the last write.
    count: u64,
    /// The last write that was acknowledged, and the version that it made.
    seen: (u64, i64),
    /// The writes since then that nobody said anything of.
    maybe: Vec<u64>,
}

impl Customer {
    fn new(client: Client, ledger: Arc<Ledger>, case: Case, name: &str) -> Self {
        Self {
            client,
            ledger,
            case,
            name: name.to_owned(),
            count: 0,
            orders: Vec::new(),
            products: Vec::new(),
            unsettled: Vec::new(),
            own: Own::default(),
        }
    }

    /// Goes on until it is told to stop.
    async fn shop(mut self, stop: Arc<AtomicBool>) -> Self {
        while !stop.load(Ordering::Relaxed) {
            match fastrand::u8(..10) {
                0..3 => self.order().await,
                3 => self.read_order().await,
                4 => self.pay().await,
                5 => self.read_orders().await,
                6 => self.make_product().await,
                7 => self.replace_own().await,
                8 => self.read_own().await,
                _ => self.read_products().await,
            }
            sleep(Duration::from_millis(20)).await;
        }
        self
    }

    async fn ask(
        &self,
        method: Method,
        target: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
        may_be: &[u16],
    ) -> Outcome {
        let what = format!("{method} {target}");
        let silent = self.case.may_be_silent();
        let patience = if silent { SHORT_PATIENCE } else { PATIENCE };
        let json = [("content-type", "application/json")];
        let headers = match body {
            Some(_) => [&json, headers].concat(),
            None => headers.to_vec(),
        };
        let body = body.map(Value::to_string).unwrap_or_default();
        let asked = Instant::now();
        let answer = self
            .client
            .try_send(method, target, &headers, body, patience)
            .await;
        self.ledger
            .judge(&what, answer, asked.elapsed(), may_be, silent)
    }

    async fn get(&self, target: &str) -> Option<Value> {
        match self.ask(Method::GET, target, &[], None, &[]).await {
            Outcome::Answered(answer) => Some(self.json(target, &answer)),
            Outcome::Problem(_) | Outcome::Silence => None,
        }
    }

    fn json(&self, what: &str, answer: &Response) -> Value {
        serde_json::from_slice(&answer.body).unwrap_or_else(|_| {
            self.ledger.complain(format!("{what}: no JSON"));
            Value::Null
        })
    }

    fn expect(&self, holds: bool, what: &str, answer: &Value) {
        if !holds {
            self.ledger.complain(format!("{what}: {answer}"));
        }
    }

    /// Asks for a write with its key until it is acknowledged, so many times.
    async fn insist(&self, wanted: &Wanted, tries: usize) -> Option<Value> {
        let Wanted { target, key, body } = wanted;
        for _ in 0..tries {
            let headers = [("idempotency-key", key.as_str())];
            let asked = self.ask(Method::POST, target, &headers, Some(body), &[409]);
            match asked.await {
                Outcome::Answered(answer) => {
                    let made = self.json(target, &answer);
                    self.expect(answer.status == 201, "a write that is no 201", &made);
                    return Some(made);
                }
                Outcome::Problem(503) if *target == "/mysqldata" => self.ledger.refused_order(),
                Outcome::Problem(_) | Outcome::Silence => {}
            }
            sleep(Duration::from_millis(fastrand::u64(20..200))).await;
        }
        None
    }

    /// Writes what has to be there once.
    async fn write(&mut self, wanted: Wanted) {
        let Some(made) = self.insist(&wanted, TRIES).await else {
            self.unsettled.push(wanted);
            return;
        };
        // Asked once more, it is the same answer.
        if fastrand::u8(..5) == 0
            && let Some(again) = self.insist(&wanted, 1).await
        {
            self.expect(again == made, "not what was answered before", &again);
        }
        self.acknowledged(&wanted, made);
    }

    fn acknowledged(&mut self, wanted: &Wanted, made: Value) {
        let same = |member: &str| made[member] == wanted.body[member];
        if wanted.target == "/nosqldata" {
            self.expect(same("name") && same("price"), "another product", &made);
            self.products.push(Product {
                id: made["id"].as_str().unwrap_or_default().to_owned(),
                name: made["name"].as_str().unwrap_or_default().to_owned(),
            });
            return;
        }
        let lines = made["lines"].as_array().cloned().unwrap_or_default();
        let total: i64 = lines
            .iter()
            .filter_map(|line| {
                Some(line["quantity"].as_i64()? * line["unitPrice"]["amount"].as_i64()?)
            })
            .sum();
        let holds = same("customer")
            && made["status"] == "placed"
            && lines.len() == wanted.body["lines"].as_array().map_or(0, Vec::len)
            && made["total"]["amount"] == total;
        self.expect(holds, "another order", &made);
        self.ledger.order(made["pricing"] == "snapshot");
        self.orders.push(Order {
            seen: made,
            may_be_paid: false,
        });
    }

    fn number(&mut self) -> String {
        self.count += 1;
        format!("{}-{}", self.name, self.count)
    }

    async fn order(&mut self) {
        let customer = self.number();
        let lines: Vec<_> = PRODUCTS[..fastrand::usize(1..=PRODUCTS.len())]
            .iter()
            .map(|id| json!({"productId": id, "quantity": fastrand::u8(1..9)}))
            .collect();
        let wanted = Wanted {
            target: "/mysqldata",
            key: format!("key-{customer}"),
            body: json!({"customer": customer, "lines": lines}),
        };
        self.write(wanted).await;
    }

    async fn make_product(&mut self) {
        let name = self.number();
        let wanted = Wanted {
            target: "/nosqldata",
            key: format!("\"key {name}\""),
            body: json!({
                "name": name,
                "category": self.name,
                "price": {"amount": self.count, "currency": "DKK"},
            }),
        };
        self.write(wanted).await;
    }

    fn some_order(&self) -> Option<usize> {
        (!self.orders.is_empty()).then(|| fastrand::usize(..self.orders.len()))
    }

    async fn read_order(&mut self) {
        let Some(at) = self.some_order() else { return };
        let path = path(&self.orders[at]);
        if let Some(found) = self.get(&path).await {
            self.compare(at, &found);
        }
    }

    /// What is read is what was acknowledged, or what may have come of it.
    fn compare(&mut self, at: usize, found: &Value) {
        let order = &mut self.orders[at];
        let same = *found == order.seen;
        let paid = order.may_be_paid && found["status"] == "paid" && found["version"] == 2;
        if paid {
            order.seen = found.clone();
            order.may_be_paid = false;
        }
        self.expect(same || paid, "not the order that it was", found);
    }

    async fn pay(&mut self) {
        let Some(at) = self.some_order() else { return };
        let order = &self.orders[at];
        if order.may_be_paid || order.seen["status"] != "placed" {
            return self.read_order().await;
        }
        let path = path(order);
        let body = json!({"status": "paid"});
        let paid = self.ask(Method::PATCH, &path, &[], Some(&body), &[]).await;
        match paid {
            Outcome::Answered(answer) => {
                let paid = self.json(&path, &answer);
                self.expect(
                    paid["status"] == "paid" && paid["version"] == 2,
                    "not paid",
                    &paid,
                );
                self.orders[at].seen = paid;
            }
            Outcome::Problem(_) | Outcome::Silence => self.orders[at].may_be_paid = true,
        }
    }

    async fn read_orders(&mut self) {
        let Some(at) = self.some_order() else { return };
        let customer = self.orders[at].seen["customer"].clone();
        let target = format!(
            "/mysqldata?customer={}",
            customer.as_str().unwrap_or_default()
        );
        if let Some(found) = self.get(&target).await {
            let items = found["items"].as_array().cloned().unwrap_or_default();
            self.expect(items.len() == 1, "not one order", &found);
            if let Some(found) = items.first() {
                self.compare(at, found);
            }
        }
    }

    fn own_path(&self) -> String {
        format!("/nosqldata/{}", self.name)
    }

    async fn replace_own(&mut self) {
        self.own.count += 1;
        let count = self.own.count;
        let body = json!({
            "name": self.name,
            "category": "own",
            "price": {"amount": 1, "currency": "DKK"},
            "attributes": {"count": count},
        });
        let path = self.own_path();
        let put = self.ask(Method::PUT, &path, &[], Some(&body), &[]).await;
        match put {
            Outcome::Answered(answer) => {
                let made = self.json(&path, &answer);
                self.expect(
                    made["attributes"]["count"] == count,
                    "another product",
                    &made,
                );
                self.has_version(&made, count);
            }
            Outcome::Problem(_) | Outcome::Silence => self.own.maybe.push(count),
        }
    }

    /// The version is one more with each write that was done: as many as were
    /// acknowledged, and no more than were asked for.
    fn has_version(&mut self, product: &Value, count: u64) {
        let version = product["version"].as_i64().unwrap_or_default();
        let (_, before) = self.own.seen;
        let maybe = i64::try_from(self.own.maybe.len()).unwrap_or(i64::MAX);
        let done = before + 1..=before + 1 + maybe;
        self.expect(
            done.contains(&version),
            "a write lost or done twice",
            product,
        );
        self.own.seen = (count, version);
        self.own.maybe.clear();
    }

    async fn read_own(&mut self) {
        let (count, version) = self.own.seen;
        if count == 0 {
            return;
        }
        let Some(found) = self.get(&self.own_path()).await else {
            return;
        };
        let holds = is_own(&self.own, &found);
        let what = format!("not write {count} of version {version}");
        self.expect(holds, &what, &found);
    }

    async fn read_products(&mut self) {
        let target = format!("/nosqldata?ids={}", PRODUCTS.join(","));
        if let Some(found) = self.get(&target).await {
            let count = found["items"].as_array().map(Vec::len);
            self.expect(count == Some(PRODUCTS.len()), "not the products", &found);
        }
    }

    /// Asks for what was not acknowledged until it is.
    async fn settle(&mut self) {
        let unsettled = std::mem::take(&mut self.unsettled);
        for wanted in unsettled {
            match self.insist(&wanted, 20).await {
                Some(made) => self.acknowledged(&wanted, made),
                None => self
                    .ledger
                    .complain(format!("{} is never acknowledged", wanted.body)),
            }
        }
    }
}

fn path(order: &Order) -> String {
    format!(
        "/mysqldata/{}",
        order.seen["id"].as_str().unwrap_or_default()
    )
}

/// Whether this is the product as it was acknowledged, or as a write since may
/// have left it.
fn is_own(own: &Own, found: &Value) -> bool {
    let (count, version) = own.seen;
    let found_count = found["attributes"]["count"].as_u64().unwrap_or_default();
    let found_version = found["version"].as_i64().unwrap_or_default();
    let maybe = i64::try_from(own.maybe.len()).unwrap_or(i64::MAX);
    (found_count == count && found_version == version)
        || (own.maybe.contains(&found_count)
            && (version + 1..=version + maybe).contains(&found_version))
}

/// Holds what the stores have against what was acknowledged: how many writes
/// were lost, and how many are there twice.
async fn audit(world: &World, run: &str, customers: &[Customer]) -> Result<(usize, usize)> {
    let (mut lost, mut twice) = (0, 0);
    let mut connection = world.connect().await?;
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
    for order in customers.iter().flat_map(|customer| &customer.orders) {
        let seen = |member: &str| order.seen[member].as_str().unwrap_or_default();
        let found = rows.remove(seen("customer"));
        let Some((count, id, status, version)) = found else {
            lost += 1;
            continue;
        };
        let same = status == seen("status") && order.seen["version"] == version;
        let paid = order.may_be_paid && status == "paid" && version == 2;
        if id != seen("id").replace('-', "") || !(same || paid) {
            lost += 1;
        }
        twice += usize::from(count > 1);
    }
    // All were acknowledged in the end, so none is left over.
    twice += rows.len();

    for customer in customers {
        let mut found: HashMap<String, Vec<String>> = HashMap::new();
        let mut cursor = String::new();
        loop {
            let target = format!("/nosqldata?category={}&limit=100{cursor}", customer.name);
            let page = world.client.get(&target).await.expect(200).json();
            let items = page["items"].as_array().context("a page has items")?;
            for item in items {
                let text = |member: &str| item[member].as_str().unwrap_or_default().to_owned();
                found.entry(text("name")).or_default().push(text("id"));
            }
            match page["nextCursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        for product in &customer.products {
            match found.remove(&product.name).as_deref() {
                Some([id]) if *id == product.id => {}
                Some(ids) if ids.contains(&product.id) => twice += 1,
                _ => lost += 1,
            }
        }
        twice += found.len();
        if customer.own.seen.0 > 0 {
            let own = world.client.get(&customer.own_path()).await;
            let holds = own.status == 200 && is_own(&customer.own, &own.json());
            lost += usize::from(!holds);
        }
    }
    Ok((lost, twice))
}
