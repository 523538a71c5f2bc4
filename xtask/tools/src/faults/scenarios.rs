//! What has to hold beyond one fault after the other.

use std::{
    collections::HashSet,
    fmt::Write,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use futures_util::future::join_all;
use http::Method;
use mysql_async::prelude::Queryable;
use serde_json::{Value, json};
use tokio::time::sleep;
use uuid::Uuid;

use super::{
    Case, World,
    case::Dependency,
    histories,
    ledger::{Ledger, fault_of_problem},
    load::{self, PRODUCTS},
    world::{CLIENTS, Victim},
};
use testbed::{
    Client, Response,
    wire::{Fault, Proxy},
};

/// A scenario.
pub struct Scenario {
    /// Its name.
    pub name: &'static str,
    kind: Kind,
}

#[derive(Clone, Copy)]
enum Kind {
    Minute,
    OneKey,
    Kills,
    Open(Dependency),
    Histories,
}

/// What a scenario found.
pub struct Finding {
    /// The scenario's name.
    pub name: &'static str,
    /// What was measured.
    pub measured: String,
    /// Whether all held.
    pub held: bool,
}

/// All of them.
pub const ALL: &[Scenario] = &[
    Scenario {
        name: "the catalogue is down for a minute",
        kind: Kind::Minute,
    },
    Scenario {
        name: "64 concurrent POSTs with one key",
        kind: Kind::OneKey,
    },
    Scenario {
        name: "200 times kill -9",
        kind: Kind::Kills,
    },
    Scenario {
        name: "the breaker of the catalogue is open",
        kind: Kind::Open(Dependency::Catalogue),
    },
    Scenario {
        name: "the breaker of DynamoDB is open",
        kind: Kind::Open(Dependency::DynamoDb),
    },
    Scenario {
        name: "the breaker of MySQL is open",
        kind: Kind::Open(Dependency::MySql),
    },
    Scenario {
        name: "every history is linearizable",
        kind: Kind::Histories,
    },
];

/// How often something is killed.
const KILLS: usize = 200;

/// How many requests a percentile is taken of.
const SAMPLE: usize = 400;

/// How much slower an answer may be while a breaker is open.
const SLOWER: Duration = Duration::from_millis(20);

impl Finding {
    /// For a person who looks on.
    pub fn line(&self) -> String {
        let verdict = if self.held { "held" } else { "! did not hold" };
        format!("  {}: {} ({verdict})", self.name, self.measured)
    }
}

impl Scenario {
    /// Plays it.
    ///
    /// # Errors
    /// It cannot be played.
    pub async fn run(&self, world: &mut World) -> Result<Finding> {
        let (measured, held) = match self.kind {
            Kind::Minute => minute(world).await?,
            Kind::OneKey => one_key(world).await?,
            Kind::Kills => kills(world).await?,
            Kind::Open(dependency) => open(world, dependency).await?,
            Kind::Histories => histories::record(world).await?,
        };
        Ok(Finding {
            name: self.name,
            measured,
            held,
        })
    }
}

/// No order is refused, and each that is placed says what it was priced by.
async fn minute(world: &mut World) -> Result<(String, bool)> {
    let case = Case::Wire(Dependency::Catalogue, Fault::Refused);
    let row = load::run(world, &case, Duration::from_mins(1)).await?;
    let (placed, snapshots) = row.placed;
    let live = placed - snapshots;
    let refused = row.tally.refused_orders;
    let measured = format!(
        "{snapshots} orders placed at snapshot prices, {live} live that were being placed when it \
         went, {refused} refused"
    );
    let held = row.faults().is_empty() && snapshots > 0 && live <= CLIENTS;
    Ok((measured, held))
}

fn order(customer: &str) -> Value {
    json!({"customer": customer, "lines": [{"productId": PRODUCTS[0], "quantity": 1}]})
}

async fn post(client: &Client, target: &str, key: &str, body: &Value) -> Option<Response> {
    let headers = [
        ("content-type", "application/json"),
        ("idempotency-key", key),
    ];
    let patience = Duration::from_secs(15);
    client
        .try_send(Method::POST, target, &headers, body.to_string(), patience)
        .await
}

/// One of them does it; each other is told what it did, or that it is at it.
async fn one_key(world: &World) -> Result<(String, bool)> {
    let mut measured = String::new();
    let mut held = true;
    for target in ["/mysqldata", "/nosqldata"] {
        let name = format!("one-{}", Uuid::now_v7().simple());
        let body = match target {
            "/mysqldata" => order(&name),
            _ => json!({"name": name, "category": name, "price": {"amount": 1, "currency": "DKK"}}),
        };
        let asked = (0..64).map(|_| post(&world.client, target, &name, &body));
        let answers: Vec<_> = join_all(asked).await.into_iter().flatten().collect();
        let by = |status: u16, replayed: bool| {
            let same = |it: &&Response| {
                it.status == status && (it.header("idempotency-replayed") == "true") == replayed
            };
            answers.iter().filter(same).count()
        };
        let made: HashSet<_> = (answers.iter())
            .filter(|answer| answer.status == 201)
            .map(|answer| answer.body.clone())
            .collect();
        let list = match target {
            "/mysqldata" => format!("/mysqldata?customer={name}"),
            _ => format!("/nosqldata?category={name}"),
        };
        let there = world.client.get(&list).await.expect(200).json();
        let there = there["items"].as_array().map_or(0, Vec::len);
        let (first, again, running) = (by(201, false), by(201, true), by(409, false));
        held &= first == 1 && first + again + running == 64 && made.len() == 1 && there == 1;
        write!(
            measured,
            "{}{target}: {there} made, {again} replays, {running} times 409",
            if measured.is_empty() { "" } else { "; " }
        )?;
    }
    Ok((measured, held))
}

/// Clients that ask until they are answered, each with its own key, while the
/// function and its database are killed at random.
async fn kills(world: &mut World) -> Result<(String, bool)> {
    let run = format!("kill-{}", Uuid::now_v7().simple());
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let ledger = Arc::new(Ledger::default());
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let (client, stop, ledger) = (world.client.clone(), stop.clone(), ledger.clone());
            let run = run.clone();
            tokio::spawn(async move {
                let mut placed = Vec::new();
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    let customer = format!("{run}-{number}-{}", placed.len());
                    let id = insist(&client, &customer, &ledger).await;
                    placed.push((customer, id));
                }
                placed
            })
        })
        .collect();
    let (mut functions, mut databases) = (0, 0);
    while functions + databases < KILLS {
        sleep(Duration::from_millis(fastrand::u64(20..300))).await;
        if fastrand::bool() {
            world.kill(Victim::Function("mysqldata")).await?;
            functions += 1;
        } else {
            world.kill(Victim::MySql).await?;
            world.restart_mysql().await?;
            databases += 1;
        }
        if (functions + databases) % 25 == 0 {
            eprintln!("    {} kills", functions + databases);
        }
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    let mut placed = Vec::new();
    for client in clients {
        placed.extend(client.await?);
    }
    let mut connection = world.connect().await?;
    let rows: Vec<(String, String)> = connection
        .query(format!(
            "SELECT CONVERT(customer USING utf8mb4), LOWER(HEX(id)) FROM orders \
             WHERE customer LIKE '{run}-%'"
        ))
        .await?;
    connection.disconnect().await?;
    let there: HashSet<_> = rows.iter().cloned().collect();
    let each_once = rows.len() == placed.len()
        && placed
            .iter()
            .all(|(customer, id)| there.contains(&(customer.clone(), id.replace('-', ""))));
    let tally = ledger.take();
    for complaint in &tally.complaints {
        eprintln!("    ! {complaint}");
    }
    let measured = format!(
        "{functions} of the function and {databases} of MySQL; {} clients, {} orders{}; {}",
        placed.len(),
        rows.len(),
        if each_once { ", each once" } else { "" },
        tally.by_status(),
    );
    Ok((measured, each_once && tally.wrong == 0))
}

/// Places an order, however often it has to be asked; its id.
async fn insist(client: &Client, customer: &str, ledger: &Ledger) -> String {
    let body = order(customer).to_string();
    let headers = [
        ("content-type", "application/json"),
        ("idempotency-key", customer),
    ];
    loop {
        let asked = Instant::now();
        // Whoever is killed does not answer; nor does the gateway for it.
        let patience = Duration::from_secs(3);
        let answer = client
            .try_send(Method::POST, "/mysqldata", &headers, body.clone(), patience)
            .await;
        let outcome = ledger.judge("POST /mysqldata", answer, asked.elapsed(), &[409], true);
        if let super::ledger::Outcome::Answered(answer) = outcome {
            return answer.json()["id"].as_str().unwrap_or_default().to_owned();
        }
        sleep(Duration::from_millis(fastrand::u64(10..100))).await;
    }
}

/// With the breaker open, an answer is as fast as ever, and no call goes out
/// but the probes.
async fn open(world: &World, dependency: Dependency) -> Result<(String, bool)> {
    let (wire, function): (&Proxy, _) = match dependency {
        Dependency::Catalogue => (&world.catalogue, "mysqldata"),
        Dependency::DynamoDb => (&world.dynamodb, "nosqldata"),
        Dependency::MySql => (&world.mysql, "mysqldata"),
    };
    let healthy = percentile(world, dependency).await?;
    wire.set(Fault::BlackHole).await;
    let opened = opens(world, dependency, function).await;
    wire.calls();
    let began = Instant::now();
    let open = percentile(world, dependency).await?;
    let took = began.elapsed();
    let calls = wire.calls();
    world.heal().await;
    let closed = closes(world, function).await;
    // Each instance sends a probe each 2 s that its breaker is open for, which
    // a store's protocol may take some requests for.
    let instances = if function == "mysqldata" {
        CLIENTS
    } else {
        2 * CLIENTS
    };
    let probes = usize::try_from(took.as_secs() / 2 + 1)? * instances * 2;
    let held = opened && closed && open <= healthy + SLOWER && calls <= probes;
    let ms = |time: Duration| time.as_secs_f64() * 1_000.0;
    let measured = format!(
        "p99 {:.1} ms, healthy {:.1} ms; {SAMPLE} requests in {:.1} s, {calls} calls out (at most {probes} are probes)",
        ms(open),
        ms(healthy),
        took.as_secs_f64(),
    );
    Ok((measured, held))
}

/// A request that needs the dependency; nothing is left behind by it that
/// another could be slower for.
async fn request(client: &Client, dependency: Dependency) -> Response {
    match dependency {
        Dependency::Catalogue => client.post("/mysqldata", &order("percentile")).await,
        Dependency::DynamoDb => client.get(&format!("/nosqldata/{}", PRODUCTS[0])).await,
        Dependency::MySql => client.get("/mysqldata?limit=1").await,
    }
}

/// The 99th percentile of the answers to one client.
async fn percentile(world: &World, dependency: Dependency) -> Result<Duration> {
    let mut times = Vec::new();
    for _ in 0..SAMPLE {
        let asked = Instant::now();
        let answer = request(&world.client, dependency).await;
        times.push(asked.elapsed());
        let good = answer.status.is_success() || fault_of_problem(&answer).is_none();
        ensure!(good, "{} {:?}", answer.status, answer.body);
    }
    times.sort_unstable();
    Ok(times[SAMPLE * 99 / 100])
}

/// Asks until every instance has had enough.
async fn opens(world: &World, dependency: Dependency, function: &str) -> bool {
    let health = format!("/health/{function}");
    let began = Instant::now();
    while began.elapsed() < Duration::from_mins(2) {
        let asked = (0..2 * CLIENTS).map(|_| request(&world.client, dependency));
        let slow = Instant::now();
        join_all(asked).await;
        if slow.elapsed() < Duration::from_millis(500) {
            let health = world.client.get(&health).await.text().to_owned();
            return health.contains(r#""breaker":"open""#)
                || health.contains(r#""breaker":"half-open""#);
        }
    }
    false
}

/// Whether the function is well again, by itself, in every instance.
async fn closes(world: &World, function: &str) -> bool {
    let health = format!("/health/{function}");
    let mut well = 0;
    for _ in 0..200 {
        let answer = world.client.get(&health).await;
        let is_well = answer.json()["status"] == "pass";
        well = if is_well { well + 1 } else { 0 };
        if well == 4 * CLIENTS {
            return true;
        }
        sleep(Duration::from_millis(50)).await;
    }
    false
}
