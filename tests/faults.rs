//! Any wire may break: every answer is right or a problem, nothing that was
//! acknowledged is lost, nothing is done twice, and all heals by itself.
//!
//! `cargo xtask faults` does the same to the binaries, for longer, with every
//! fault there is and by `kill -9`.

use std::time::Duration;

use futures_util::future::join_all;
use http::Method;
use serde_json::{Value, json};
use tests::{
    Policies, Response, System,
    wire::{Fault, Proxy},
};
use tokio::time::{Instant, sleep};

/// Before this every function has answered: its time-out, less what it keeps.
const LATEST: Duration = Duration::from_millis(9_900);

/// What has not healed after this will not heal.
const HEALS_WITHIN: Duration = Duration::from_secs(10);

/// So many writes are asked for while a wire is broken.
const WRITES: usize = 6;

/// Impatient, so that a test takes seconds; in all else as deployed.
const IMPATIENT: &str = "connect=250ms attempt=250ms open=300ms calls=3";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dependency {
    Catalogue,
    DynamoDb,
    MySql,
}

use Dependency::{Catalogue, DynamoDb, MySql};

impl Dependency {
    fn wire(self, system: &System) -> &Proxy {
        match self {
            Catalogue => &system.catalogue,
            DynamoDb => &system.dynamodb,
            MySql => &system.mysql,
        }
    }

    /// The health that tells of it, and its check there.
    fn health(self) -> (&'static str, &'static str) {
        match self {
            Catalogue => ("/health/mysqldata", "catalogue"),
            DynamoDb => ("/health/nosqldata", "dynamodb"),
            MySql => ("/health/mysqldata", "mysql"),
        }
    }

    /// A request that cannot do without it, but for an order, which can do
    /// without the catalogue.
    async fn request(self, system: &System) -> Response {
        match self {
            Catalogue => system.client.post("/mysqldata", &order("someone")).await,
            DynamoDb => system.client.get("/nosqldata/cup").await,
            MySql => system.client.get("/mysqldata?limit=1").await,
        }
    }

    /// What its check says: how it is, and the state of its breaker.
    async fn check(self, system: &System) -> (Value, Value) {
        let (path, check) = self.health();
        let health = system.client.get(path).await;
        assert_eq!(health.header("content-type"), "application/health+json");
        let check = &health.json()["checks"][check][0];
        (check["status"].clone(), check["breaker"].clone())
    }
}

async fn start(policy: &str) -> System {
    let policy = policy.parse().unwrap();
    let system = System::with_policies(2, Policies::all(&policy)).await;
    let cup = json!({"name": "Cup", "category": "c", "price": {"amount": 7, "currency": "DKK"}});
    system.client.put("/nosqldata/cup", &cup).await.expect(201);
    // So that the orders have seen it.
    let placed = system.client.post("/mysqldata", &order("first")).await;
    assert_eq!(placed.expect(201).json()["pricing"], "live");
    system
}

fn order(customer: &str) -> Value {
    json!({"customer": customer, "lines": [{"productId": "cup", "quantity": 2}]})
}

fn product(name: &str) -> Value {
    json!({"name": name, "category": name, "price": {"amount": 7, "currency": "DKK"}})
}

/// A write with a key: an order, or a product.
#[derive(Clone)]
struct Write {
    target: &'static str,
    name: String,
}

impl Write {
    async fn ask(&self, system: &System) -> Response {
        let Self { target, name } = self;
        let body = match *target {
            "/mysqldata" => order(name),
            _ => product(name),
        };
        let headers = [("idempotency-key", name.as_str())];
        let asked = Instant::now();
        let client = &system.client;
        let answer = client.json(Method::POST, target, &headers, &body).await;
        assert!(asked.elapsed() < LATEST, "{:?}", asked.elapsed());
        answer
    }

    /// The one that there is by now.
    async fn found(&self, system: &System) -> Value {
        let filter = match self.target {
            "/mysqldata" => "customer",
            _ => "category",
        };
        let Self { target, name } = self;
        let list = format!("{target}?{filter}={name}");
        let healed = Instant::now();
        let list = loop {
            let list = system.client.get(&list).await;
            // Each instance has a breaker of its own, and this one may not have
            // had its probe yet.
            if list.status != 503 {
                break list.expect(200).json();
            }
            assert!(healed.elapsed() < HEALS_WITHIN, "it does not heal");
            sleep(Duration::from_millis(50)).await;
        };
        let items = list["items"].as_array().unwrap();
        assert_eq!(items.len(), 1, "{name}: {list}");
        items[0].clone()
    }
}

/// What was made, or nothing where the answer is a problem that says when to
/// come back.
#[track_caller]
fn made(answer: Response) -> Option<Value> {
    if answer.status == 201 {
        return Some(answer.json());
    }
    let seconds: u32 = answer.header("retry-after").parse().unwrap();
    assert!(seconds > 0);
    answer.problem(503);
    None
}

/// Breaks the wire in each of these ways, asks for writes, heals it, asks again
/// for what was not acknowledged, and looks what there is.
async fn survives(dependency: Dependency, faults: &[Fault]) {
    let system = start(IMPATIENT).await;
    for (round, &fault) in faults.iter().enumerate() {
        let writes: Vec<_> = (0..WRITES)
            .flat_map(|n| {
                let name = format!("{round}-{n}");
                ["/mysqldata", "/nosqldata"].map(|target| Write {
                    target,
                    name: name.clone(),
                })
            })
            .collect();
        dependency.wire(&system).set(fault).await;
        let mut acknowledged = Vec::new();
        for pair in writes.chunks(4) {
            let answers = join_all(pair.iter().map(|write| write.ask(&system))).await;
            for (write, answer) in pair.iter().zip(answers) {
                let made = made(answer);
                if write.target == "/mysqldata" && dependency != MySql {
                    assert!(
                        made.is_some(),
                        "{fault}: an order at known prices is refused"
                    );
                }
                acknowledged.push((write.clone(), made));
            }
        }
        dependency.wire(&system).heal().await;
        for (write, known) in acknowledged {
            let known = match known {
                Some(known) => known,
                None => heals(&system, &write).await,
            };
            assert_eq!(write.found(&system).await, known, "{fault}");
        }
    }
    system.stop().await;
}

/// Asks until it is made.
async fn heals(system: &System, write: &Write) -> Value {
    let healed = Instant::now();
    loop {
        if let Some(made) = made(write.ask(system).await) {
            return made;
        }
        assert!(healed.elapsed() < HEALS_WITHIN, "it does not heal");
        sleep(Duration::from_millis(50)).await;
    }
}

const SLOW: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_catalogue_stops_no_order() {
    let faults = [
        Fault::Refused,
        Fault::Reset(1),
        Fault::BlackHole,
        Fault::Latency(SLOW),
        Fault::Status(500),
        Fault::Status(429),
        Fault::Garbage,
        Fault::TruncatedJson,
    ];
    survives(Catalogue, &faults).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_dynamodb_loses_and_repeats_nothing() {
    let faults = [
        Fault::Refused,
        Fault::Reset(1),
        Fault::Reset(2),
        Fault::BlackHole,
        Fault::Status(500),
        Fault::Garbage,
        Fault::TruncatedJson,
        Fault::Throttled,
        Fault::Conflicts,
    ];
    survives(DynamoDb, &faults).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_mysql_loses_and_repeats_nothing() {
    let faults = [
        Fault::Refused,
        Fault::Reset(1),
        Fault::Reset(5),
        Fault::BlackHole,
        Fault::Latency(SLOW),
        Fault::Trickle(Duration::from_millis(20)),
    ];
    survives(MySql, &faults).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_breaker_is_open_no_call_goes_out_and_health_tells() {
    for dependency in [Catalogue, DynamoDb, MySql] {
        let system = start("connect=250ms attempt=250ms calls=3 open=3600s").await;
        dependency.wire(&system).set(Fault::BlackHole).await;
        // Both instances have to find out.
        for _ in 0..16 {
            join_all([dependency.request(&system), dependency.request(&system)]).await;
        }
        dependency.wire(&system).calls();
        for _ in 0..20 {
            let answer = dependency.request(&system).await;
            if dependency == Catalogue {
                assert_eq!(answer.expect(201).json()["pricing"], "snapshot");
            } else {
                let seconds: u32 = answer.header("retry-after").parse().unwrap();
                assert!(seconds > 3_000, "{seconds}");
                answer.problem(503);
            }
        }
        let degraded = if dependency == Catalogue {
            "warn"
        } else {
            "fail"
        };
        let check = dependency.check(&system).await;
        assert_eq!(check, (json!(degraded), json!("open")), "{dependency:?}");
        assert_eq!(dependency.wire(&system).calls(), 0, "{dependency:?}");
        system.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn health_goes_back_by_itself() {
    let system = start(IMPATIENT).await;
    for dependency in [Catalogue, DynamoDb, MySql] {
        dependency.wire(&system).set(Fault::Refused).await;
        for _ in 0..12 {
            dependency.request(&system).await;
        }
        let (status, _) = dependency.check(&system).await;
        assert_ne!(status, "pass", "{dependency:?}");
        dependency.wire(&system).heal().await;
        let healed = Instant::now();
        // Nobody asks but health itself.
        while dependency.check(&system).await != (json!("pass"), json!("closed")) {
            assert!(healed.elapsed() < HEALS_WITHIN, "{dependency:?}");
            sleep(Duration::from_millis(50)).await;
        }
    }
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_is_not_amplified() {
    // A breaker that never opens leaves the budget alone to do it.
    let system = start("calls=1000000").await;
    system.dynamodb.set(Fault::Status(500)).await;
    system.dynamodb.calls();
    let requests = 100;
    for _ in 0..requests {
        made(DynamoDb.request(&system).await);
    }
    // One request in five, and one more that is always allowed, of each of the
    // two instances.
    let calls = system.dynamodb.calls();
    assert!(calls <= requests + requests / 5 + 2, "{calls}");
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_of_the_time_and_the_trace_are_handed_on() {
    let system = start("").await;
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let headers = [
        ("x-request-deadline", "5000"),
        ("traceparent", &format!("00-{trace}-00f067aa0ba902b7-01")),
    ];
    let client = &system.client;
    let order = order("c");
    let placed = client.json(Method::POST, "/mysqldata", &headers, &order);
    placed.await.expect(201);
    let head = system.catalogue.last_head();
    let header = |name: &str| {
        let line = head.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("no {name} in {head}"))
    };
    let left: u64 = header("x-request-deadline: ").parse().unwrap();
    assert!((1..5_000).contains(&left), "{left}");
    let handed_on = header("traceparent: ");
    assert!(
        handed_on.starts_with(&format!("00-{trace}-")),
        "{handed_on}"
    );
    assert!(!handed_on.contains("00f067aa0ba902b7"), "{handed_on}");
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_done_for_a_caller_who_has_gone() {
    let system = start("").await;
    for proxy in [&system.catalogue, &system.dynamodb, &system.mysql] {
        proxy.calls();
    }
    let client = &system.client;
    let no_time = [("x-request-deadline", "0")];
    for target in ["/mysqldata", "/nosqldata"] {
        made(
            client
                .json(Method::POST, target, &no_time, &order("c"))
                .await,
        );
        made(client.get_with(target, &no_time).await);
    }
    for proxy in [&system.catalogue, &system.dynamodb, &system.mysql] {
        assert_eq!(proxy.calls(), 0);
    }
    // What is silent is not waited for longer than the caller waits.
    for (dependency, target) in [(DynamoDb, "/nosqldata/cup"), (MySql, "/mysqldata")] {
        dependency.wire(&system).set(Fault::BlackHole).await;
        let asked = Instant::now();
        let answer = client.get_with(target, &[("x-request-deadline", "1500")]);
        made(answer.await);
        assert!(asked.elapsed() < Duration::from_millis(1_500));
    }
    system.stop().await;
}
