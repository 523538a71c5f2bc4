//! `GET /`: a greeting, the first call that a newcomer makes. As JSON it is `Hello Kea`,
//! and as text and on the page `Hello KEA!`.

use axum::response::{IntoResponse, Response};
use chassis::{
    RequestContext,
    auth::Access,
    http::{Accept, Representation, Router, doc, get, html, text, vary},
};
use json::Schema;
use serde::Serialize;

/// What the page may load: its icon and its own style, which has this hash.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; img-src 'self'; base-uri 'none'; \
     form-action 'none'; frame-ancestors 'none'; \
     style-src 'sha256-uezfWG0Z+WuVglF4sTWAtOxbsD2JMirWJ4FQ0zdg9lo='";

/// The routes of `hello`.
#[must_use]
pub fn router() -> Router {
    let greeting = doc("getGreeting", "Say hello", Access::Public)
        .describe("As JSON, as plain text or, to a browser, as a page with links.");
    Router::new("hello", ()).route("/", get(greeting, greet))
}

async fn greet(ctx: RequestContext, accept: Accept) -> Greeted {
    match accept.best("application/json", &["text/plain", "text/html"]) {
        "text/plain" => Greeted::Text,
        "text/html" => Greeted::Page(ctx.base_path),
        _ => Greeted::Json(Greeting {
            message: "Hello Kea",
        }),
    }
}

/// The greeting in the form that the client prefers.
enum Greeted {
    Json(Greeting),
    Text,
    /// The page, with the base path of its links.
    Page(String),
}

/// The greeting.
#[derive(Serialize, Schema)]
struct Greeting {
    /// `Hello Kea`.
    message: &'static str,
}

impl IntoResponse for Greeted {
    fn into_response(self) -> Response {
        let response = match self {
            Self::Json(greeting) => Representation(greeting).into_response(),
            Self::Text => text("Hello KEA!"),
            Self::Page(base_path) => {
                let page = include_str!("index.html");
                let page = page.replace("href=\"/", &format!("href=\"{base_path}/"));
                html(page, CONTENT_SECURITY_POLICY)
            }
        };
        vary(response, "Accept")
    }
}

impl chassis::http::openapi::DescribeOutput for Greeted {
    fn describe(operation: &mut chassis::http::openapi::Operation) {
        let text = operation.response_schema::<String>();
        let content = [
            ("application/json", operation.response_schema::<Greeting>()),
            ("text/plain", text.clone()),
            ("text/html", text),
        ];
        operation.response(200, "The greeting.", &["Vary"], &content);
    }
}

#[cfg(test)]
mod tests {
    use axum::{
        body::{Body, to_bytes},
        http::{Request, header::ACCEPT},
    };

    use super::*;

    async fn greeting_as(media_type: &str) -> (String, String) {
        let request = Request::get("/").header(ACCEPT, media_type);
        let service = router().into_service();
        let response = service.call(request.body(Body::empty()).unwrap()).await;
        let content_type = response.headers()["content-type"].to_str().unwrap();
        let content_type = content_type.to_owned();
        let body = to_bytes(response.into_body(), 10_000).await.unwrap();
        (content_type, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn the_greeting_has_the_form_that_the_client_prefers() {
        let json = (
            "application/json".to_owned(),
            r#"{"message":"Hello Kea"}"#.to_owned(),
        );
        assert_eq!(greeting_as("*/*").await, json);
        let text = (
            "text/plain; charset=utf-8".to_owned(),
            "Hello KEA!".to_owned(),
        );
        assert_eq!(greeting_as("text/plain").await, text);
        let (content_type, page) = greeting_as("text/html").await;
        assert_eq!(content_type, "text/html; charset=utf-8");
        assert!(page.contains("Hello KEA!") && page.contains("href=\"/docs\""));
    }
}
