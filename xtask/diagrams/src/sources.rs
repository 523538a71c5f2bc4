//! The sources of every diagram of this project.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use template::Template;
// region: mysqldata nosqldata
use testbed::{Response, wire::Fault};
// endregion
use testbed::{Started, System, functions};

// region: mysqldata
use crate::activity;
// endregion
use crate::{
    component::{self, Routed},
    deployment, package, recording,
    sequence::{self, Peer, Request, Step},
    workspace,
};

/// The source of every diagram, by the diagram's name. It takes a DynamoDB and
/// a MySQL: for the sequences the whole system runs on them.
///
/// # Errors
///
/// A source of the diagrams cannot be read, or two contradict each other.
pub async fn sources() -> Result<BTreeMap<String, String>> {
    let template = Template::read(&template::path())?;
    let crates = workspace::crates(&template::project())?;
    let routed = functions().await.into_iter().map(|function| {
        let Started { service, .. } = function;
        let routed = Routed {
            paths: service.paths().to_vec(),
            calls: service.calls().to_vec(),
        };
        (service.name().to_owned(), routed)
    });
    let routed = routed.collect();
    let mut sources = BTreeMap::from([
        (
            "deployment".to_owned(),
            deployment::draw(&template, &routed),
        ),
        (
            "component".to_owned(),
            component::draw(&template, &routed, &crates),
        ),
        ("package".to_owned(), package::draw(&crates)),
    ]);
    // region: mysqldata
    sources.insert("activity".to_owned(), activity::draw());
    // endregion
    sources.extend(sequences(&routed).await?);
    Ok(sources)
}

/// Real requests to the running system, each recorded.
async fn sequences(routed: &BTreeMap<String, Routed>) -> Result<BTreeMap<String, String>> {
    let mut recorded = Vec::new();
    // region: mysqldata nosqldata
    let (system, placed) = place(true).await?;
    let replayed = recording::record(order(&system, "recorded")).await?;
    recorded.extend([
        ("sequence-order", "Placing an order", placed),
        (
            "sequence-replay",
            "The same request again, with the same Idempotency-Key",
            replayed,
        ),
    ]);
    let (_, placed) = place(false).await?;
    recorded.push((
        "sequence-fallback",
        "Placing an order while the catalogue is unavailable",
        placed,
    ));
    // endregion

    let system = System::with_samples().await;
    let checked = recording::record(async { system.client.get("/health").await.expect(200) });
    recorded.push((
        "sequence-health",
        "Checking the health of every function",
        checked.await?,
    ));

    for (_, _, request) in &recorded {
        check(request, routed)?;
    }
    let drawn = recorded
        .iter()
        .map(|(name, title, request)| ((*name).to_owned(), sequence::draw(name, title, request)));
    Ok(drawn.collect())
}

// region: mysqldata nosqldata
/// An order with the key `recorded`, placed while the catalogue is available or not.
///
/// One write in 32 also adds orders to the sums, which is no part of placing one; then
/// a new system places the order. (In the same system an unavailable catalogue would
/// have no second attempt: its retry budget is one in 10 s.)
async fn place(is_available: bool) -> Result<(System, Request)> {
    for _ in 0..10 {
        let system = System::with_samples().await;
        if !is_available {
            // The prices are known from an earlier order.
            order(&system, "earlier").await;
            system.catalogue.set(Fault::Refused).await;
        }
        let placed = recording::record(order(&system, "recorded")).await?;
        if !placed.asks("SELECT sums_lock") {
            return Ok((system, placed));
        }
    }
    anyhow::bail!("every order was followed by sums")
}

/// Places an order with this key.
async fn order(system: &System, key: &str) -> Response {
    let order = testbed::order("Ada", &["moka-pot"]);
    let placed = system.client.post_once("/mysqldata", key, &order);
    placed.await.expect(201)
}
// endregion

/// Whether each call in it is one that its caller's router declares.
fn check(request: &Request, routed: &BTreeMap<String, Routed>) -> Result<()> {
    let service = &request.service;
    let asked = request.steps.iter().flat_map(|step| match step {
        Step::Asked(asked) => std::slice::from_ref(asked),
        Step::AtOnce(asked) => asked,
        Step::Warned(_) => &[],
    });
    for asked in asked {
        let path = asked.operation.split([' ', '?']).nth(1).unwrap_or_default();
        let declared = routed
            .get(service)
            .is_some_and(|it| it.calls.iter().any(|it| it == path));
        ensure!(
            declared || matches!(asked.peer, Peer::Store(_)),
            "{service} was seen to ask {}, and its router does not say that it calls {path}",
            asked.operation
        );
        if let Some(request) = &asked.request {
            check(request, routed)?;
        }
    }
    Ok(())
}
