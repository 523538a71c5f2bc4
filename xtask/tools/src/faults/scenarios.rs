// region: mysqldata nosqldata
//! Scenarios: invariants that single faults do not show.

use std::{
    collections::HashSet,
    fmt::Write,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use futures_util::future::join_all;
use http::Method;
use mysql_async::prelude::Queryable;
use tokio::time::sleep;
use uuid::Uuid;

use super::{
    Case, System,
    case::Dependency,
    ledger::{self, Ledger, Outcome, defect_of_problem},
    load,
    system::{CLIENTS, PRODUCTS, Victim},
};
use testbed::{Client, Response, order, product, wire::Fault};

/// A scenario of the fault suite.
#[derive(Clone, Copy)]
pub enum Scenario {
    /// The catalogue is down for a minute.
    Minute,
    /// Concurrent requests have one idempotency key.
    OneKey,
    /// The function and its database are killed at random.
    Kills,
    /// The breaker of a dependency is open.
    Open(Dependency),
}

/// The result of a scenario.
pub struct Finding {
    /// The scenario's name.
    pub name: &'static str,
    /// The measurements, as text.
    pub measured: String,
    /// Whether the invariant holds.
    pub holds: bool,
}

/// All scenarios by their names, in the order of the table.
#[rustfmt::skip]
pub const ALL: [(&str, Scenario); 6] = [
    ("the catalogue is down for a minute", Scenario::Minute),
    ("64 concurrent POSTs with one key", Scenario::OneKey),
    ("200 times kill -9", Scenario::Kills),
    ("the breaker of the catalogue is open", Scenario::Open(Dependency::Catalogue)),
    ("the breaker of DynamoDB is open", Scenario::Open(Dependency::DynamoDb)),
    ("the breaker of MySQL is open", Scenario::Open(Dependency::MySql)),
];

/// The number of kills.
const KILLS: usize = 200;

/// The number of requests of a percentile.
const SAMPLE: usize = 400;

/// The most that an open breaker may add to a response time.
const ADDED_LATENCY: Duration = Duration::from_millis(20);

/// The limit of the time until an order is acknowledged, whatever is killed.
const ACKNOWLEDGED_WITHIN: Duration = Duration::from_mins(1);

impl Scenario {
    /// Runs the scenario. Returns the measurements, and whether the invariant holds.
    ///
    /// # Errors
    /// A fault cannot be injected, or a request is not answered as documented.
    pub async fn run(self, system: &mut System) -> Result<(String, bool)> {
        match self {
            Self::Minute => minute(system).await,
            Self::OneKey => one_key(system).await,
            Self::Kills => kills(system).await,
            Self::Open(dependency) => open(system, dependency).await,
        }
    }
}

/// While the catalogue is down, no order is refused, and each reports that it has
/// snapshot prices.
async fn minute(system: &mut System) -> Result<(String, bool)> {
    let case = Case::Wire(Dependency::Catalogue, Fault::Refused);
    let row = load::run(system, case, Duration::from_mins(1)).await?;
    let (placed, snapshots) = row.placed;
    let live = placed - snapshots;
    let refused = row.tally.refused_orders;
    ledger::print(&row.violations());
    let measured = format!(
        "{snapshots} orders placed at snapshot prices, {live} at live prices (in progress when the \
         catalogue stopped), {refused} refused"
    );
    let holds = row.violations().is_empty() && snapshots > 0 && live <= CLIENTS;
    Ok((measured, holds))
}

/// One request is executed; each other gets its response, or 409 while it runs.
async fn one_key(system: &System) -> Result<(String, bool)> {
    let mut measured = String::new();
    let mut holds = true;
    for target in ["/mysqldata", "/nosqldata"] {
        let name = format!("one-{}", Uuid::now_v7().simple());
        let body = match target {
            "/mysqldata" => order(&name, &PRODUCTS[..1]),
            _ => product(&name),
        };
        let sent = (0..64).map(|_| system.client.post_once(target, &name, &body));
        let responses = join_all(sent).await;
        let count = |status: u16, replayed: bool| {
            let same = |it: &&Response| it.status == status && it.is_replay() == replayed;
            responses.iter().filter(same).count()
        };
        let bodies: HashSet<_> = (responses.iter())
            .filter(|response| response.status == 201)
            .map(|response| response.body.clone())
            .collect();
        let list = match target {
            "/mysqldata" => format!("/mysqldata?customer={name}"),
            _ => format!("/nosqldata?category={name}"),
        };
        let stored = system.client.get(&list).await.expect(200).items().len();
        let (executed, replayed, running) =
            (count(201, false), count(201, true), count(409, false));
        holds &= executed == 1 && executed + replayed + running == 64;
        holds &= bodies.len() == 1 && stored == 1;
        write!(
            measured,
            "{}{target}: {stored} created, {replayed} replays, {running} times 409",
            if measured.is_empty() { "" } else { "; " }
        )?;
    }
    Ok((measured, holds))
}

/// Each order is placed exactly once while the function and its database are
/// killed at random; clients repeat requests until they are acknowledged.
async fn kills(system: &mut System) -> Result<(String, bool)> {
    let run = format!("kill-{}", Uuid::now_v7().simple());
    let stop = Arc::new(AtomicBool::new(false));
    let ledger = Arc::new(Ledger::default());
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let (client, stop, ledger) = (system.client.clone(), stop.clone(), ledger.clone());
            let run = run.clone();
            tokio::spawn(async move {
                let mut placed = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let customer = format!("{run}-{number}-{}", placed.len());
                    let id = place(&client, &customer, &ledger).await;
                    placed.push((customer, id.unwrap_or_default()));
                }
                placed
            })
        })
        .collect();
    let (mut functions, mut databases) = (0, 0);
    while functions + databases < KILLS {
        sleep(Duration::from_millis(fastrand::u64(20..300))).await;
        if fastrand::bool() {
            system.kill(Victim::Function("mysqldata")).await?;
            functions += 1;
        } else {
            system.kill(Victim::MySql).await?;
            system.restart_mysql().await?;
            databases += 1;
        }
        if (functions + databases) % 25 == 0 {
            eprintln!("    {} kills", functions + databases);
        }
    }
    stop.store(true, Ordering::Relaxed);
    let mut placed = Vec::new();
    for client in clients {
        placed.extend(client.await?);
    }
    let mut connection = system.connect().await?;
    let rows: Vec<(String, String)> = connection
        .query(format!(
            "SELECT CONVERT(customer USING utf8mb4), LOWER(HEX(id)) FROM orders \
             WHERE customer LIKE '{run}-%'"
        ))
        .await?;
    connection.disconnect().await?;
    let stored: HashSet<_> = rows.iter().cloned().collect();
    let each_once = rows.len() == placed.len()
        && placed
            .iter()
            .all(|(customer, id)| stored.contains(&(customer.clone(), id.replace('-', ""))));
    let tally = ledger.take();
    ledger::print(&tally.violations);
    let measured = format!(
        "{functions} kills of the function, {databases} of MySQL; {} orders acknowledged, {} stored{}; {}",
        placed.len(),
        rows.len(),
        if each_once { ", each once" } else { "" },
        tally.by_status(),
    );
    Ok((measured, each_once && tally.violations.is_empty()))
}

/// Places an order, repeating the request until it is acknowledged; returns its id.
async fn place(client: &Client, customer: &str, ledger: &Ledger) -> Option<String> {
    let body = order(customer, &PRODUCTS[..1]).to_string();
    let headers = [
        ("content-type", "application/json"),
        ("idempotency-key", customer),
    ];
    let started = Instant::now();
    while started.elapsed() < ACKNOWLEDGED_WITHIN {
        let sent = Instant::now();
        let (target, timeout) = ("/mysqldata", load::SHORT_TIMEOUT);
        let response = client
            .try_send(Method::POST, target, &headers, body.clone(), timeout)
            .await;
        let outcome = ledger.check("POST /mysqldata", response, sent.elapsed(), &[409], true);
        if let Outcome::Success(response) = outcome {
            return Some(response.id());
        }
        sleep(Duration::from_millis(fastrand::u64(10..100))).await;
    }
    ledger.add_violation(format!("the order of {customer} is never acknowledged"));
    None
}

/// An open breaker adds no latency, and lets only probes through.
async fn open(system: &System, dependency: Dependency) -> Result<(String, bool)> {
    let wire = dependency.wire(system);
    let (function, instances) = match dependency {
        Dependency::DynamoDb => ("nosqldata", 2 * CLIENTS),
        Dependency::Catalogue | Dependency::MySql => ("mysqldata", CLIENTS),
    };
    let healthy = percentile(system, dependency).await?;
    wire.set(Fault::BlackHole).await;
    let opened = until_open(system, dependency, function).await;
    wire.take_calls();
    let started = Instant::now();
    let open = percentile(system, dependency).await?;
    let elapsed = started.elapsed();
    let calls = wire.take_calls();
    system.heal().await;
    let closed = until_closed(system, function).await;
    // Each instance sends a probe every 2 s. A probe of a store is up to two
    // requests.
    let probes = usize::try_from(elapsed.as_secs() / 2 + 1)? * instances * 2;
    let holds = opened && closed && open <= healthy + ADDED_LATENCY && calls <= probes;
    let ms = |time: Duration| time.as_secs_f64() * 1_000.0;
    let measured = format!(
        "p99 {:.1} ms, healthy {:.1} ms; {SAMPLE} requests in {:.1} s, {calls} outbound calls (at most {probes} probes)",
        ms(open),
        ms(healthy),
        elapsed.as_secs_f64(),
    );
    Ok((measured, holds))
}

/// Sends a request that uses the dependency and does not slow later ones down.
async fn request(client: &Client, dependency: Dependency) -> Response {
    match dependency {
        Dependency::Catalogue => {
            let order = order("percentile", &PRODUCTS[..1]);
            client.post("/mysqldata", &order).await
        }
        Dependency::DynamoDb => client.get(&format!("/nosqldata/{}", PRODUCTS[0])).await,
        Dependency::MySql => client.get("/mysqldata?limit=1").await,
    }
}

/// The 99th percentile of the response times of one client.
async fn percentile(system: &System, dependency: Dependency) -> Result<Duration> {
    let mut times = Vec::new();
    for _ in 0..SAMPLE {
        let sent = Instant::now();
        let response = request(&system.client, dependency).await;
        times.push(sent.elapsed());
        let valid = response.status.is_success() || defect_of_problem(&response).is_none();
        ensure!(valid, "{} {}", response.status, response.text());
    }
    times.sort_unstable();
    Ok(times[SAMPLE * 99 / 100])
}

/// Sends requests until the breaker of every instance is open; whether it opened.
async fn until_open(system: &System, dependency: Dependency, function: &str) -> bool {
    let health = format!("/health/{function}");
    let started = Instant::now();
    while started.elapsed() < Duration::from_mins(2) {
        let requests = (0..2 * CLIENTS).map(|_| request(&system.client, dependency));
        let sent = Instant::now();
        join_all(requests).await;
        if sent.elapsed() < Duration::from_millis(500) {
            let health = system.client.get(&health).await.text().to_owned();
            return health.contains(r#""breaker":"open""#)
                || health.contains(r#""breaker":"half-open""#);
        }
    }
    false
}

/// Queries the health until every instance has recovered; whether it did.
async fn until_closed(system: &System, function: &str) -> bool {
    let health = format!("/health/{function}");
    let mut passes = 0;
    for _ in 0..200 {
        let response = system.client.get(&health).await;
        let passes_now = response.json()["status"] == "pass";
        passes = if passes_now { passes + 1 } else { 0 };
        if passes == 4 * CLIENTS {
            return true;
        }
        sleep(Duration::from_millis(50)).await;
    }
    false
}
// endregion
