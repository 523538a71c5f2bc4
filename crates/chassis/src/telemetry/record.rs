//! What one invocation did, for its completion line, its metrics and its trace.

use std::{
    fmt::Write,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use super::{Trace, push_milliseconds};

/// The most spans of an invocation that are exported, so that a segment document
/// fits into one datagram.
const MAX_SPANS: usize = 100;

/// The record of one invocation. All contexts of a request share it.
#[derive(Debug)]
pub(crate) struct Record {
    /// When the invocation started.
    pub(crate) started: SystemTime,
    /// Whether it is the first of its process.
    pub(crate) cold_start: bool,
    /// Whether its caller left less time than Lambda does.
    pub(crate) is_shortened: bool,
    /// Whether its spans are exported.
    pub(crate) traced: bool,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    route: Option<Arc<str>>,
    timed_out: bool,
    caller: Option<String>,
    dependencies: Vec<(&'static str, Usage)>,
    counts: Vec<(&'static str, u64)>,
    spans: Vec<Span>,
}

/// A call that has ended, as a span of the trace.
#[derive(Debug, Clone)]
pub(crate) struct Span {
    pub(crate) trace: Trace,
    pub(crate) dependency: &'static str,
    pub(crate) operation: String,
    pub(crate) started: SystemTime,
    pub(crate) duration: Duration,
    pub(crate) status: Option<u16>,
    pub(crate) failed: bool,
}

/// What an invocation used of one dependency.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Usage {
    calls: u64,
    retries: u64,
    errors: u64,
    time: Duration,
    breaker_open: bool,
}

impl Record {
    /// The record of an invocation that starts now. `traced` is whether its spans are
    /// exported.
    pub(crate) fn new(traced: bool) -> Self {
        Self {
            started: SystemTime::now(),
            cold_start: false,
            is_shortened: false,
            traced,
            inner: Mutex::default(),
        }
    }

    /// Records the template of the route.
    pub(crate) fn set_route(&self, route: &Arc<str>) {
        self.lock().route = Some(Arc::clone(route));
    }

    /// Records a timeout that shows nothing about a dependency.
    pub(crate) fn time_out(&self) {
        self.lock().timed_out = true;
    }

    /// Whether a failure is its caller's doing: the time that the caller left ran out.
    pub(crate) fn is_hurried(&self) -> bool {
        self.is_shortened && self.lock().timed_out
    }

    /// Records the caller, by a hash.
    #[cfg(feature = "auth")]
    pub(crate) fn set_caller(&self, caller: String) {
        self.lock().caller = Some(caller);
    }

    /// The template of the route, or `unknown` where no route has the path.
    pub(crate) fn route(&self) -> Arc<str> {
        let route = self.lock().route.clone();
        route.unwrap_or_else(|| Arc::from("unknown"))
    }

    /// The hash of the caller, unless it is anonymous.
    pub(crate) fn caller(&self) -> Option<String> {
        self.lock().caller.clone()
    }

    /// Adds one to a counter.
    pub(crate) fn count(&self, name: &'static str) {
        let mut inner = self.lock();
        match inner.counts.iter_mut().find(|(known, _)| *known == name) {
            Some((_, count)) => *count += 1,
            None => inner.counts.push((name, 1)),
        }
    }

    /// Adds a call that has ended; `failed` is whether it showed that the dependency is
    /// unhealthy, or was abandoned.
    pub(crate) fn add_call(
        &self,
        span: impl FnOnce() -> Span,
        name: &'static str,
        time: Duration,
        failed: bool,
    ) {
        let mut inner = self.lock();
        let usage = inner.usage(name);
        usage.calls += 1;
        usage.errors += u64::from(failed);
        usage.time += time;
        if self.traced && inner.spans.len() < MAX_SPANS {
            inner.spans.push(span());
        }
    }

    /// Adds a retry.
    pub(crate) fn add_retry(&self, name: &'static str) {
        self.lock().usage(name).retries += 1;
    }

    /// Records that the circuit breaker is open.
    pub(crate) fn set_breaker_open(&self, name: &'static str) {
        self.lock().usage(name).breaker_open = true;
    }

    /// The names of the dependencies in use.
    pub(crate) fn dependencies(&self) -> Vec<&'static str> {
        let inner = self.lock();
        inner.dependencies.iter().map(|(name, _)| *name).collect()
    }

    /// The names of the counters that have counted.
    pub(crate) fn counts(&self) -> Vec<&'static str> {
        self.lock().counts.iter().map(|(name, _)| *name).collect()
    }

    /// Writes the counters and the usage of the dependencies as members of a JSON
    /// object, each with a comma in front.
    pub(crate) fn push_members(&self, json: &mut String) {
        let inner = self.lock();
        for (name, count) in &inner.counts {
            let _ = write!(json, ",\"{name}\":{count}");
        }
        for (name, usage) in &inner.dependencies {
            let Usage {
                calls,
                retries,
                errors,
                time,
                breaker_open,
            } = *usage;
            let _ = write!(
                json,
                ",\"{name}_calls\":{calls},\"{name}_retries\":{retries},\"{name}_errors\":{errors},\
                 \"{name}_ms\":"
            );
            push_milliseconds(json, time);
            let _ = write!(json, ",\"{name}_breaker_open\":{}", u8::from(breaker_open));
        }
    }

    /// Takes the spans of the calls.
    pub(crate) fn take_spans(&self) -> Vec<Span> {
        std::mem::take(&mut self.lock().spans)
    }

    /// The record is consistent between any two lines, so a panic elsewhere does
    /// not affect it.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn usage(&mut self, name: &'static str) -> &mut Usage {
        let known = self
            .dependencies
            .iter()
            .position(|(known, _)| *known == name);
        let index = known.unwrap_or_else(|| {
            self.dependencies.push((name, Usage::default()));
            self.dependencies.len() - 1
        });
        #[expect(clippy::indexing_slicing, reason = "it was found or pushed")]
        let (_, usage) = &mut self.dependencies[index];
        usage
    }
}
