// region: mysqldata nosqldata
//! The cases of the fault suite.

use std::{
    fmt,
    time::{Duration, Instant},
};

use anyhow::Result;
use mysql_async::{Conn, TxOpts, prelude::Queryable};
use tokio::time::sleep;

use super::system::{PRODUCTS, System, Victim};
use testbed::wire::{Fault, Proxy};

/// The time between killing and restarting the database.
const DOWNTIME: Duration = Duration::from_secs(2);

/// A connection that faults are injected on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dependency {
    /// From the orders to the catalogue.
    Catalogue,
    /// From the catalogue to `DynamoDB`.
    DynamoDb,
    /// From the orders to `MySQL`.
    MySql,
}

/// A fault of the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Case {
    /// No fault: the baseline.
    Healthy,
    /// A fault of a connection.
    Wire(Dependency, Fault),
    /// The database is killed with `kill -9` and restarted.
    MySqlKilled,
    /// Another transaction deadlocks with those of the orders.
    Deadlocks,
    /// The connections to the database are killed, one after the other.
    KilledConnections,
    /// The database rejects new connections.
    TooManyConnections,
    /// The instances of a function are killed with `kill -9` under load.
    FunctionKilled(&'static str),
}

impl fmt::Display for Dependency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Catalogue => "catalogue",
            Self::DynamoDb => "DynamoDB",
            Self::MySql => "MySQL",
        })
    }
}

impl Dependency {
    /// The proxy on the connection.
    pub fn wire(self, system: &System) -> &Proxy {
        match self {
            Self::Catalogue => &system.catalogue,
            Self::DynamoDb => &system.dynamodb,
            Self::MySql => &system.mysql,
        }
    }
}

impl Case {
    /// All cases, in the order of the table.
    pub fn all() -> Vec<Self> {
        use Dependency::{Catalogue, DynamoDb, MySql};
        let of_any = [
            Fault::Refused,
            Fault::Reset(1),
            Fault::Reset(10),
            Fault::BlackHole,
            Fault::Latency(Duration::from_millis(50)),
            Fault::Latency(Duration::from_secs(1)),
            Fault::Latency(Duration::from_secs(30)),
            Fault::Trickle(Duration::from_millis(20)),
        ];
        let of_http = [
            Fault::Status(500),
            Fault::Status(503),
            Fault::Status(429),
            Fault::Garbage,
            Fault::TruncatedJson,
        ];
        let of_dynamodb = [Fault::Throttled, Fault::Conflicts];
        let on = |dependency, faults: &[Fault]| {
            let wire = |fault| Self::Wire(dependency, fault);
            faults.iter().copied().map(wire).collect::<Vec<_>>()
        };
        [
            vec![Self::Healthy],
            on(Catalogue, &of_any),
            on(Catalogue, &of_http),
            on(DynamoDb, &of_any),
            on(DynamoDb, &of_http),
            on(DynamoDb, &of_dynamodb),
            on(MySql, &of_any),
            vec![
                Self::MySqlKilled,
                Self::Deadlocks,
                Self::KilledConnections,
                Self::TooManyConnections,
                Self::FunctionKilled("mysqldata"),
                Self::FunctionKilled("nosqldata"),
            ],
        ]
        .concat()
    }

    /// The part that is broken, and the fault.
    pub fn parts(self) -> (String, String) {
        let (part, fault) = match self {
            Self::Healthy => ("nothing", "healthy"),
            Self::Wire(dependency, fault) => return (dependency.to_string(), fault.to_string()),
            Self::MySqlKilled => ("MySQL", "kill -9 and restart"),
            Self::Deadlocks => ("MySQL", "deadlocks"),
            Self::KilledConnections => ("MySQL", "connections killed"),
            Self::TooManyConnections => ("MySQL", "too many connections"),
            Self::FunctionKilled(function) => (function, "kill -9 under load"),
        };
        (part.to_owned(), fault.to_owned())
    }

    /// The part and the fault.
    pub fn name(self) -> String {
        let (part, fault) = self.parts();
        format!("{part}: {fault}")
    }

    /// Whether a request may get no response, since its function is killed.
    pub fn may_lose_responses(self) -> bool {
        matches!(self, Self::FunctionKilled(_))
    }

    /// Whether every order must be accepted, at snapshot prices if need be.
    pub fn must_accept_orders(self) -> bool {
        let priced_from_snapshots = [Dependency::Catalogue, Dependency::DynamoDb];
        matches!(self, Self::Wire(dependency, _) if priced_from_snapshots.contains(&dependency))
    }

    /// Takes the number of requests on the broken connection; none where the
    /// proxy cannot count them, since it refuses connections.
    pub fn calls(self, system: &System) -> Option<usize> {
        let wire = match self {
            Self::Wire(_, Fault::Refused) | Self::Healthy => return None,
            Self::Wire(dependency, _) => dependency.wire(system),
            Self::FunctionKilled("nosqldata") => &system.dynamodb,
            _ => &system.mysql,
        };
        Some(wire.take_calls())
    }

    /// Injects the fault for `duration`. Returns a note for the table, such as the
    /// number of kills.
    ///
    /// A fault of a connection lasts until [`System::heal`].
    ///
    /// # Errors
    ///
    /// The fault cannot be injected, or cannot be repaired.
    pub async fn inject(self, system: &mut System, duration: Duration) -> Result<String> {
        let until = Instant::now() + duration;
        match self {
            Self::Healthy => sleep(duration).await,
            Self::Wire(dependency, fault) => {
                dependency.wire(system).set(fault).await;
                sleep(duration).await;
            }
            Self::MySqlKilled => {
                let mut kills = 0;
                while Instant::now() < until {
                    system.kill(Victim::MySql).await?;
                    sleep(DOWNTIME).await;
                    system.restart_mysql().await?;
                    sleep(2 * DOWNTIME).await;
                    kills += 1;
                }
                return Ok(format!("{kills} kills"));
            }
            Self::Deadlocks => return deadlocks(system, until).await,
            Self::KilledConnections => return kill_connections(system, until).await,
            Self::TooManyConnections => too_many_connections(system, duration).await?,
            Self::FunctionKilled(function) => {
                let mut kills = 0;
                while Instant::now() < until {
                    sleep(Duration::from_millis(fastrand::u64(100..500))).await;
                    system.kill(Victim::Function(function)).await?;
                    kills += 1;
                }
                return Ok(format!("{kills} kills"));
            }
        }
        Ok(String::new())
    }
}

/// Takes the locks of an order in the reverse order. The database rolls back the
/// smaller transaction, so this one first inserts many rows.
async fn deadlocks(system: &System, until: Instant) -> Result<String> {
    let mut connection = system.connect().await?;
    connection
        .query_drop("CREATE TABLE IF NOT EXISTS ballast (id INT AUTO_INCREMENT PRIMARY KEY)")
        .await?;
    let before = innodb_deadlocks(&mut connection).await?;
    let rows = vec!["(NULL)"; 200].join(",");
    while Instant::now() < until {
        // Orders write snapshots only after a while.
        connection
            .query_drop("UPDATE product_snapshots SET seen_at = seen_at - INTERVAL 2 MINUTE")
            .await?;
        let mut transaction = connection.start_transaction(TxOpts::default()).await?;
        transaction
            .query_drop(format!("INSERT INTO ballast VALUES {rows}"))
            .await?;
        for product in PRODUCTS.iter().rev() {
            let lock = "SELECT 1 FROM product_snapshots WHERE product_id = ? FOR UPDATE";
            match transaction.exec_drop(lock, (product,)).await {
                // This transaction may be the one that is rolled back.
                Err(mysql_async::Error::Server(_)) => break,
                locked => locked?,
            }
            sleep(Duration::from_millis(10)).await;
        }
        transaction.rollback().await?;
        sleep(Duration::from_millis(20)).await;
    }
    let deadlocks = innodb_deadlocks(&mut connection).await? - before;
    connection.disconnect().await?;
    Ok(format!("{deadlocks} deadlocks"))
}

async fn innodb_deadlocks(connection: &mut Conn) -> Result<u64> {
    let row: Option<(String, u64)> = connection
        .query_first("SHOW GLOBAL STATUS LIKE 'Innodb_deadlocks'")
        .await?;
    Ok(row.map_or(0, |(_, count)| count))
}

/// Kills connections at random.
async fn kill_connections(system: &System, until: Instant) -> Result<String> {
    let mut connection = system.connect().await?;
    let mut kills = 0;
    while Instant::now() < until {
        let others: Vec<u64> = connection
            .query(
                "SELECT id FROM information_schema.processlist \
                 WHERE user = 'kea' AND id <> CONNECTION_ID()",
            )
            .await?;
        if !others.is_empty() {
            let id = others[fastrand::usize(..others.len())];
            // It may have ended since it was listed.
            let killed = connection.query_drop(format!("KILL {id}")).await;
            kills += usize::from(killed.is_ok());
        }
        sleep(Duration::from_millis(50)).await;
    }
    connection.disconnect().await?;
    Ok(format!("{kills} kills"))
}

/// Occupies every connection, and kills those of the functions.
async fn too_many_connections(system: &System, duration: Duration) -> Result<()> {
    let mut connection = system.connect().await?;
    let mut occupied = Vec::new();
    // 10 is the minimum of `max_connections`. The server allows one more to
    // administrators, such as the user of the functions here: `connection`.
    for _ in 0..10 {
        occupied.push(system.connect().await?);
    }
    connection
        .query_drop("SET GLOBAL max_connections = 10")
        .await?;
    let own: Vec<_> = (occupied.iter()).map(|it| it.id().to_string()).collect();
    let others: Vec<u64> = connection
        .query(format!(
            "SELECT id FROM information_schema.processlist WHERE user = 'kea' \
             AND id <> CONNECTION_ID() AND id NOT IN ({})",
            own.join(",")
        ))
        .await?;
    for id in others {
        let _ = connection.query_drop(format!("KILL {id}")).await;
    }
    sleep(duration).await;
    connection
        .query_drop("SET GLOBAL max_connections = 151")
        .await?;
    for connection in occupied {
        connection.disconnect().await?;
    }
    connection.disconnect().await?;
    Ok(())
}
// endregion
