//! The gateway: HTTP on one side, events for the functions on the other.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use axum::{
    Json, Router,
    extract::{MatchedPath, Request},
    response::{IntoResponse, Response},
    routing::any,
};
use bytes::Bytes;
use chassis::{Event, Handler};
use http::StatusCode;
use http_body_util::BodyExt;
use lambda_http::{Context, LambdaEvent};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::Semaphore, task::JoinHandle};

use crate::{event, surfaces::Emulated};

/// What a deployed function has: see `Timeout` in `template.yaml`.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The instances of one function. As in Lambda, each has at most one request
/// at a time.
#[derive(Clone)]
pub(crate) struct Function {
    idle: Arc<Mutex<Vec<Instance>>>,
    free: Arc<Semaphore>,
}

/// What runs a function.
pub(crate) enum Instance {
    /// This process.
    Here(Handler),
    /// A process of its own, under the Runtime Interface Emulator.
    Emulated(Box<Emulated>),
}

impl From<Handler> for Instance {
    fn from(handler: Handler) -> Self {
        Self::Here(handler)
    }
}

impl From<Emulated> for Instance {
    fn from(emulated: Emulated) -> Self {
        Self::Emulated(Box::new(emulated))
    }
}

impl Instance {
    async fn invoke(&self, event: Value) -> Value {
        let handler = match self {
            Self::Emulated(emulated) => return emulated.invoke(&event).await,
            Self::Here(handler) => handler,
        };
        let deadline = SystemTime::now() + TIMEOUT;
        let since = deadline.duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let mut context = Context::default();
        context.request_id = uuid::Uuid::now_v7().to_string();
        context.deadline = u64::try_from(since.as_millis()).unwrap();
        let payload: Event = serde_json::from_value(event).expect("any JSON is an event");
        let answer = handler.handle(LambdaEvent::new(payload, context)).await;
        serde_json::to_value(answer.expect("infallible")).unwrap()
    }
}

impl Function {
    pub(crate) fn new(instances: impl IntoIterator<Item: Into<Instance>>) -> Self {
        let instances: Vec<_> = instances.into_iter().map(Into::into).collect();
        Self {
            free: Arc::new(Semaphore::new(instances.len())),
            idle: Arc::new(Mutex::new(instances)),
        }
    }

    /// Invokes an instance with an event; waits for one to be free.
    pub(crate) async fn invoke(&self, event: &Value) -> Value {
        let permit = self
            .free
            .clone()
            .acquire_owned()
            .await
            .expect("never closed");
        let instance = self.idle.lock().unwrap().pop().expect("as many as permits");
        let event = event.clone();
        // In a task of its own, so that a client that goes away leaves the
        // function running, as a gateway does: the instance is free when it has
        // answered, and not before.
        let idle = self.idle.clone();
        let running = tokio::spawn(async move {
            let answer = instance.invoke(event).await;
            idle.lock().unwrap().push(instance);
            drop(permit);
            answer
        });
        running.await.expect("a handler that never panics")
    }
}

/// An HTTP server that routes by path, with any method, as the API does.
pub struct Gateway {
    address: SocketAddr,
    calls: Arc<Mutex<Vec<String>>>,
    server: JoinHandle<()>,
}

impl Gateway {
    /// Takes a port, so that its address is known before there are functions.
    pub(crate) async fn listen() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind(("127.0.0.1", 0))
            .await
            .expect("a free port");
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    /// Serves `routes`, each a path and the function that it goes to.
    pub(crate) fn serve(listener: TcpListener, routes: BTreeMap<String, Function>) -> Self {
        let calls = Arc::new(Mutex::new(Vec::new()));
        let mut api = Router::new();
        for (path, function) in routes {
            let calls = calls.clone();
            let handler = any(async move |route: MatchedPath, request: Request| {
                let target = request
                    .uri()
                    .path_and_query()
                    .map_or("", |target| target.as_str());
                calls
                    .lock()
                    .unwrap()
                    .push(format!("{} {target}", request.method()));
                let (parts, body) = request.into_parts();
                let body: Bytes = body.collect().await.unwrap_or_default().to_bytes();
                let request = http::Request::from_parts(parts, body);
                let event = event::routed(&request, route.as_str());
                answered(&function.invoke(&event).await)
            });
            api = api.route(&path, handler);
        }
        let api =
            api.fallback(async || (StatusCode::NOT_FOUND, Json(json!({"message": "Not Found"}))));
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move {
            axum::serve(listener, api)
                .await
                .expect("serves until it is stopped");
        });
        Self {
            address,
            calls,
            server,
        }
    }

    /// Its base URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The requests that went through it so far: `GET /nosqldata?ids=a`.
    pub fn calls(&self) -> Vec<String> {
        self.calls.lock().unwrap().clone()
    }
}

/// The response that an HTTP API makes of what a function gave. What is none,
/// such as that it took too long, is no business of the client's.
fn answered(answer: &Value) -> Response {
    if answer["statusCode"].is_u64() {
        let response = event::response(answer);
        return response.map(axum::body::Body::from).into_response();
    }
    let body = Json(json!({"message": "Internal Server Error"}));
    (StatusCode::INTERNAL_SERVER_ERROR, body).into_response()
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.server.abort();
    }
}
