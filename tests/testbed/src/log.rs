//! The log of what runs in a test, as a deployed function writes it.

use std::{
    io,
    sync::{Arc, Mutex},
};

use chassis::telemetry::json_lines;
use serde_json::Value;
use tracing_subscriber::{filter::Targets, layer::SubscriberExt};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The lines that a future logs on this thread, each a JSON object. `levels` are as
/// in `LOG_LEVELS`: `info`, or with targets `info,mysql=trace`.
pub async fn capture<T>(levels: &str, future: impl Future<Output = T>) -> (T, Vec<Value>) {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::registry()
        .with(levels.parse::<Targets>().unwrap())
        .with(json_lines(move || writer.clone()));
    let guard = tracing::subscriber::set_default(subscriber);
    let done = future.await;
    drop(guard);
    let text = log.0.lock().unwrap().clone();
    let lines = text.split(|&byte| byte == b'\n');
    let lines = lines.filter(|line| !line.is_empty());
    let lines = lines.map(|line| serde_json::from_slice(line).unwrap());
    (done, lines.collect())
}

/// Checks that a log has one problem, that of this request, with this cause.
#[track_caller]
pub fn expect_cause(lines: &[Value], request_id: &str, cause: &str) {
    let problems = lines.iter().filter(|line| line["message"] == "problem");
    let problems: Vec<_> = problems.collect();
    let [problem] = problems[..] else {
        panic!("{} problems are in the log", problems.len());
    };
    assert_eq!(problem["level"], "ERROR", "{problem}");
    assert_eq!(problem["request_id"], request_id, "{problem}");
    let logged = problem["cause"].as_str().unwrap_or_default();
    assert!(logged.contains(cause), "{problem}");
}
