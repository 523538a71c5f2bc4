//! An HTTP client that hides nothing: no redirects, no retries, no defaults.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::Client as Pool, client::legacy::connect::HttpConnector, rt::TokioExecutor,
};
use serde_json::Value;
use tokio::time::timeout;

/// Longer than any function may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// A client of the API at one base URL.
#[derive(Clone)]
pub struct Client {
    base: String,
    pool: Pool<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Response {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

impl Client {
    /// A client of the API at `base`.
    pub fn new(base: String) -> Self {
        let connector = HttpsConnectorBuilder::new()
            .with_webpki_roots()
            .https_or_http()
            .enable_http1()
            .build();
        Self {
            base,
            pool: Pool::builder(TokioExecutor::new()).build(connector),
        }
    }

    /// Sends a request with these headers and this body.
    pub async fn send(
        &self,
        method: Method,
        target: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Response {
        let answer = self.try_send(method, target, headers, body, PATIENCE).await;
        answer.unwrap_or_else(|| panic!("no answer to {target}"))
    }

    /// The same; nothing where no whole answer comes within `patience`.
    pub async fn try_send(
        &self,
        method: Method,
        target: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
        patience: Duration,
    ) -> Option<Response> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{target}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request
            .body(Full::new(body.into()))
            .expect("a well-formed request");
        let answered = timeout(patience, async {
            let (head, body) = self.pool.request(request).await.ok()?.into_parts();
            let body = body.collect().await.ok()?.to_bytes();
            Some(Response {
                status: head.status,
                headers: head.headers,
                body,
            })
        });
        answered.await.ok()?
    }

    /// `GET`.
    pub async fn get(&self, target: &str) -> Response {
        self.send(Method::GET, target, &[], Bytes::new()).await
    }

    /// `GET` with headers.
    pub async fn get_with(&self, target: &str, headers: &[(&str, &str)]) -> Response {
        self.send(Method::GET, target, headers, Bytes::new()).await
    }

    /// `GET`, with an answer within `patience` or none.
    pub async fn try_get(&self, target: &str, patience: Duration) -> Option<Response> {
        self.try_send(Method::GET, target, &[], Bytes::new(), patience)
            .await
    }

    /// `POST` of JSON.
    pub async fn post(&self, target: &str, body: &Value) -> Response {
        self.json(Method::POST, target, &[], body).await
    }

    /// `PUT` of JSON.
    pub async fn put(&self, target: &str, body: &Value) -> Response {
        self.json(Method::PUT, target, &[], body).await
    }

    /// `PATCH` of a merge patch.
    pub async fn patch(&self, target: &str, body: &Value) -> Response {
        let headers = [("content-type", "application/merge-patch+json")];
        self.send(Method::PATCH, target, &headers, body.to_string())
            .await
    }

    /// Any method with JSON and further headers.
    pub async fn json(
        &self,
        method: Method,
        target: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> Response {
        let all = [&[("content-type", "application/json")], headers].concat();
        self.send(method, target, &all, body.to_string()).await
    }
}

impl Response {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|_| panic!("no JSON: {} {:?}", self.status, self.body))
    }

    /// The body as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("UTF-8")
    }

    /// A header's value; empty where it is absent.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().expect("ASCII"))
    }

    /// The same response, if it is a well-formed problem of `status` (RFC 9457).
    #[track_caller]
    pub fn problem(self, status: u16) -> Value {
        assert_eq!(
            self.status,
            status,
            "{}",
            String::from_utf8_lossy(&self.body)
        );
        assert_eq!(self.header("content-type"), "application/problem+json");
        let problem = self.json();
        assert_eq!(problem["status"], status);
        for member in ["type", "title", "detail", "instance", "requestId"] {
            let text = problem[member].as_str().unwrap_or_default();
            assert!(!text.is_empty(), "{member} is missing: {problem}");
        }
        assert!(problem["type"].as_str().unwrap().starts_with("/problems/"));
        problem
    }

    /// Where the faults of a 400 or 422 problem are, in order.
    #[track_caller]
    pub fn faults(self, status: u16) -> Vec<String> {
        let problem = self.problem(status);
        let errors = problem["errors"].as_array().cloned().unwrap_or_default();
        let place = |error: &Value| {
            assert!(error["detail"].is_string(), "{error}");
            let at = ["pointer", "parameter", "header"]
                .into_iter()
                .find_map(|k| error[k].as_str());
            at.expect("a fault says where it is").to_owned()
        };
        errors.iter().map(place).collect()
    }

    /// The same response, if it has `status`.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(
            self.status,
            status,
            "{}",
            String::from_utf8_lossy(&self.body)
        );
        self
    }
}
