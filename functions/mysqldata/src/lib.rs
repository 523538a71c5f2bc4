//! `/mysqldata`: the orders, in `MySQL`.

use std::time::Duration;

use axum::routing::get;
use chassis::{Router, client::Client, health::Check};
use dto::health::HealthStatus;

mod catalogue;
pub mod config;
pub mod error;
#[cfg(feature = "openapi")]
pub mod openapi;
mod order;
mod orders;
mod page;
mod period;
mod placement;
mod pricing;
mod store;
mod summary;

pub use config::Config;
pub use error::Error;

use catalogue::Catalogue;
use store::Store;

/// The routes of `mysqldata`.
#[must_use]
pub fn router(orders: Orders) -> Router<Orders> {
    let mysql = orders.store.dependency().clone();
    let catalogue = orders.catalogue.dependency().clone();
    Router::with_state("mysqldata", orders)
        .route("/mysqldata", get(orders::list).post(orders::place))
        .route("/mysqldata/summary", get(summary::read))
        .route("/mysqldata/{id}", get(order::read).patch(order::patch))
        .cache_control("private, no-cache")
        .reads(config::VARIABLES)
        .calls(catalogue::PRODUCTS)
        .calls(catalogue::HEALTH)
        // Without its database the function can do nothing at all.
        .check(Check::of(mysql, HealthStatus::Fail, Duration::from_secs(1)))
        // Without the catalogue orders are still placed, read and moved on.
        .check(Check::of(
            catalogue,
            HealthStatus::Warn,
            Duration::from_secs(2),
        ))
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
        let store = Store::new(config.mysql, config.mysql_policy);
        store.warm().await;
        let client = Client::new(config.api, config.catalogue_policy.connect);
        Self {
            store,
            catalogue: Catalogue::new(client, config.catalogue_policy),
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use http::{
        Request,
        header::{CONTENT_TYPE, RETRY_AFTER},
    };

    use super::*;

    const ID: &str = "/mysqldata/019aacd4-3b7f-7cc1-8a53-0123456789ab";

    /// What the service answers while its database refuses connections.
    async fn answer(method: &str, target: &str, body: &'static str) -> (u16, bool) {
        let config = Config {
            mysql: rds::parse_mysql_url("mysql://kea:kea@127.0.0.1:1/kea")
                .unwrap()
                .into(),
            api: None,
            mysql_policy: config::default_mysql_policy(),
            catalogue_policy: config::default_catalogue_policy(),
        };
        let service = router(Orders::open(config).await).into_service();
        let request = Request::builder()
            .method(method)
            .uri(target)
            .header(CONTENT_TYPE, "application/json")
            .body(Body::from(body));
        let response = service.call(request.unwrap()).await;
        let says_when = response.headers().contains_key(RETRY_AFTER);
        (response.status().as_u16(), says_when)
    }

    #[tokio::test]
    async fn what_needs_the_database_is_503_while_it_is_away() {
        let order = r#"{"customer":"Ann","lines":[{"productId":"cup","quantity":1}]}"#;
        for (method, target, body) in [
            ("GET", "/mysqldata", ""),
            (
                "HEAD",
                "/mysqldata?status=paid&from=2026-11-22&limit=100",
                "",
            ),
            ("POST", "/mysqldata", order),
            ("GET", "/mysqldata/summary?by=product", ""),
            ("GET", ID, ""),
            ("PATCH", ID, r#"{"status":"paid"}"#),
        ] {
            let answer = answer(method, target, body).await;
            assert_eq!(answer, (503, true), "{method} {target}");
        }
        assert_eq!(answer("GET", "/health/mysqldata", "").await, (503, false));
    }

    #[tokio::test]
    async fn what_is_wrong_is_told_without_the_database() {
        for (method, target, body, status) in [
            ("DELETE", ID, "", 405),
            ("PUT", ID, "", 405),
            ("POST", "/mysqldata", "{", 400),
            ("POST", "/mysqldata", "{}", 422),
            ("POST", "/mysqldata?dry=run", "{}", 422),
            ("GET", "/mysqldata?cursor=bogus&limit=0", "", 400),
            ("GET", "/mysqldata?limit=101", "", 422),
            ("GET", "/mysqldata?status=lost", "", 422),
            ("GET", "/mysqldata?customer=", "", 422),
            ("GET", "/mysqldata?customer=a&customer=b", "", 422),
            ("GET", "/mysqldata?from=2026-11-23&to=2026-11-22", "", 422),
            ("GET", "/mysqldata/summary?by=week", "", 422),
            ("GET", "/mysqldata/summary?from=yesterday", "", 422),
            ("GET", "/mysqldata/summary?limit=1", "", 422),
            ("GET", "/mysqldata/none", "", 404),
            ("GET", "/mysqldata/none?x=1", "", 422),
            ("PATCH", "/mysqldata/none", r#"{"status":"lost"}"#, 422),
            ("PATCH", "/mysqldata/none", r#"{"status":"paid"}"#, 404),
        ] {
            let answer = answer(method, target, body).await;
            assert_eq!(answer, (status, false), "{method} {target}");
        }
    }
}
