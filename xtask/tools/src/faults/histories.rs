//! The scenario of `cargo xtask faults`: histories recorded while wires are cut
//! and processes killed.

use std::time::Duration;

use anyhow::Result;
use tokio::time::sleep;

use testbed::{linearizability::Recording, wire::Fault};

use super::{
    Case, World,
    case::Dependency::{DynamoDb, MySql},
    world::CLIENTS,
};

/// What is broken while the clients record, one after the other.
const CASES: [Case; 12] = [
    Case::Wire(DynamoDb, Fault::Refused),
    Case::Wire(DynamoDb, Fault::Reset(1)),
    Case::Wire(DynamoDb, Fault::Reset(3)),
    Case::Wire(DynamoDb, Fault::Reset(10)),
    Case::Wire(DynamoDb, Fault::BlackHole),
    Case::Wire(DynamoDb, Fault::Conflicts),
    Case::FunctionKilled("nosqldata"),
    Case::Wire(MySql, Fault::Refused),
    Case::Wire(MySql, Fault::Reset(20)),
    Case::KilledConnections,
    Case::MySqlKilled,
    Case::FunctionKilled("mysqldata"),
];

/// How long each lasts, and how long all is healthy after it.
const LASTS: Duration = Duration::from_secs(5);

/// Records and checks: what was measured, and whether all histories are
/// linearizable.
///
/// # Errors
/// A case cannot be inflicted.
pub async fn record(world: &mut World) -> Result<(String, bool)> {
    let recording = Recording::start(world.client.clone(), CLIENTS);
    for case in CASES {
        case.inflict(world, LASTS).await?;
        world.heal().await;
        sleep(LASTS).await;
    }
    let report = recording.finish().await?;
    for violation in &report.violations {
        eprintln!("    ! {violation}");
    }
    let measured = format!(
        "{} operations on {} products and orders, {} writes of unknown outcome, {} violations",
        report.operations,
        report.objects,
        report.unknown,
        report.violations.len(),
    );
    Ok((measured, report.violations.is_empty()))
}
