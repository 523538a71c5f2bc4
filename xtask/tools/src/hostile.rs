//! Hostile requests to the process of one function, and the memory that they take.

use std::{
    fs,
    path::PathBuf,
    process::Stdio,
    sync::Arc,
    time::{Duration, SystemTime},
};

use anyhow::{Context, Result, anyhow, bail, ensure};
use axum::{
    Json, Router,
    body::Bytes,
    extract::State,
    http::StatusCode,
    response::{AppendHeaders, IntoResponse, Response},
    routing::{get, post},
};
use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::{RngAlgorithm, TestRng, TestRunner},
};
use serde_json::Value;
use testbed::{
    System,
    hostile::{check, events},
};
use tokio::{
    net::TcpListener,
    process::{Child, Command},
    sync::{Mutex, mpsc},
    time::timeout,
};

/// The timeout of a deployed function.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Send generated, mostly invalid requests to a function, in two rounds
#[derive(clap::Args)]
pub struct Arguments {
    /// The function's program
    program: PathBuf,

    /// The number of requests of a round, for each route of the function
    #[arg(long)]
    requests: u32,
}

/// Whether every response was one of the function, and the memory stayed in bounds:
/// the peak at most twice the idle figure and four times the largest event, and no
/// more after the second round than after the first.
pub async fn run(arguments: &Arguments) -> Result<bool> {
    let name = arguments.program.file_name().unwrap_or_default();
    let name: &'static str = name.to_string_lossy().into_owned().leak();
    let system = System::with_samples().await;
    let routes = testbed::routes().await;
    let routes = routes.values().filter(|function| *function == name);
    let requests = arguments.requests * u32::try_from(routes.count())?;
    let mut function = Function::start(arguments, name, &system).await?;

    let strategy = events(name);
    let seed = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(proptest::test_runner::Config::default(), seed);
    let mut largest = 0;
    // The first round only warms up: buffers and connections are made once.
    let mut memory = [0; 3];
    for (round, memory) in memory.iter_mut().enumerate() {
        for _ in 0..if round == 0 { requests / 10 } else { requests } {
            let event = strategy.new_tree(&mut runner);
            let event = event.map_err(|reason| anyhow!("no event: {reason}"))?;
            let event = event.current();
            largest = largest.max(event.to_string().len() as u64);
            let response = function.invoke(&event).await?;
            check(&event, &response).map_err(|failure| anyhow!("{failure}"))?;
        }
        *memory = function.status(if round == 0 { "VmRSS" } else { "VmHWM" })?;
        if round == 0 {
            function.forget_peak()?;
        }
    }
    let [idle, first, second] = memory;
    let bound = 2 * idle + 4 * largest;
    println!(
        "{name}: {} requests, idle {} KiB, peak {} KiB, bound {} KiB, second round {} KiB",
        2 * requests,
        idle / 1024,
        first / 1024,
        bound / 1024,
        second / 1024,
    );
    ensure!(first <= bound, "{name} takes more memory than its bound");
    // What the allocator keeps varies by a few pages.
    ensure!(
        second <= first + first / 20,
        "{name} takes more memory in the second round"
    );
    Ok(true)
}

/// The process of a function, under a Lambda Runtime API of its own.
struct Function {
    process: Child,
    events: mpsc::Sender<Value>,
    results: mpsc::Receiver<Value>,
}

impl Function {
    async fn start(arguments: &Arguments, name: &str, system: &System) -> Result<Self> {
        let (events, pending) = mpsc::channel(1);
        let (returned, results) = mpsc::channel(1);
        let api = runtime_api(pending, returned).await?;
        let mut command = Command::new(&arguments.program);
        command
            .env_clear()
            .envs(system.environment(name))
            .env("AWS_LAMBDA_RUNTIME_API", api)
            .env("AWS_LAMBDA_FUNCTION_NAME", name)
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true);
        let process = command.spawn();
        Ok(Self {
            process: process.with_context(|| format!("{name} cannot be started"))?,
            events,
            results,
        })
    }

    /// The result of an invocation. Fails if the process ends, or in place of its
    /// timeout.
    async fn invoke(&mut self, event: &Value) -> Result<Value> {
        self.events.send(event.clone()).await?;
        tokio::select! {
            result = timeout(TIMEOUT, self.results.recv()) => match result {
                Ok(result) => result.context("the Runtime API has ended"),
                Err(_) => bail!("no response within {TIMEOUT:?} to {event}"),
            },
            status = self.process.wait() => bail!("it ended with {} at {event}", status?),
        }
    }

    /// A figure from `/proc/PID/status`, in bytes.
    fn status(&self, name: &str) -> Result<u64> {
        let status = fs::read_to_string(self.file("status")?)?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let line = line.with_context(|| format!("/proc/PID/status has no {name}"))?;
        let kib: u64 = line.trim().trim_end_matches(" kB").trim().parse()?;
        Ok(kib * 1024)
    }

    /// Starts the peak of its memory again (`proc_pid_clear_refs(5)`).
    fn forget_peak(&self) -> Result<()> {
        Ok(fs::write(self.file("clear_refs")?, "5")?)
    }

    fn file(&self, name: &str) -> Result<String> {
        let id = self.process.id().context("the process has ended")?;
        Ok(format!("/proc/{id}/{name}"))
    }
}

/// The two ends that a Runtime API connects.
struct Ends {
    pending: Mutex<mpsc::Receiver<Value>>,
    returned: mpsc::Sender<Value>,
}

/// Serves the Lambda Runtime API for one instance; its address.
///
/// <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>
async fn runtime_api(
    pending: mpsc::Receiver<Value>,
    returned: mpsc::Sender<Value>,
) -> Result<String> {
    let ends = Arc::new(Ends {
        pending: Mutex::new(pending),
        returned,
    });
    // Responses of up to 6 MB.
    let limit = axum::extract::DefaultBodyLimit::disable();
    let api = Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route("/2018-06-01/runtime/invocation/{id}/{kind}", post(done))
        .layer(limit)
        .with_state(ends);
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move { axum::serve(listener, api).await });
    Ok(address.to_string())
}

async fn next(State(ends): State<Arc<Ends>>) -> Response {
    let Some(event) = ends.pending.lock().await.recv().await else {
        return StatusCode::GONE.into_response();
    };
    let deadline = SystemTime::now() + TIMEOUT;
    let deadline = deadline.duration_since(SystemTime::UNIX_EPOCH);
    let deadline = deadline.unwrap_or_default().as_millis().to_string();
    let headers = AppendHeaders([
        ("lambda-runtime-aws-request-id", "hostile".to_owned()),
        ("lambda-runtime-deadline-ms", deadline),
        (
            "lambda-runtime-invoked-function-arn",
            "arn:aws:lambda:eu-north-1:123456789012:function:hostile".to_owned(),
        ),
    ]);
    (headers, Json(event)).into_response()
}

/// A response, or what the function reports in place of one.
async fn done(State(ends): State<Arc<Ends>>, result: Bytes) -> StatusCode {
    let Ok(result) = serde_json::from_slice(&result) else {
        return StatusCode::BAD_REQUEST;
    };
    match ends.returned.send(result).await {
        Ok(()) => StatusCode::ACCEPTED,
        Err(_) => StatusCode::GONE,
    }
}
