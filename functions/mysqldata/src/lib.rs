//! `/mysqldata`: the orders, in `MySQL`.

use std::time::Duration;

use axum::routing::get;
use chassis::{
    Call, Router,
    client::Client,
    health::{Check, Seen},
};
use dto::health::HealthStatus;

mod catalogue;
pub mod config;
pub mod error;
mod order;
mod orders;
mod page;
mod period;
mod placement;
mod store;
mod summary;

pub use config::Config;
pub use error::Error;

use catalogue::Catalogue;
use store::{Ping, Store};

/// The routes of `mysqldata`.
#[must_use]
pub fn router(orders: Orders) -> Router<Orders> {
    let (mysql, catalogue) = (
        mysql(orders.store.clone()),
        catalogue(orders.catalogue.clone()),
    );
    Router::with_state("mysqldata", orders)
        .route("/mysqldata", get(orders::list).post(orders::place))
        .route("/mysqldata/summary", get(summary::read))
        .route("/mysqldata/{id}", get(order::read).patch(order::patch))
        .check(mysql)
        .check(catalogue)
}

/// What the handlers share: one of each for the process.
#[derive(Clone)]
pub struct Orders {
    store: Store,
    catalogue: Catalogue,
}

impl Orders {
    /// Builds the clients and opens the first connection, in bounded time. It
    /// comes up all the same when the database is away.
    pub async fn open(config: Config) -> Self {
        let store = Store::new(config.mysql);
        store.warm().await;
        Self {
            store,
            catalogue: Catalogue::new(Client::new(config.api)),
        }
    }
}

/// Without its database the function can do nothing at all.
fn mysql(store: Store) -> Check {
    let patience = Duration::from_secs(1);
    Check::new("mysql", HealthStatus::Fail, patience, move |call: Call| {
        let store = store.clone();
        async move { seen(&call, store.run(call.deadline, &Ping).await) }
    })
}

/// Without the catalogue orders are still read and moved on.
fn catalogue(catalogue: Catalogue) -> Check {
    let patience = Duration::from_secs(2);
    Check::new(
        "catalogue",
        HealthStatus::Warn,
        patience,
        move |call: Call| {
            let catalogue = catalogue.clone();
            async move { seen(&call, catalogue.ping(&call).await) }
        },
    )
}

/// The public word on it; the log has what caused it.
fn seen<E: std::error::Error + 'static>(call: &Call, answered: Result<(), E>) -> Seen {
    answered.map(|()| HealthStatus::Pass).map_err(|error| {
        let cause = error::chain(&error);
        tracing::warn!(request_id = call.request_id, cause, "unwell");
        error.to_string()
    })
}
