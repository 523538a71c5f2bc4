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

use permission::{MANAGE, READ_ALL, WRITE};

/// The routes.
#[must_use]
pub fn router(app: App, authenticator: Authenticator) -> Router<App> {
    let (orders_check, catalogue_check) = (app.orders.check(), app.catalogue.check());
    Router::new("mysqldata", app)
        .authenticate(authenticator)
        .route(
            "/mysqldata",
            get(
                doc("listOrders", "List orders", Access::Optional).describe(http::LIST),
                http::list,
            )
            .post(
                doc("placeOrder", "Place an order", Access::Scope(&[WRITE])).describe(http::PLACE),
                http::place,
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
                .describe(http::SUMMARIZE),
                http::summarize,
            ),
        )
        .route(
            "/mysqldata/{id}",
            get(
                doc("getOrder", "Get an order", Access::Caller).describe(http::FETCH),
                http::fetch,
            )
            .patch(
                doc(
                    "patchOrder",
                    "Change an order's status",
                    Access::Scope(&[WRITE, MANAGE]),
                )
                .describe(http::PATCH)
                .problems(&[ProblemType::Conflict]),
                http::patch,
            ),
        )
        .cache_control("private, no-cache")
        .calls(catalogue::PRODUCTS)
        .calls(catalogue::HEALTH)
        .check(orders_check)
        .check(catalogue_check)
}
