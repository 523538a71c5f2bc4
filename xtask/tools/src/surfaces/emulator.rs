//! The functions as they are deployed, each under a Runtime Interface Emulator,
//! behind the gateway of the testbed.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use futures_util::{FutureExt, future::BoxFuture};
use http::Method;
use programs::{Guarded, guard};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use template::{Local, Template};
use testbed::{
    BASE_PATH, Client, Function, Gateway, Instance, address, callers, store,
    wire::{Protocol, Proxy},
};

use crate::{
    folder::own_folder,
    port::{free_addresses, until_listening},
};

/// Longer than the timeout of any function.
const LIMIT: Duration = Duration::from_mins(2);

/// The time that an emulator has to stop its function.
const GRACE: Duration = Duration::from_secs(2);

/// The last response of an emulator.
type LastResponse = Arc<Mutex<String>>;

/// The emulators, and the gateway in front of them. Stopped when dropped.
pub struct Emulator {
    gateway: Gateway,
    /// The wire to `DynamoDB`.
    #[allow(dead_code, reason = "a project without a store cuts none")]
    pub dynamodb: Proxy,
    folder: TempDir,
    timeouts: BTreeMap<String, u64>,
    responses: BTreeMap<String, LastResponse>,
    _processes: Vec<Guarded>,
}

impl Emulator {
    /// Runs each function of the folder that `sam build` built to.
    ///
    /// # Errors
    /// There is none, or an emulator does not start.
    pub async fn start(program: &Path, build: &Path) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("emulator-").tempdir()?;
        let logs = own_folder("surfaces")?;

        let dynamodb_url = store("KEA_TEST_DYNAMODB_URL");
        let dynamodb = Proxy::start(address(&dynamodb_url), Protocol::DynamoDb).await?;
        let (listener, gateway) = Gateway::listen().await;
        let local = Local {
            api: format!("http://{gateway}"),
            dynamodb: format!("http://{}", dynamodb.address()),
            mysql: store("KEA_TEST_MYSQL_URL"),
            table_prefix: String::new(),
            auth: callers::environment(),
        };
        let template =
            Template::read(&build.join("template.yaml")).context("run `sam build` first")?;

        ensure!(
            !template.answering().is_empty(),
            "{} has no function with an HttpApi event",
            build.display()
        );
        let mut routes = BTreeMap::new();
        let mut timeouts = BTreeMap::new();
        let mut responses = BTreeMap::new();
        let mut processes = Vec::new();
        for function in template.answering() {
            let name = function.binary;
            let own = folder.path().join(name);
            fs::create_dir(&own)?;
            let code = function.code();
            let code = code.with_context(|| format!("{} has no CodeUri", function.id))?;
            let built = build.join(code).join("bootstrap");
            // A copy, so that its processes are known by their program.
            let bootstrap = own.join("bootstrap");
            fs::copy(&built, &bootstrap)
                .with_context(|| format!("{} is not there: sam build", built.display()))?;
            let log = File::create(logs.join(format!("{name}.log")))?;
            let [here, runtime] = free_addresses()?;
            // CloudFormation's default.
            let timeout = function.number("Timeout", 3)?;
            let mut command = guard::command(program, GRACE);
            command
                .args(["--runtime-interface-emulator-address", &here.to_string()])
                .args(["--runtime-api-address", &runtime.to_string()])
                .arg(&bootstrap)
                .current_dir(&own)
                .env_clear()
                .envs(environment(&function, &local, timeout)?)
                .stdout(log.try_clone()?)
                .stderr(log);
            processes.push(Guarded::spawn(command)?);
            until_listening(here, "the emulator").await?;
            let emulated = Emulated::at(here);
            responses.insert(name.to_owned(), emulated.response.clone());
            let emulated = Function::new([emulated]);
            let paths = function.paths().into_iter();
            routes.extend(paths.map(|path| (path, emulated.clone())));
            timeouts.insert(name.to_owned(), timeout);
        }
        Ok(Self {
            gateway: Gateway::serve(listener, routes),
            dynamodb,
            folder,
            timeouts,
            responses,
            _processes: processes,
        })
    }

    /// The base URL of the gateway.
    pub fn url(&self) -> String {
        self.gateway.url()
    }

    /// The timeout of this function in the template.
    pub fn timeout(&self, function: &str) -> Duration {
        Duration::from_secs(self.timeouts.get(function).copied().unwrap_or_default())
    }

    /// The last response of this function's emulator, word for word.
    pub fn last(&self, function: &str) -> String {
        let response = self.responses.get(function);
        response.map_or_else(String::new, |it| it.lock().unwrap().clone())
    }

    /// Halts the processes of a function, so that it does nothing any more; returns
    /// how many there were.
    pub fn halt(&self, function: &str) -> usize {
        let bootstrap = self.folder.path().join(function).join("bootstrap");
        let processes = running(&bootstrap);
        let halted = processes
            .iter()
            .filter(|&&process| kill_process(process, Signal::STOP).is_ok());
        halted.count()
    }
}

/// The environment of a function, and nothing else of this machine's: what the
/// template declares, and what Lambda sets.
fn environment(
    function: &template::Function,
    local: &Local,
    timeout: u64,
) -> Result<BTreeMap<String, String>> {
    let mut environment = function.local_variables(local);
    let lambda = [
        ("BASE_PATH", BASE_PATH),
        ("AWS_LAMBDA_FUNCTION_NAME", function.binary),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_LOG_FORMAT", "JSON"),
        ("PATH", "/usr/local/bin:/usr/bin:/bin"),
    ];
    environment.extend(lambda.map(|(name, value)| (name.to_owned(), value.to_owned())));
    // CloudFormation's default.
    let memory = function.number("MemorySize", 128)?;
    let limits = [
        ("AWS_LAMBDA_FUNCTION_TIMEOUT", timeout),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", memory),
    ];
    environment.extend(limits.map(|(name, value)| (name.to_owned(), value.to_string())));
    Ok(environment)
}

/// A function under an emulator.
pub struct Emulated {
    client: Client,
    response: LastResponse,
}

impl Emulated {
    fn at(address: SocketAddr) -> Self {
        Self {
            client: Client::new(format!("http://{address}")),
            response: LastResponse::default(),
        }
    }

    /// The response to an event. The emulator's status is always 200; a failure of
    /// the function is in the body.
    async fn invoke(&self, event: &Value) -> Value {
        let path = "/2015-03-31/functions/function/invocations";
        let invocation = self
            .client
            .exchange(Method::POST, path, &[], event.to_string(), LIMIT);
        let response = invocation.await.map(|response| response.body);
        let text = String::from_utf8_lossy(&response.unwrap_or_default()).into_owned();
        self.response.lock().unwrap().clone_from(&text);
        serde_json::from_str(&text).unwrap_or_default()
    }
}

impl Instance for Emulated {
    fn invoke(&self, event: Value) -> BoxFuture<'_, Value> {
        async move { self.invoke(&event).await }.boxed()
    }
}

/// The processes that run this very file.
fn running(program: &PathBuf) -> Vec<Pid> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let runs = entries
        .filter(|entry| fs::read_link(entry.path().join("exe")).is_ok_and(|it| it == *program));
    runs.filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?))
        .collect()
}
