//! What is broken, one after the other.

use std::{
    fmt,
    time::{Duration, Instant},
};

use anyhow::Result;
use mysql_async::{Conn, TxOpts, prelude::Queryable};
use tokio::time::sleep;

use super::{
    load::PRODUCTS,
    world::{Victim, World},
};
use testbed::wire::{Fault, Proxy};

/// How long the database stays down when it was killed.
const DOWN: Duration = Duration::from_secs(2);

/// What somebody depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dependency {
    /// The catalogue, of the orders.
    Catalogue,
    /// `DynamoDB`, of the catalogue.
    DynamoDb,
    /// `MySQL`, of the orders.
    MySql,
}

/// One way to break the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Case {
    /// Not at all: what the others are compared with.
    Healthy,
    /// A wire.
    Wire(Dependency, Fault),
    /// The database, by `kill -9`, and started again.
    MySqlKilled,
    /// The orders' transactions, each time they meet another's.
    Deadlocks,
    /// The connections to the database, one after the other.
    KilledConnections,
    /// The database lets nobody in any more.
    TooManyConnections,
    /// The instances of a function, by `kill -9`, while they answer.
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
    fn wire(self, world: &World) -> &Proxy {
        match self {
            Self::Catalogue => &world.catalogue,
            Self::DynamoDb => &world.dynamodb,
            Self::MySql => &world.mysql,
        }
    }
}

impl Case {
    /// All of them, in the order of the table.
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

    /// What is broken, and how.
    pub fn parts(self) -> (String, String) {
        let (what, how) = match self {
            Self::Healthy => ("nothing", "healthy"),
            Self::Wire(dependency, fault) => return (dependency.to_string(), fault.to_string()),
            Self::MySqlKilled => ("MySQL", "kill -9 and started again"),
            Self::Deadlocks => ("MySQL", "deadlocks"),
            Self::KilledConnections => ("MySQL", "connections killed"),
            Self::TooManyConnections => ("MySQL", "too many connections"),
            Self::FunctionKilled(function) => (function, "kill -9 while it answers"),
        };
        (what.to_owned(), how.to_owned())
    }

    /// Both in one.
    pub fn name(self) -> String {
        let (what, how) = self.parts();
        format!("{what}: {how}")
    }

    /// Whether a request may get no answer at all: nobody is left to give it.
    pub fn may_be_silent(self) -> bool {
        matches!(self, Self::FunctionKilled(_))
    }

    /// Whether no order may be refused: its prices are known from before.
    pub fn leaves_the_orders(self) -> bool {
        let spared = [Dependency::Catalogue, Dependency::DynamoDb];
        matches!(self, Self::Wire(dependency, _) if spared.contains(&dependency))
    }

    /// The requests on the wire since this was last asked, if it can count
    /// them: a connection that is refused never gets to the proxy.
    pub fn calls(self, world: &World) -> Option<usize> {
        let wire = match self {
            Self::Wire(_, Fault::Refused) | Self::Healthy => return None,
            Self::Wire(dependency, _) => dependency.wire(world),
            Self::FunctionKilled("nosqldata") => &world.dynamodb,
            _ => &world.mysql,
        };
        Some(wire.calls())
    }

    /// Breaks it for as long as `lasts`, and repairs it. Returns in a few words
    /// what was done, where the name of the case does not say it.
    ///
    /// # Errors
    ///
    /// It cannot be broken, or it cannot be repaired.
    pub async fn inflict(self, world: &mut World, lasts: Duration) -> Result<String> {
        let until = Instant::now() + lasts;
        match self {
            Self::Healthy => sleep(lasts).await,
            Self::Wire(dependency, fault) => {
                dependency.wire(world).set(fault).await;
                sleep(lasts).await;
            }
            Self::MySqlKilled => {
                let mut kills = 0;
                while Instant::now() < until {
                    world.kill(Victim::MySql).await?;
                    sleep(DOWN).await;
                    world.restart_mysql().await?;
                    sleep(2 * DOWN).await;
                    kills += 1;
                }
                return Ok(format!("{kills} kills"));
            }
            Self::Deadlocks => return deadlocks(world, until).await,
            Self::KilledConnections => return kill_connections(world, until).await,
            Self::TooManyConnections => too_many_connections(world, lasts).await?,
            Self::FunctionKilled(function) => {
                let mut kills = 0;
                while Instant::now() < until {
                    sleep(Duration::from_millis(fastrand::u64(100..500))).await;
                    world.kill(Victim::Function(function)).await?;
                    kills += 1;
                }
                return Ok(format!("{kills} kills"));
            }
        }
        Ok(String::new())
    }
}

/// Takes the locks that every order takes, in the other order. The database
/// picks the lighter transaction for its victim, so this makes its own heavy.
async fn deadlocks(world: &World, until: Instant) -> Result<String> {
    let mut connection = world.connect().await?;
    connection
        .query_drop("CREATE TABLE IF NOT EXISTS ballast (id INT AUTO_INCREMENT PRIMARY KEY)")
        .await?;
    let before = innodb_deadlocks(&mut connection).await?;
    let rows = vec!["(NULL)"; 200].join(",");
    while Instant::now() < until {
        let mut transaction = connection.start_transaction(TxOpts::default()).await?;
        transaction
            .query_drop(format!("INSERT INTO ballast VALUES {rows}"))
            .await?;
        for product in PRODUCTS.iter().rev() {
            let lock = "SELECT 1 FROM product_snapshots WHERE product_id = ? FOR UPDATE";
            match transaction.exec_drop(lock, (product,)).await {
                // Now and then this one is the victim.
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

/// Kills one connection after the other, whatever it is at.
async fn kill_connections(world: &World, until: Instant) -> Result<String> {
    let mut connection = world.connect().await?;
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

/// Takes every connection that there is, and closes everybody else's.
async fn too_many_connections(world: &World, lasts: Duration) -> Result<()> {
    let mut connection = world.connect().await?;
    let mut taken = Vec::new();
    // The fewest that the server can be told, and one more, which it keeps for
    // an administrator, as the functions' user is here.
    for _ in 0..10 {
        taken.push(world.connect().await?);
    }
    connection
        .query_drop("SET GLOBAL max_connections = 10")
        .await?;
    let own: Vec<_> = taken.iter().map(|taken| taken.id().to_string()).collect();
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
    sleep(lasts).await;
    connection
        .query_drop("SET GLOBAL max_connections = 151")
        .await?;
    for taken in taken {
        taken.disconnect().await?;
    }
    connection.disconnect().await?;
    Ok(())
}
