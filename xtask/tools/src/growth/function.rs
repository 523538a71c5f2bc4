// region: mysqldata nosqldata
//! A function's program under a Lambda Runtime API of its own.
//!
//! Source: AWS Lambda Developer Guide, "Using the Lambda runtime API".

use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::Path,
    process::Stdio,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use anyhow::{Context, Result};
use axum::{
    Json, Router,
    body::Bytes,
    extract::State,
    http::{HeaderName, StatusCode},
    routing::{get, post},
};
use futures_util::{FutureExt, future::BoxFuture};
use serde_json::{Value, json};
use testbed::Instance;
use tokio::{
    net::TcpListener,
    process::{Child, Command},
    sync::{Mutex, mpsc, oneshot},
};

/// The timeout of a deployed function.
const TIMEOUT: Duration = Duration::from_secs(10);

/// An event, and where its response goes.
type Call = (Value, oneshot::Sender<Value>);

/// A running function. It ends when this is dropped.
pub struct Program {
    calls: mpsc::Sender<Call>,
    times: Times,
    process: Child,
}

/// The durations of the calls of all instances that share it, from the event to the
/// response.
pub type Times = Arc<std::sync::Mutex<Vec<Duration>>>;

/// The state of a Runtime API.
struct Api {
    calls: Mutex<mpsc::Receiver<Call>>,
    current: Mutex<Option<oneshot::Sender<Value>>>,
}

impl Program {
    /// Starts a program with these variables; its output goes to the file `log`.
    pub async fn start(
        program: &Path,
        variables: &BTreeMap<String, String>,
        times: Times,
        log: &Path,
    ) -> Result<Self> {
        let (calls, received) = mpsc::channel(1);
        let api = Arc::new(Api {
            calls: Mutex::new(received),
            current: Mutex::default(),
        });
        let routes = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/response", post(end))
            .route("/2018-06-01/runtime/invocation/{id}/error", post(end))
            .with_state(api);
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        tokio::spawn(async move { axum::serve(listener, routes).await });
        let log = File::create(log)?;
        let name = program.file_name().unwrap_or_default();
        let process = Command::new(program)
            .env_clear()
            .envs(variables)
            .env("AWS_LAMBDA_FUNCTION_NAME", name)
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
            .env("AWS_LAMBDA_RUNTIME_API", address.to_string())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{} cannot be started", program.display()))?;
        Ok(Self {
            calls,
            times,
            process,
        })
    }

    /// The id of its process.
    pub fn id(&self) -> u32 {
        self.process.id().unwrap_or_default()
    }
}

impl Instance for Program {
    fn invoke(&self, event: Value) -> BoxFuture<'_, Value> {
        let invocation = async {
            let (reply, response) = oneshot::channel();
            let started = Instant::now();
            let lost = json!({"errorMessage": "the function ended"});
            if self.calls.send((event, reply)).await.is_err() {
                return lost;
            }
            let response = response.await;
            self.times.lock().unwrap().push(started.elapsed());
            response.unwrap_or(lost)
        };
        invocation.boxed()
    }
}

/// The function asks for an event.
async fn next(
    State(api): State<Arc<Api>>,
) -> Result<([(HeaderName, String); 2], Json<Value>), StatusCode> {
    let mut calls = api.calls.lock().await;
    let (event, reply) = calls.recv().await.ok_or(StatusCode::GONE)?;
    *api.current.lock().await = Some(reply);
    let deadline = SystemTime::now() + TIMEOUT;
    let since = deadline.duration_since(SystemTime::UNIX_EPOCH);
    let deadline = since.unwrap_or_default().as_millis().to_string();
    let header = HeaderName::from_static;
    Ok((
        [
            (header("lambda-runtime-deadline-ms"), deadline),
            (
                header("lambda-runtime-aws-request-id"),
                uuid::Uuid::now_v7().to_string(),
            ),
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

/// The time that the threads of these processes have run on a processor.
pub fn processor_time(processes: &[u32]) -> Duration {
    let nanoseconds = processes.iter().flat_map(|process| {
        let threads = fs::read_dir(format!("/proc/{process}/task"));
        let threads = threads.into_iter().flatten().flatten();
        threads.filter_map(|thread| {
            // A thread may end meanwhile.
            let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
            text.split(' ').next()?.parse::<u64>().ok()
        })
    });
    Duration::from_nanos(nanoseconds.sum())
}
// endregion
