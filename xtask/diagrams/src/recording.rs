//! Recorded requests, read from the log of a running system.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, LazyLock, Mutex},
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use testbed::{FUNCTIONS, routes};
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id},
};
use tracing_subscriber::{
    Layer,
    layer::{Context as LayerContext, SubscriberExt},
    registry::LookupSpan,
};

use crate::sequence::{Asked, Peer, Request, Step};

/// A line of the log: its message, its fields and those of its spans.
type Line = BTreeMap<String, String>;

/// The log of everything in this process, from the first recording on.
static LOG: LazyLock<Log> = LazyLock::new(|| {
    let log = Log::default();
    let subscriber = tracing_subscriber::registry().with(log.clone());
    tracing::subscriber::set_global_default(subscriber).expect("there is no other subscriber");
    log
});

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<Line>>>);

impl<S: Subscriber + for<'s> LookupSpan<'s>> Layer<S> for Log {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: LayerContext<'_, S>) {
        let mut fields = Line::new();
        attributes.record(&mut Fields(&mut fields));
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: LayerContext<'_, S>) {
        let target = event
            .metadata()
            .target()
            .split("::")
            .next()
            .unwrap_or_default();
        if target != "chassis" && !FUNCTIONS.contains(&target) {
            return;
        }
        let mut line = Line::from([("level".to_owned(), event.metadata().level().to_string())]);
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(fields) = span.extensions().get::<Line>() {
                line.extend(fields.clone());
            }
        }
        event.record(&mut Fields(&mut line));
        self.0.lock().unwrap().push(line);
    }
}

struct Fields<'l>(&'l mut Line);

impl Visit for Fields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() != "members" {
            self.0.insert(field.name().to_owned(), value.to_owned());
            return;
        }
        // Members of a JSON object, each with a comma in front.
        let object = format!("{{{}}}", value.trim_start_matches(','));
        let members: BTreeMap<String, Value> = serde_json::from_str(&object).unwrap_or_default();
        self.0.extend(members.into_iter().map(|(name, value)| {
            let text = value.as_str().map(str::to_owned);
            (name, text.unwrap_or_else(|| value.to_string()))
        }));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}"));
    }
}

/// Begins a recording; discards earlier lines of the log.
pub fn begin() {
    LOG.0.lock().unwrap().clear();
}

/// The request that was received from outside since [`begin`], with its calls.
///
/// # Errors
///
/// There was not exactly one request, or a line of the log is missing.
pub async fn end() -> Result<Request> {
    let lines = std::mem::take(&mut *LOG.0.lock().unwrap());
    let routes = routes().await;
    let recording = Recording { lines, routes };
    let mut roots = recording.requests(None);
    let root = roots.next().context("no request was recorded")?;
    ensure!(roots.next().is_none(), "more than one request was recorded");
    recording.request(root)
}

struct Recording {
    lines: Vec<Line>,
    routes: BTreeMap<String, String>,
}

impl Recording {
    fn lines_of(&self, message: &str) -> impl Iterator<Item = (usize, &Line)> {
        let lines = self.lines.iter().enumerate();
        lines.filter(move |(_, line)| line["message"] == message)
    }

    /// The requests whose caller's span this is.
    fn requests(&self, parent: Option<&str>) -> impl Iterator<Item = &Line> {
        let requests = self.lines_of("request").map(|(_, line)| line);
        requests.filter(move |line| line.get("parent_id").map(String::as_str) == parent)
    }

    fn request(&self, line: &Line) -> Result<Request> {
        Ok(Request {
            service: line["function"].clone(),
            operation: format!("{} {}", line["method"], line["route"]),
            status: line["status"].parse()?,
            replayed: line.contains_key("replays"),
            steps: self.steps(line)?,
        })
    }

    /// The calls of the service for the request of this line, in the order in which
    /// they began; concurrent calls are sorted by name.
    fn steps(&self, request: &Line) -> Result<Vec<Step>> {
        let starts: BTreeMap<_, _> = self
            .lines_of("call started")
            .map(|(at, line)| (&line["span_id"], at))
            .collect();
        let mut steps: Vec<(usize, usize, Option<Asked>, String)> = Vec::new();
        for (end, line) in self.lines_of("call") {
            if line.get("parent_id") == request.get("span_id") {
                let begin = *starts
                    .get(&line["span_id"])
                    .context("a span ends that has not begun")?;
                steps.push((begin, end, Some(self.asked(line)?), String::new()));
            }
        }
        for (at, line) in self.lines.iter().enumerate() {
            let is_for_this = line.get("request_id") == request.get("request_id");
            let is_loud = [Level::WARN, Level::ERROR]
                .map(|it| it.to_string())
                .contains(&line["level"]);
            if is_for_this && is_loud {
                steps.push((at, at, None, line["message"].clone()));
            }
        }
        steps.sort_by_key(|step| step.0);
        let mut done = Vec::new();
        let mut at_once: Vec<Asked> = Vec::new();
        let mut until = 0;
        for (begin, end, asked, warned) in steps {
            if begin > until {
                done.extend(together(std::mem::take(&mut at_once)));
            }
            until = until.max(end);
            if let Some(asked) = asked {
                at_once.push(asked);
            } else {
                done.extend(together(std::mem::take(&mut at_once)));
                done.push(Step::Warned(warned));
            }
        }
        done.extend(together(at_once));
        Ok(done)
    }

    fn asked(&self, line: &Line) -> Result<Asked> {
        let operation = line["operation"].clone();
        let request = self.requests(Some(&line["span_id"])).next();
        let peer = match line["dependency"].as_str() {
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
