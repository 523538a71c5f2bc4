// region: nosqldata
//! Any connection may break: every response is right or a problem, nothing that was
//! acknowledged is lost, nothing is done twice, and everything recovers by itself.
//!
//! `cargo xtask faults` does the same to the binaries, for longer, with every fault
//! that there is and with `kill -9`.

use std::{fmt, time::Duration};

use chassis::outbound::Policy;
use futures_util::future::join_all;
use http::Method;
use serde_json::{Value, json};
use testbed::{
    Response, Setup, System, eventually, order, patient, product,
    wire::{Fault, Proxy},
};

/// The writes of each service while a connection is broken.
const WRITES: usize = 6;

/// A delay that no caller waits for.
const SLOW: Duration = Duration::from_secs(30);

/// Whether the fault affects every request; other faults affect some at random.
pub fn is_certain(fault: Fault) -> bool {
    !matches!(fault, Fault::Reset(2..) | Fault::Conflicts)
}

/// A policy whose breaker opens and closes soon, so that a test takes seconds.
fn quick_breaker() -> Policy {
    Policy {
        open: Duration::from_millis(300),
        min_attempts: 3,
        ..patient()
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Dependency {
    Catalogue,
    DynamoDb,
    MySql,
}

use Dependency::{Catalogue, DynamoDb, MySql};

impl fmt::Display for Dependency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Catalogue => "catalogue",
            DynamoDb => "DynamoDB",
            MySql => "MySQL",
        })
    }
}

impl Dependency {
    /// Its faults.
    pub fn faults(self) -> Vec<Fault> {
        match self {
            Catalogue => vec![
                Fault::Refused,
                Fault::Reset(1),
                Fault::BlackHole,
                Fault::Latency(SLOW),
                Fault::Status(500),
                Fault::Status(429),
                Fault::Garbage,
                Fault::TruncatedJson,
            ],
            DynamoDb => vec![
                Fault::Refused,
                Fault::Reset(1),
                Fault::Reset(2),
                Fault::BlackHole,
                Fault::Status(500),
                Fault::Garbage,
                Fault::TruncatedJson,
                Fault::Throttled,
                Fault::Conflicts,
            ],
            MySql => vec![
                Fault::Refused,
                Fault::Reset(1),
                Fault::Reset(5),
                Fault::BlackHole,
                Fault::Latency(SLOW),
                Fault::Trickle(Duration::from_millis(20)),
            ],
        }
    }

    pub fn wire(self, system: &System) -> &Proxy {
        match self {
            Catalogue => &system.catalogue,
            DynamoDb => &system.dynamodb,
            MySql => &system.mysql,
        }
    }

    /// A policy of its caller alone that does not wait for it for long.
    fn impatient(self) -> Setup {
        let (caller, _) = self.check();
        let timeout = match self {
            // The policy is that of MySQL too, which must respond meanwhile.
            Catalogue => mysql::default_policy().attempt,
            DynamoDb | MySql => Duration::from_millis(250),
        };
        let policy = Policy {
            connect: timeout,
            attempt: timeout,
            ..quick_breaker()
        };
        Setup {
            policy: Some(policy),
            policy_of: Some(caller),
            ..Setup::default()
        }
    }

    /// The function that calls it, whose health has its check, and the check's name.
    fn check(self) -> (&'static str, &'static str) {
        match self {
            Catalogue => ("mysqldata", "catalogue"),
            DynamoDb => ("nosqldata", "dynamodb"),
            MySql => ("mysqldata", "mysql"),
        }
    }

    /// A request that fails without it, except an order, whose prices are known.
    async fn request(self, system: &System) -> Response {
        match self {
            Catalogue => {
                system
                    .client
                    .post("/mysqldata", &order("someone", &["cup"]))
                    .await
            }
            DynamoDb => system.client.get("/nosqldata/cup").await,
            MySql => system.client.get("/mysqldata?limit=1").await,
        }
    }

    /// The status of its check, and the state of its breaker.
    async fn health(self, system: &System) -> (Value, Value) {
        let (function, name) = self.check();
        let health = system.client.get(&format!("/health/{function}")).await;
        let health = health.expect_header("content-type", "application/health+json");
        let check = &health.json()["checks"][name][0];
        (check["status"].clone(), check["breaker"].clone())
    }
}

/// The system with a product that the orders know.
pub async fn start(setup: Setup) -> System {
    let system = System::with(Setup {
        instances: 2,
        ..setup
    })
    .await;
    let client = &system.client;
    // Where calls have little time, a healthy store may exceed it on a busy machine.
    let cup = product("Cup");
    eventually(async || {
        let put = client.put("/nosqldata/cup", &cup).await;
        put.status.is_success().then_some(())
    })
    .await;
    eventually(async || {
        let placed = client.post("/mysqldata", &order("first", &["cup"])).await;
        (placed.status == 201 && placed.json()["pricing"] == "live").then_some(())
    })
    .await;
    system
}

/// An order or a product to create, with its own key.
#[derive(Clone)]
struct Write {
    target: &'static str,
    name: String,
}

impl Write {
    async fn send(&self, system: &System) -> Response {
        let body = match self.target {
            "/mysqldata" => order(&self.name, &["cup"]),
            _ => product(&self.name),
        };
        system
            .client
            .post_once(self.target, &self.name, &body)
            .await
    }

    /// The resource that it created, exactly once.
    async fn find(&self, system: &System) -> Value {
        let filter = match self.target {
            "/mysqldata" => "customer",
            _ => "category",
        };
        let list = format!("{}?{filter}={}", self.target, self.name);
        // Each instance has a breaker of its own, which may still be open.
        let list = eventually(async || {
            let list = system.client.get(&list).await;
            (list.status != 503).then_some(list)
        });
        let items = list.await.expect(200).items();
        assert_eq!(items.len(), 1, "{}", self.name);
        items[0].clone()
    }
}

/// The created representation; none if the response is a 503 problem with
/// `Retry-After`.
#[track_caller]
fn created(response: Response) -> Option<Value> {
    if response.status == 201 {
        return Some(response.json());
    }
    expect_unavailable(response);
    None
}

/// Checks that it is a 503 problem, for whichever reason; when to try again.
#[track_caller]
fn expect_unavailable(response: Response) -> u32 {
    let detail = response.json()["detail"].as_str().unwrap().to_owned();
    let response = response.expect_unavailable(&[&detail]);
    response.header("retry-after").parse().unwrap()
}

/// Breaks the connection in each of these ways, sends writes, heals it, repeats
/// what was not acknowledged, and looks at what was stored.
async fn survives(dependency: Dependency) {
    let system = start(dependency.impatient()).await;
    for (round, fault) in dependency.faults().into_iter().enumerate() {
        let write = |target, n| Write {
            target,
            name: format!("{round}-{n}"),
        };
        let writes = (0..WRITES).flat_map(|n| [write("/mysqldata", n), write("/nosqldata", n)]);
        let writes: Vec<_> = writes.collect();
        dependency.wire(&system).set(fault).await;
        let mut acknowledged = Vec::new();
        for some in writes.chunks(4) {
            let responses = join_all(some.iter().map(|write| write.send(&system))).await;
            for (write, response) in some.iter().zip(responses) {
                let created = created(response);
                let has_known_price = write.target == "/mysqldata" && dependency != MySql;
                assert!(
                    created.is_some() || !has_known_price,
                    "{fault}: an order is refused"
                );
                acknowledged.push((write, created));
            }
        }
        dependency.wire(&system).heal().await;
        for (write, known) in acknowledged {
            let known = match known {
                Some(known) => known,
                None => eventually(async || created(write.send(&system).await)).await,
            };
            assert_eq!(write.find(&system).await, known, "{fault}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unavailable_catalogue_refuses_no_order() {
    survives(Catalogue).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_dynamodb_loses_and_repeats_nothing() {
    survives(DynamoDb).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_mysql_loses_and_repeats_nothing() {
    survives(MySql).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn open_breaker_sends_no_call_and_is_reported() {
    let policy = Policy {
        open: Duration::from_hours(1),
        ..quick_breaker()
    };
    for (dependency, name, status) in [
        (Catalogue, "The catalogue", "warn"),
        (DynamoDb, "The store", "fail"),
        (MySql, "The database", "fail"),
    ] {
        let system = start(Setup {
            policy: Some(policy.clone()),
            ..Setup::default()
        })
        .await;
        dependency.wire(&system).set(Fault::Refused).await;
        // The breaker of each instance must open.
        for _ in 0..16 {
            join_all([dependency.request(&system), dependency.request(&system)]).await;
        }
        dependency.wire(&system).take_calls();
        for _ in 0..20 {
            let response = dependency.request(&system).await;
            if dependency == Catalogue {
                assert_eq!(response.expect(201).json()["pricing"], "snapshot");
            } else {
                let detail = format!("{name} has failed recently and is not called for now.");
                let refused = response.expect_unavailable(&[&detail]);
                let retry_after: u32 = refused.header("retry-after").parse().unwrap();
                assert!(retry_after > 3_000, "{refused}");
            }
        }
        let health = dependency.health(&system).await;
        assert_eq!(health, (json!(status), json!("open")));
        assert_eq!(dependency.wire(&system).take_calls(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn health_recovers_by_itself() {
    let system = start(Setup {
        policy: Some(quick_breaker()),
        ..Setup::default()
    })
    .await;
    for dependency in [Catalogue, DynamoDb, MySql] {
        dependency.wire(&system).set(Fault::Refused).await;
        for _ in 0..12 {
            dependency.request(&system).await;
        }
        let (status, _) = dependency.health(&system).await;
        assert_ne!(status, "pass");
        dependency.wire(&system).heal().await;
        // Nothing is sent but health checks.
        eventually(async || {
            let health = dependency.health(&system).await;
            (health == (json!("pass"), json!("closed"))).then_some(())
        })
        .await;
    }
    // Each instance has a breaker of its own.
    eventually(async || {
        let placed = system
            .client
            .post("/mysqldata", &order("someone", &["cup"]))
            .await;
        (placed.expect(201).json()["pricing"] == "live").then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn retries_do_not_amplify_an_outage() {
    // A breaker that never opens leaves it to the retry budget alone.
    let system = start(Setup {
        policy: Some(Policy {
            min_attempts: 1_000_000,
            ..Policy::default()
        }),
        ..Setup::default()
    })
    .await;
    system.dynamodb.set(Fault::Status(500)).await;
    system.dynamodb.take_calls();
    let requests = 100;
    for _ in 0..requests {
        expect_unavailable(DynamoDb.request(&system).await);
    }
    // One request in five, and one more that each of the two instances may always
    // repeat.
    let calls = system.dynamodb.take_calls();
    let most = requests + requests / 5 + 2;
    assert!((requests..=most).contains(&calls), "{calls}");
}

#[tokio::test(flavor = "multi_thread")]
async fn deadline_and_trace_are_propagated() {
    let system = start(Setup::default()).await;
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let headers = [
        ("x-request-deadline", "20000"),
        ("traceparent", &format!("00-{trace}-00f067aa0ba902b7-01")),
    ];
    let order = order("c", &["cup"]);
    let placed = system
        .client
        .json(Method::POST, "/mysqldata", &headers, &order);
    placed.await.expect(201);
    let head = system.catalogue.last_head();
    let header = |name: &str| {
        let line = head.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("no {name} in {head}"))
    };
    let left: u64 = header("x-request-deadline: ").parse().unwrap();
    assert!((1..20_000).contains(&left), "{left}");
    let parent = header("traceparent: ");
    assert!(parent.starts_with(&format!("00-{trace}-")), "{parent}");
    assert!(!parent.contains("00f067aa0ba902b7"), "{parent}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_done_after_the_callers_deadline() {
    // Only the caller's deadline ends a request while a store is silent.
    let never = Duration::from_hours(1);
    let system = start(Setup {
        policy: Some(Policy {
            connect: never,
            attempt: never,
            ..Policy::default()
        }),
        timeout: never,
        ..Setup::default()
    })
    .await;
    let wires = [&system.catalogue, &system.dynamodb, &system.mysql];
    for wire in wires {
        wire.take_calls();
    }
    let client = &system.client;
    let no_time = [("x-request-deadline", "0")];
    for target in ["/mysqldata", "/nosqldata"] {
        let order = order("c", &["cup"]);
        let post = client.json(Method::POST, target, &no_time, &order).await;
        for response in [post, client.get_with(target, &no_time).await] {
            response.expect_unavailable(&["The request had no time left when it arrived."]);
        }
    }
    for wire in wires {
        assert_eq!(wire.take_calls(), 0);
    }
    // A silent store is waited for no longer than the caller waits.
    for (dependency, target) in [(DynamoDb, "/nosqldata/cup"), (MySql, "/mysqldata")] {
        dependency.wire(&system).set(Fault::BlackHole).await;
        let limit = [("x-request-deadline", "1500")];
        expect_unavailable(client.get_with(target, &limit).await);
    }
}
// endregion
