//! `/mysqldata`: the orders, in `MySQL`.

use chassis::{
    http::{Router, doc, get},
    outbound::Client,
};
use dto::problem::ProblemType;

mod catalogue;
mod config;
mod error;
mod http;
mod order;
mod period;
mod placement;
mod pricing;
mod store;
mod summary;

pub use config::{Config, catalogue_policy};
pub use order::OrderStatus;

use catalogue::Catalogue;
use http::{collection, item};
use store::Orders;

/// The routes.
#[must_use]
pub fn router(app: App) -> Router<App> {
    let (mysql, catalogue) = (app.orders.check(), app.catalogue.check());
    Router::new("mysqldata", app)
        .route(
            "/mysqldata",
            get(
                doc("listOrders", "List orders").describe(collection::LIST),
                collection::list,
            )
            .post(
                doc("placeOrder", "Place an order").describe(collection::PLACE),
                collection::place,
            ),
        )
        .route(
            "/mysqldata/summary",
            get(
                doc("summarizeOrders", "Summarize the orders").describe(http::summary::SUMMARIZE),
                http::summary::summarize,
            ),
        )
        .route(
            "/mysqldata/{id}",
            get(
                doc("getOrder", "Get an order").describe(item::FETCH),
                item::fetch,
            )
            .patch(
                doc("patchOrder", "Change an order's status")
                    .describe(item::PATCH)
                    .problems(&[ProblemType::Conflict]),
                item::patch,
            ),
        )
        .cache_control("private, no-cache")
        .calls(catalogue::PRODUCTS)
        .calls(catalogue::HEALTH)
        .check(mysql)
        .check(catalogue)
}

/// The state that the handlers share.
#[derive(Clone)]
pub struct App {
    orders: Orders,
    catalogue: Catalogue,
}

impl App {
    /// Builds the clients and opens the first connection to the database.
    pub async fn open(config: Config) -> Self {
        let client = Client::new(config.api, config.catalogue_policy.connect);
        Self {
            orders: Orders::open(config.mysql).await,
            catalogue: Catalogue::new(client, config.catalogue_policy),
        }
    }
}

#[cfg(test)]
mod tests {
    use ::http::{
        Request,
        header::{CONTENT_TYPE, RETRY_AFTER},
    };
    use axum::body::Body;

    use super::*;

    const ID: &str = "/mysqldata/019aacd4-3b7f-7cc1-8a53-0123456789ab";

    /// The status of a response while the database refuses connections, and
    /// whether the response has `Retry-After`.
    async fn response(method: &str, target: &str, body: &'static str) -> (u16, bool) {
        let config = Config {
            mysql: "mysql://kea:kea@127.0.0.1:1/kea".parse().unwrap(),
            api: None,
            catalogue_policy: catalogue_policy(),
        };
        let service = router(App::open(config).await).into_service();
        let request = Request::builder()
            .method(method)
            .uri(target)
            .header(CONTENT_TYPE, "application/json")
            .body(Body::from(body));
        let response = service.call(request.unwrap()).await;
        let retry_after = response.headers().contains_key(RETRY_AFTER);
        (response.status().as_u16(), retry_after)
    }

    #[tokio::test]
    async fn an_unavailable_database_is_503() {
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
            let response = response(method, target, body).await;
            assert_eq!(response, (503, true), "{method} {target}");
        }
        assert_eq!(response("GET", "/health/mysqldata", "").await, (503, false));
    }

    #[tokio::test]
    async fn an_invalid_request_is_refused_without_the_database() {
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
            let response = response(method, target, body).await;
            assert_eq!(response, (status, false), "{method} {target}");
        }
    }
}
