//! An HTTP client that follows no redirects, repeats no requests and sets no headers
//! but `Authorization`.

use std::{
    fmt,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use bytes::Bytes;
use chassis::error_chain;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::Client as Pool, client::legacy::connect::HttpConnector, rt::TokioExecutor,
};
use serde_json::Value;
use tokio::time::{sleep, timeout};

use crate::callers;

/// Longer than any function may take, with its cold start, on a busy machine.
const TIMEOUT: Duration = Duration::from_mins(5);

/// The most pages that a list may have.
const MOST_PAGES: usize = 1_000;

/// The part of a body that a failure shows.
const SHOWN_BYTES: usize = 400;

/// A client of the API at one base URL.
#[derive(Clone)]
pub struct Client {
    base: String,
    /// The value of `Authorization` where a request sets none.
    authorization: Option<String>,
    /// The paths of what was created through it.
    created: Arc<Mutex<Vec<String>>>,
    pool: Pool<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

/// A response, with the checks of it; a failed one shows the request too.
#[derive(Debug, Clone)]
pub struct Response {
    /// The request's method and target: `GET /nosqldata?limit=1`.
    pub request: String,
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

impl Client {
    /// A client of the API at `base`, which sends the token of a caller who may do
    /// everything.
    pub fn new(base: String) -> Self {
        let connector = HttpsConnectorBuilder::new()
            .with_webpki_roots()
            .https_or_http()
            .enable_http1()
            .build();
        Self {
            base,
            authorization: Some(callers::tester().to_owned()),
            created: Arc::default(),
            pool: Pool::builder(TokioExecutor::new()).build(connector),
        }
    }

    /// The same client for a caller with these scopes, separated by blanks.
    pub fn caller(&self, subject: &str, scope: &str) -> Self {
        self.authorized(callers::bearer(subject, scope))
    }

    /// The same client with this value of `Authorization`.
    pub fn authorized(&self, authorization: String) -> Self {
        Self {
            authorization: Some(authorization),
            ..self.clone()
        }
    }

    /// The same client without a token.
    pub fn anonymous(&self) -> Self {
        Self {
            authorization: None,
            ..self.clone()
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
        let request = format!("{method} {target}");
        let response = self.exchange(method, target, headers, body, TIMEOUT).await;
        let response = response.unwrap_or_else(|error| panic!("{request}: {error}"));
        self.checked(response)
    }

    /// The same; none where no whole response arrives before the timeout.
    pub async fn try_send(
        &self,
        method: Method,
        target: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
        limit: Duration,
    ) -> Option<Response> {
        let response = self.exchange(method, target, headers, body, limit).await;
        Some(self.checked(response.ok()?))
    }

    /// Sends a request, and checks nothing of its response.
    ///
    /// # Errors
    /// There is no whole response.
    pub async fn exchange(
        &self,
        method: Method,
        target: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
        limit: Duration,
    ) -> Result<Response, NoResponse> {
        let name = format!("{method} {target}");
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{target}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let is_set = headers.iter().any(|(name, _)| *name == "authorization");
        if let Some(authorization) = self.authorization.as_ref().filter(|_| !is_set) {
            request = request.header("authorization", authorization);
        }
        let request = request
            .body(Full::new(body.into()))
            .expect("a well-formed request");
        let response = timeout(limit, async {
            let response = self.pool.request(request).await;
            let response = response.map_err(|error| NoResponse::Failed(error_chain(&error)))?;
            let (head, body) = response.into_parts();
            let body = body.collect().await;
            let body = body.map_err(|error| NoResponse::Failed(error_chain(&error)))?;
            Ok(Response {
                request: name,
                status: head.status,
                headers: head.headers,
                body: body.to_bytes(),
            })
        });
        response.await.unwrap_or(Err(NoResponse::Late(limit)))
    }

    /// Checks the headers of a response, and records what it created.
    #[track_caller]
    fn checked(&self, response: Response) -> Response {
        if !response.is_of_gateway() {
            response.check_headers();
        }
        if response.status == StatusCode::CREATED {
            let names = ["location", "content-location"].map(|name| response.header(name));
            let path = names.into_iter().find(|path| !path.is_empty());
            let path = path.unwrap_or_default().to_owned();
            self.created.lock().unwrap().push(path);
        }
        response
    }

    /// The paths of what was created through this client and its clones.
    pub fn take_created(&self) -> Vec<String> {
        std::mem::take(&mut *self.created.lock().unwrap())
    }

    /// `GET`.
    pub async fn get(&self, target: &str) -> Response {
        self.get_with(target, &[]).await
    }

    /// `GET` with headers.
    pub async fn get_with(&self, target: &str, headers: &[(&str, &str)]) -> Response {
        self.send(Method::GET, target, headers, Bytes::new()).await
    }

    /// Follows a list, whose target has a query, to its end; its pages.
    pub async fn pages(&self, list: &str) -> Vec<Response> {
        let mut pages = Vec::new();
        let mut cursor = String::new();
        while pages.len() < MOST_PAGES {
            let page = self.get(&format!("{list}{cursor}")).await.expect(200);
            let next = page.json()["nextCursor"].clone();
            pages.push(page);
            let Some(next) = next.as_str() else {
                assert!(next.is_null(), "{list}: {next}");
                return pages;
            };
            let is_url_safe = |b: u8| b.is_ascii_alphanumeric() || b"-_.~".contains(&b);
            assert!(next.bytes().all(is_url_safe), "{next}");
            cursor = format!("&cursor={next}");
        }
        panic!("{list} has no end");
    }

    /// Follows a list, whose target has a query, to its end; its items.
    pub async fn walk(&self, list: &str) -> Vec<Value> {
        let pages = self.pages(list).await;
        pages.iter().flat_map(Response::items).collect()
    }

    /// `GET`; none where no whole response arrives before the timeout.
    pub async fn try_get(&self, target: &str, limit: Duration) -> Option<Response> {
        self.try_send(Method::GET, target, &[], Bytes::new(), limit)
            .await
    }

    /// `DELETE`.
    pub async fn delete(&self, target: &str) -> Response {
        self.send(Method::DELETE, target, &[], "").await
    }

    /// `POST` of JSON.
    pub async fn post(&self, target: &str, body: &Value) -> Response {
        self.json(Method::POST, target, &[], body).await
    }

    /// `POST` of JSON under an idempotency key.
    pub async fn post_once(&self, target: &str, key: &str, body: &Value) -> Response {
        let headers = [("idempotency-key", key)];
        self.json(Method::POST, target, &headers, body).await
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

/// Why a request has no whole response.
#[derive(Debug)]
pub enum NoResponse {
    /// None arrived in this time.
    Late(Duration),
    /// The connection was refused or broke, for this reason.
    Failed(String),
}

impl fmt::Display for NoResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Late(limit) => write!(f, "no response in {} s", limit.as_secs()),
            Self::Failed(reason) => write!(f, "the connection failed: {reason}"),
        }
    }
}

/// What a function returned, without its request.
impl From<http::Response<Bytes>> for Response {
    #[track_caller]
    fn from(response: http::Response<Bytes>) -> Self {
        let (head, body) = response.into_parts();
        let response = Self {
            request: "an event".to_owned(),
            status: head.status,
            headers: head.headers,
            body,
        };
        response.check_headers();
        response
    }
}

impl Response {
    /// Whether a gateway may have written it: a refusal or a response to a preflight,
    /// without the `X-Request-Id` of a function.
    fn is_of_gateway(&self) -> bool {
        let is_refusal = self.status.is_client_error() || self.status.is_server_error();
        let has_id = !self.header("x-request-id").is_empty();
        !has_id && (is_refusal || self.request.starts_with("OPTIONS "))
    }

    /// Checks the headers that every response of a function has, whatever the test is
    /// about.
    #[track_caller]
    fn check_headers(&self) {
        assert!(!self.header("x-request-id").is_empty(), "{self}");
        assert_eq!(self.header("x-content-type-options"), "nosniff", "{self}");
        // A failed health check is no problem that a client could repeat.
        if self.status == 503 && self.header("content-type") != "application/health+json" {
            let seconds = self.header("retry-after").parse::<u32>();
            assert!(seconds.is_ok_and(|seconds| seconds >= 1), "{self}");
        }
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        let json = serde_json::from_slice(&self.body);
        json.unwrap_or_else(|_| panic!("not JSON: {self}"))
    }

    /// The items of a page.
    #[track_caller]
    pub fn items(&self) -> Vec<Value> {
        let items = self.json()["items"].as_array().cloned();
        items.unwrap_or_else(|| panic!("no items: {self}"))
    }

    /// The id of a product or an order.
    #[track_caller]
    pub fn id(&self) -> String {
        let id = self.json()["id"].as_str().map(str::to_owned);
        id.unwrap_or_else(|| panic!("no id: {self}"))
    }

    /// The body as text.
    #[track_caller]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("UTF-8")
    }

    /// A header's value; empty where it is absent.
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |value| value.to_str().expect("ASCII"))
    }

    /// Whether it is a stored response, replayed for its idempotency key.
    #[track_caller]
    pub fn is_replay(&self) -> bool {
        match self.header("idempotency-replayed") {
            "" => false,
            "true" => true,
            _ => panic!("neither true nor absent: {self}"),
        }
    }

    /// Checks that it is another response, replayed byte for byte.
    #[track_caller]
    pub fn expect_replay_of(self, first: &Self) -> Self {
        assert!(self.is_replay(), "{self}");
        assert_eq!(self.body, first.body, "{self}");
        let mut this = self.expect(first.status.as_u16());
        for header in ["etag", "location", "content-type"] {
            this = this.expect_header(header, first.header(header));
        }
        this
    }

    /// Checks the status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self}");
        self
    }

    /// Checks a header.
    #[track_caller]
    pub fn expect_header(self, name: &str, value: &str) -> Self {
        assert_eq!(self.header(name), value, "{name}: {self}");
        self
    }

    /// Checks that `Allow` lists these methods, in any order.
    #[track_caller]
    pub fn expect_allow(self, methods: &str) -> Self {
        let sorted = |list: &str| {
            let mut methods: Vec<_> = list.split(", ").map(str::to_owned).collect();
            methods.sort();
            methods
        };
        assert_eq!(sorted(self.header("allow")), sorted(methods), "{self}");
        self
    }

    /// Checks that there is no body.
    #[track_caller]
    pub fn expect_empty(self) -> Self {
        assert!(self.body.is_empty(), "{self}");
        self
    }

    /// Checks members of the JSON body, each named by its pointer.
    #[track_caller]
    pub fn expect_members(self, members: &[(&str, Value)]) -> Self {
        let json = self.json();
        for (pointer, value) in members {
            assert_eq!(json.pointer(pointer), Some(value), "{pointer}: {self}");
        }
        self
    }

    /// Checks that it is this problem, and a well-formed one (RFC 9457).
    #[track_caller]
    pub fn expect_problem(self, status: u16, kind: &str, detail: &str) -> Self {
        let this = self.expect(status);
        assert_eq!(this.header("content-type"), "application/problem+json");
        let problem = this.json();
        assert_eq!(problem["type"], format!("/problems/{kind}"), "{this}");
        assert_eq!(problem["detail"], detail, "{this}");
        assert_eq!(problem["status"], status, "{this}");
        let id = this.header("x-request-id");
        assert_eq!(problem["requestId"], id, "{this}");
        for member in ["title", "instance", "requestId"] {
            let text = problem[member].as_str().unwrap_or_default();
            assert!(!text.is_empty(), "{member} is missing: {this}");
        }
        this
    }

    /// Checks that it is a 405 problem that lists these methods.
    #[track_caller]
    pub fn expect_method_not_allowed(self, allow: &str) -> Self {
        let detail = format!("This path supports {allow}.");
        self.expect_problem(405, "method-not-allowed", &detail)
            .expect_allow(allow)
    }

    /// Checks that it is a 503 problem with one of these details. Each has
    /// `Retry-After`, which the client checks.
    #[track_caller]
    pub fn expect_unavailable(self, details: &[&str]) -> Self {
        let found = self.json()["detail"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        assert!(details.contains(&&*found), "{self}");
        self.expect_problem(503, "service-unavailable", &found)
    }

    /// Checks that it is a 400 problem with these errors: place and detail.
    #[track_caller]
    pub fn expect_malformed(self, errors: &[(&str, &str)]) -> Self {
        let detail = "The request cannot be parsed; see errors.";
        self.expect_problem(400, "malformed-request", detail)
            .expect_errors(errors)
    }

    /// Checks that it is a 422 problem with these errors: place and detail.
    #[track_caller]
    pub fn expect_invalid(self, errors: &[(&str, &str)]) -> Self {
        let detail = "The request is not valid; see errors.";
        self.expect_problem(422, "invalid-request", detail)
            .expect_errors(errors)
    }

    /// Checks the errors of a problem, in their order.
    #[track_caller]
    fn expect_errors(self, errors: &[(&str, &str)]) -> Self {
        let problem = self.json();
        let found: Vec<_> = (problem["errors"].as_array().into_iter().flatten())
            .map(|error| {
                let names = ["pointer", "parameter", "header"];
                let place = names.into_iter().find_map(|name| error[name].as_str());
                let detail = error["detail"].as_str();
                (place.unwrap_or_default(), detail.unwrap_or_default())
            })
            .collect();
        assert_eq!(found, errors, "{self}");
        self
    }
}

/// For a failure: the request, the status, the headers and the start of the body.
impl fmt::Display for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} → {}", self.request, self.status)?;
        for (name, value) in &self.headers {
            writeln!(f, "{name}: {}", String::from_utf8_lossy(value.as_bytes()))?;
        }
        let shown = self.body.get(..SHOWN_BYTES).unwrap_or(&self.body);
        write!(f, "\n{}", String::from_utf8_lossy(shown))
    }
}

/// Polls until there is a value, and fails after five minutes.
pub async fn eventually<T>(poll: impl AsyncFn() -> Option<T>) -> T {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        if let Some(value) = poll().await {
            return value;
        }
        assert!(Instant::now() < deadline, "not within {TIMEOUT:?}");
        sleep(Duration::from_millis(50)).await;
    }
}

/// Sends a request whose idempotency key is in use until the response is a 409, which
/// precedes its deadline. On a slow machine the deadline may pass first.
pub async fn expect_key_in_use(send: impl AsyncFn() -> Response) {
    eventually(async || {
        let refused = send().await.expect_header("retry-after", "1");
        if refused.status == 503 {
            refused.expect_unavailable(&[
                "The time for the request ran out.",
                "The store did not respond in time.",
                "The database did not respond in time.",
            ]);
            return None;
        }
        let detail = "The first request with this Idempotency-Key is still running.";
        refused.expect_problem(409, "conflict", detail);
        Some(())
    })
    .await;
}
