//! The gateway: HTTP on one side, events for the functions on the other.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{
    Json, Router,
    extract::Request,
    response::{IntoResponse, Response},
    routing::any,
};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::StatusCode;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::Semaphore, task::JoinHandle};

use crate::event;

/// The base path by which a custom domain maps to the API.
pub const BASE_PATH: &str = "/shop/v1";

/// The prefix of the paths of some clients, and the stage of their
/// events.
const PREFIXES: [(&str, &str); 3] = [("", "$default"), ("/prod", "prod"), (BASE_PATH, "$default")];

/// An instance of a function: it handles one event at a time.
pub trait Instance: Send + Sync + 'static {
    /// The response to an event, or what the platform reports instead.
    fn invoke(&self, event: Value) -> BoxFuture<'_, Value>;
}

/// The instances of one function. As in Lambda, each has at most one request
/// at a time.
#[derive(Clone)]
pub struct Function {
    idle: Arc<Mutex<Vec<Box<dyn Instance>>>>,
    free: Arc<Semaphore>,
}

impl Function {
    /// The function that has these instances.
    pub fn new(instances: impl IntoIterator<Item = impl Instance>) -> Self {
        let instances = instances.into_iter().map(|it| Box::new(it) as Box<_>);
        let instances: Vec<Box<dyn Instance>> = instances.collect();
        Self {
            free: Arc::new(Semaphore::new(instances.len())),
            idle: Arc::new(Mutex::new(instances)),
        }
    }

    /// Invokes an instance with an event; waits for one to be free.
    pub async fn invoke(&self, event: &Value) -> Value {
        let permit = self.free.clone().acquire_owned().await;
        let permit = permit.expect("the semaphore is never closed");
        let instance = self.idle.lock().unwrap().pop().expect("as many as permits");
        let event = event.clone();
        // In a task of its own, so that a client that disconnects leaves the
        // function running, as a gateway does: the instance is free when it has
        // responded, and not before.
        let idle = self.idle.clone();
        let running = tokio::spawn(async move {
            let response = instance.invoke(event).await;
            idle.lock().unwrap().push(instance);
            drop(permit);
            response
        });
        running.await.expect("a handler that never panics")
    }
}

/// An HTTP server that routes by path, with any method, as the API does.
pub struct Gateway {
    address: SocketAddr,
    server: JoinHandle<()>,
}

impl Gateway {
    /// Binds a port, so that its address is known before there are functions.
    pub async fn listen() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await;
        let listener = listener.expect("a free port");
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    /// Serves `routes`, each a path and the function that it goes to.
    pub fn serve(listener: TcpListener, routes: BTreeMap<String, Function>) -> Self {
        let mut api = Router::new();
        let routes = routes.into_iter().flat_map(|(route, function)| {
            PREFIXES.map(|prefix| (prefix, route.clone(), function.clone()))
        });
        for ((prefix, stage), route, function) in routes {
            let path = format!("{prefix}{route}");
            let handler = any(async move |request: Request| {
                let (parts, body) = request.into_parts();
                let body: Bytes = body.collect().await.unwrap_or_default().to_bytes();
                let request = http::Request::from_parts(parts, body);
                let event = event::prefixed(&request, prefix, stage, &route);
                response(&function.invoke(&event).await)
            });
            api = api.route(&path, handler);
        }
        let api =
            api.fallback(async || (StatusCode::NOT_FOUND, Json(json!({"message": "Not Found"}))));
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move {
            let served = axum::serve(listener, api).await;
            served.expect("serves until it is stopped");
        });
        Self { address, server }
    }

    /// Its base URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// The HTTP response that an HTTP API makes of what an instance returned. A client gets
/// no part of a report of the platform, such as that of a timeout.
fn response(returned: &Value) -> Response {
    if returned["statusCode"].is_u64() {
        let response = event::response(returned);
        return response.map(axum::body::Body::from).into_response();
    }
    let body = Json(json!({"message": "Internal Server Error"}));
    (StatusCode::INTERNAL_SERVER_ERROR, body).into_response()
}

/// Serves a router on a free port until the runtime ends; its base URL.
pub async fn serve(router: Router) -> String {
    let (listener, address) = Gateway::listen().await;
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}
