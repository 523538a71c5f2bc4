// region: mysqldata nosqldata
//! The scenario that records histories under faults and checks them.

use std::time::Duration;

use anyhow::Result;
use tokio::time::sleep;

use testbed::{linearizability::Recording, wire::Fault};

use super::{
    Case, System,
    case::Dependency::{DynamoDb, MySql},
    system::CLIENTS,
};

/// The faults, injected one after the other while the clients record.
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

/// The duration of each fault, and of the healthy period after it.
const PERIOD: Duration = Duration::from_secs(5);

/// Records histories. Returns the measurements, and whether all histories are
/// linearizable.
///
/// # Errors
/// A fault cannot be injected.
pub async fn record(system: &mut System) -> Result<(String, bool)> {
    let recording = Recording::start(system.client.clone(), CLIENTS);
    for case in CASES {
        case.inject(system, PERIOD).await?;
        system.heal().await;
        sleep(PERIOD).await;
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
// endregion
