//! Recorded requests, read from the log of a running system.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use testbed::{FUNCTIONS, log, routes};

use crate::sequence::{Asked, Peer, Request, Step};

/// The request that a future sends from outside, with its calls. All of the system
/// runs on this thread.
///
/// # Errors
///
/// There was not exactly one request, or a line of the log is missing.
pub async fn record<T>(sent: impl Future<Output = T>) -> Result<Request> {
    let of_functions = FUNCTIONS
        .iter()
        .map(|function| format!(",{function}=trace"));
    let levels = format!("chassis=trace{}", of_functions.collect::<String>());
    let (_, lines) = log::capture(&levels, sent).await;
    let routes = routes().await;
    let recording = Recording { lines, routes };
    let mut roots = recording.requests("");
    let root = roots.next().context("no request was recorded")?;
    ensure!(roots.next().is_none(), "more than one request was recorded");
    recording.request(root)
}

/// A member of a line of the log; empty if the line has none.
fn text<'l>(line: &'l Value, name: &str) -> &'l str {
    line.get(name).and_then(Value::as_str).unwrap_or_default()
}

struct Recording {
    lines: Vec<Value>,
    routes: BTreeMap<String, String>,
}

impl Recording {
    fn lines_of(&self, message: &str) -> impl Iterator<Item = (usize, &Value)> {
        let lines = self.lines.iter().enumerate();
        lines.filter(move |(_, line)| text(line, "message") == message)
    }

    /// The requests whose caller's span this is; those from outside for none.
    fn requests(&self, parent: &str) -> impl Iterator<Item = &Value> {
        let requests = self.lines_of("request").map(|(_, line)| line);
        requests.filter(move |line| text(line, "parent_id") == parent)
    }

    fn request(&self, line: &Value) -> Result<Request> {
        let status = line.get("status").and_then(Value::as_u64);
        Ok(Request {
            service: text(line, "function").to_owned(),
            operation: format!("{} {}", text(line, "method"), text(line, "route")),
            status: status.context("a request has no status")?,
            replayed: line.get("replays").is_some(),
            steps: self.steps(line)?,
        })
    }

    /// The calls of the service for the request of this line, in the order in which
    /// they began; concurrent calls are sorted by name.
    fn steps(&self, request: &Value) -> Result<Vec<Step>> {
        let starts: BTreeMap<_, _> = self
            .lines_of("call started")
            .map(|(at, line)| (text(line, "span_id"), at))
            .collect();
        let mut steps = Vec::new();
        for (end, line) in self.lines_of("call") {
            if text(line, "parent_id") == text(request, "span_id") {
                let begin = *starts
                    .get(text(line, "span_id"))
                    .context("a span ends that has not begun")?;
                steps.push((begin, end, Step::Asked(self.asked(line)?)));
            }
        }
        for (at, line) in self.lines.iter().enumerate() {
            let is_for_this = text(line, "request_id") == text(request, "request_id");
            if is_for_this && ["WARN", "ERROR"].contains(&text(line, "level")) {
                steps.push((at, at, Step::Warned(text(line, "message").to_owned())));
            }
        }
        steps.sort_by_key(|step| step.0);
        let mut done = Vec::new();
        let mut at_once: Vec<Asked> = Vec::new();
        let mut until = 0;
        for (begin, end, step) in steps {
            if begin > until {
                done.extend(together(std::mem::take(&mut at_once)));
            }
            until = until.max(end);
            if let Step::Asked(asked) = step {
                at_once.push(asked);
            } else {
                done.extend(together(std::mem::take(&mut at_once)));
                done.push(step);
            }
        }
        done.extend(together(at_once));
        Ok(done)
    }

    fn asked(&self, line: &Value) -> Result<Asked> {
        let operation = text(line, "operation").to_owned();
        let request = self.requests(text(line, "span_id")).next();
        let peer = match text(line, "dependency") {
            "catalogue" | "functions" => {
                // `GET /a?b=…`
                let path = operation.split([' ', '?']).nth(1).unwrap_or_default();
                let function = self.routes.get(path).cloned();
                function.map_or(Peer::Api, Peer::Function)
            }
            store => Peer::Store(store.to_owned()),
        };
        Ok(Asked {
            peer,
            operation,
            // Without its causes, which differ between machines.
            error: line
                .get("error")
                .and_then(Value::as_str)
                .and_then(|error| error.split(": ").next())
                .map(str::to_owned),
            request: request.map(|line| self.request(line)).transpose()?,
        })
    }
}

fn together(mut asked: Vec<Asked>) -> Option<Step> {
    asked.sort_by(|a, b| (&a.peer, &a.operation).cmp(&(&b.peer, &b.operation)));
    match asked.len() {
        0 => None,
        1 => asked.pop().map(Step::Asked),
        _ => Some(Step::AtOnce(asked)),
    }
}
