//! `/@name@`: the @name@, in `@Store@`.

use chassis::{
    auth::{Access, Authenticator},
    http::{Router, doc, get},
};

mod config;
mod error;
mod http;
mod @type@;
mod store;

pub use config::Config;
pub use store::@Type@Store;

/// Who may write @name@: callers whose token has this scope. `cargo xtask token`
/// prints one.
const WRITE: Access = Access::Scope(&["@name@:write"]);

/// The routes of `@name@`.
///
/// The chassis adds `HEAD`, `OPTIONS`, `GET /health/@name@`, 404 and 405.
#[must_use]
pub fn router(store: @Type@Store, authenticator: Authenticator) -> Router<@Type@Store> {
    let check = store.check();
    Router::new("@name@", store)
        .authenticate(authenticator)
        .route(
            "/@name@",
            get(doc("list@Name@", "List @name@", Access::Public).describe(http::LIST), http::list).post(
                doc("create@Type@", "Create @a@ @type@", WRITE).describe(http::CREATE),
                http::create,
            ),
        )
        .route(
            "/@name@/{id}",
            get(doc("get@Type@", "Get @a@ @type@", Access::Public).describe(http::FETCH), http::fetch),
        )
        .cache_control("no-cache")
        .check(check)
}

#[cfg(test)]
mod tests {
    use axum::{
        body::Body,
        http::{Request, header::CONTENT_TYPE},
    };
    use chassis::Environment;

    use super::*;

    const ID: &str = "/@name@/019aacd4-3b7f-7cc1-8a53-0123456789ab";

    /// The status of a response without a token while the store is unavailable.
    async fn status(method: &str, target: &str, body: &'static str) -> u16 {
        // Nothing listens on port 1.
        let mut environment = Environment::of([
@VARIABLES@        ]);
        let config = Config::read(&mut environment).expect("a configuration");
        let authenticator = Authenticator::open(None).await;
        let service = router(@Type@Store::open(config).await, authenticator).into_service();
        let request = Request::builder()
            .method(method)
            .uri(target)
            .header(CONTENT_TYPE, "application/json")
            .body(Body::from(body));
        service.call(request.unwrap()).await.status().into()
    }

    #[tokio::test]
    async fn unavailable_store_is_503() {
        for target in ["/@name@", ID, "/health/@name@"] {
            assert_eq!(status("GET", target, "").await, 503, "{target}");
        }
    }

    #[tokio::test]
    async fn invalid_request_is_rejected_without_the_store() {
        for (method, target, body, expected) in [
            ("POST", "/@name@", r#"{"name":"First"}"#, 401),
            ("GET", "/@name@?limit=0", "", 422),
            ("GET", "/@name@?cursor=bogus", "", 400),
            ("GET", "/@name@/none", "", 404),
            ("DELETE", ID, "", 405),
        ] {
            let status = status(method, target, body).await;
            assert_eq!(status, expected, "{method} {target}");
        }
    }
}
