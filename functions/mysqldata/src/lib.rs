//! `/mysqldata`: the orders, in `MySQL`.

use chassis::{
    auth::{Access, Authenticator},
    http::{Router, doc, get},
};
use dto::problem::ProblemType;

mod app;
mod catalogue;
mod config;
mod error;
mod http;
mod money;
mod order;
mod period;
mod permission;
mod placement;
mod pricing;
mod store;
mod summary;

pub use app::App;
pub use config::Config;
pub use order::OrderStatus;

use http::{collection, item};
use permission::{MANAGE, READ_ALL, WRITE};

/// The routes.
#[must_use]
pub fn router(app: App, authenticator: Authenticator) -> Router<App> {
    let (mysql, catalogue) = (app.orders.check(), app.catalogue.check());
    Router::new("mysqldata", app)
        .authenticate(authenticator)
        .route(
            "/mysqldata",
            get(
                doc("listOrders", "List orders", Access::Optional).describe(collection::LIST),
                collection::list,
            )
            .post(
                doc("placeOrder", "Place an order", Access::Scope(&[WRITE]))
                    .describe(collection::PLACE),
                collection::place,
            ),
        )
        .route(
            "/mysqldata/summary",
            get(
                doc(
                    "summarizeOrders",
                    "Summarize the orders",
                    Access::Scope(&[READ_ALL]),
                )
                .describe(http::summary::SUMMARIZE),
                http::summary::summarize,
            ),
        )
        .route(
            "/mysqldata/{id}",
            get(
                doc("getOrder", "Get an order", Access::Caller).describe(item::FETCH),
                item::fetch,
            )
            .patch(
                doc(
                    "patchOrder",
                    "Change an order's status",
                    Access::Scope(&[WRITE, MANAGE]),
                )
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

#[cfg(test)]
mod tests {
    use ::http::{
        Request,
        header::{CONTENT_TYPE, RETRY_AFTER},
    };
    use axum::body::Body;

    use super::*;

    const ID: &str = "/mysqldata/019aacd4-3b7f-7cc1-8a53-0123456789ab";

    /// The status of a response without a token while the database refuses
    /// connections, and whether the response has `Retry-After`.
    async fn response(method: &str, target: &str, body: &'static str) -> (u16, bool) {
        let config = Config {
            mysql: "mysql://kea:kea@127.0.0.1:1/kea".parse().unwrap(),
            api: None,
            catalogue_policy: chassis::outbound::Policy::default(),
            auth: None,
        };
        let authenticator = Authenticator::open(None).await;
        let service = router(App::open(config).await, authenticator).into_service();
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
        for (method, target) in [
            ("GET", "/mysqldata"),
            ("HEAD", "/mysqldata?status=paid&from=2026-11-22&limit=100"),
        ] {
            let response = response(method, target, "").await;
            assert_eq!(response, (503, true), "{method} {target}");
        }
        assert_eq!(response("GET", "/health/mysqldata", "").await, (503, false));
    }

    #[tokio::test]
    async fn a_refused_request_needs_no_database() {
        for (method, target, body, status) in [
            ("DELETE", ID, "", 405),
            ("PUT", ID, "", 405),
            ("POST", "/mysqldata", "{", 401),
            ("GET", "/mysqldata/summary?by=week", "", 401),
            ("GET", "/mysqldata/none", "", 401),
            ("PATCH", ID, r#"{"status":"paid"}"#, 401),
            ("GET", "/mysqldata?cursor=bogus&limit=0", "", 400),
            ("GET", "/mysqldata?limit=101", "", 422),
            ("GET", "/mysqldata?status=lost", "", 422),
            ("GET", "/mysqldata?customer=", "", 422),
            ("GET", "/mysqldata?customer=a&customer=b", "", 422),
            ("GET", "/mysqldata?from=2026-11-23&to=2026-11-22", "", 422),
        ] {
            let response = response(method, target, body).await;
            assert_eq!(response, (status, false), "{method} {target}");
        }
    }
}
