//! `/@name@`: the @name@.

use chassis::{
    auth::Access,
    http::{Representation, Request, Router, doc, get},
};
use json::Schema;
use serde::Serialize;

/// The routes of `@name@`.
#[must_use]
pub fn router() -> Router {
    let list_all = doc("list@Name@", "List @name@", Access::Public)
        .describe("All of them, in one response.");
    Router::new("@name@", ()).route("/@name@", get(list_all, list))
}

/// The @name@.
#[derive(Serialize, Schema)]
struct @Name@ {
    /// The name of each @type@.
    items: Vec<String>,
}

/// `GET /@name@`. `Request<()>` rejects unknown query parameters.
async fn list(Request(()): Request<()>) -> Representation<@Name@> {
    let items = vec!["first".to_owned()];
    Representation(@Name@ { items })
}

#[cfg(test)]
mod tests {
    use axum::{body::Body, http::Request};

    use super::*;

    async fn status(target: &str) -> u16 {
        let request = Request::get(target).body(Body::empty()).unwrap();
        router().into_service().call(request).await.status().into()
    }

    #[tokio::test]
    async fn unknown_parameter_is_rejected() {
        assert_eq!(status("/@name@").await, 200);
        assert_eq!(status("/@name@?x=1").await, 422);
    }
}
