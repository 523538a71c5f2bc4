//! A function's program under a Lambda Runtime API of its own.
//!
//! Source: AWS Lambda Developer Guide, "Using the Lambda runtime API".

use std::{
    collections::BTreeMap,
    path::Path,
    process::Stdio,
    sync::Arc,
    time::{Duration, SystemTime},
};

use anyhow::{Context, Result, bail};
use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::{HeaderName, StatusCode},
    routing::{get, post},
};
use serde_json::Value;
use tokio::{
    net::TcpListener,
    process::{Child, Command},
    sync::{Mutex, mpsc, oneshot},
    time::timeout,
};

/// The timeout of a deployed function.
const TIMEOUT: Duration = Duration::from_secs(10);

/// An event, and where its response goes.
type Call = (Value, oneshot::Sender<Value>);

/// A running function. It ends when this is dropped.
pub struct Program {
    calls: mpsc::Sender<Call>,
    process: Child,
}

/// The state of a Runtime API.
struct Api {
    calls: Mutex<mpsc::Receiver<Call>>,
    current: Mutex<Option<oneshot::Sender<Value>>>,
}

/// The command of a function's program with these variables and this memory in MB.
pub fn command(program: &Path, variables: &BTreeMap<String, String>, memory: u32) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .envs(variables)
        .env(
            "AWS_LAMBDA_FUNCTION_NAME",
            program.file_name().unwrap_or_default(),
        )
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", memory.to_string())
        .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

impl Program {
    /// Starts a command from [`command`].
    pub async fn start(mut command: Command) -> Result<Self> {
        let (calls, received) = mpsc::channel(1);
        let api = Arc::new(Api {
            calls: Mutex::new(received),
            current: Mutex::default(),
        });
        let routes = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/{kind}", post(end))
            // Responses of up to 6 MB.
            .layer(DefaultBodyLimit::disable())
            .with_state(api);
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        tokio::spawn(async move { axum::serve(listener, routes).await });
        let process = command
            .env("AWS_LAMBDA_RUNTIME_API", address.to_string())
            .spawn();
        let process = process.with_context(|| {
            let program = command.as_std().get_program();
            format!("{} cannot be started", program.display())
        })?;
        Ok(Self { calls, process })
    }

    /// The id of its process.
    pub fn id(&self) -> u32 {
        self.process.id().unwrap_or_default()
    }

    // region: mysqldata nosqldata
    /// The result of an invocation: a response, or what the function reports in place
    /// of one. `None` if it has ended.
    pub async fn invoke(&self, event: Value) -> Option<Value> {
        invoke(&self.calls, event).await
    }
    // endregion

    /// The result of an invocation. Fails if the process ends, or in place of its
    /// timeout.
    pub async fn try_invoke(&mut self, event: &Value) -> Result<Value> {
        let invocation = timeout(TIMEOUT, invoke(&self.calls, event.clone()));
        tokio::select! {
            result = invocation => match result {
                Ok(result) => result.context("the Runtime API has ended"),
                Err(_) => bail!("no response within {TIMEOUT:?} to {event}"),
            },
            status = self.process.wait() => bail!("it ended with {} at {event}", status?),
        }
    }
}

async fn invoke(calls: &mpsc::Sender<Call>, event: Value) -> Option<Value> {
    let (reply, response) = oneshot::channel();
    calls.send((event, reply)).await.ok()?;
    response.await.ok()
}

/// The function asks for an event.
async fn next(
    State(api): State<Arc<Api>>,
) -> Result<([(HeaderName, String); 3], Json<Value>), StatusCode> {
    let mut calls = api.calls.lock().await;
    let (event, reply) = calls.recv().await.ok_or(StatusCode::GONE)?;
    *api.current.lock().await = Some(reply);
    let deadline = SystemTime::now() + TIMEOUT;
    let since = deadline.duration_since(SystemTime::UNIX_EPOCH);
    let deadline = since.unwrap_or_default().as_millis().to_string();
    let id = uuid::Uuid::now_v7().to_string();
    let arn = "arn:aws:lambda:eu-north-1:123456789012:function:tools".to_owned();
    let header = HeaderName::from_static;
    Ok((
        [
            (header("lambda-runtime-deadline-ms"), deadline),
            (header("lambda-runtime-aws-request-id"), id),
            (header("lambda-runtime-invoked-function-arn"), arn),
        ],
        Json(event),
    ))
}

/// The function sends a response, or reports an error.
async fn end(State(api): State<Arc<Api>>, response: Bytes) -> StatusCode {
    if let Some(reply) = api.current.lock().await.take() {
        // The caller may have given up.
        let _ = reply.send(serde_json::from_slice(&response).unwrap_or_default());
    }
    StatusCode::ACCEPTED
}
