//! Where traces go: to X-Ray's daemon or to an `OpenTelemetry` collector.
//!
//! Nothing is collected for a trace that is not sampled, or without either.

use std::{
    net::{SocketAddr, UdpSocket},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use http::{Request, Uri, header::CONTENT_TYPE};
use http_body_util::Full;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::{Completed, Span, Trace, metrics::Metrics};
use crate::Environment;

/// The timeout of sending spans to a collector.
const TIMEOUT: Duration = Duration::from_secs(1);

/// The most requests to a collector at once. What does not fit is dropped, so that
/// a slow collector takes no memory.
const MAX_PENDING: usize = 8;

/// What a service's telemetry needs to know beyond its log.
#[derive(Debug)]
pub struct Telemetry {
    pub(crate) metrics: Metrics,
    pub(crate) exporter: Option<Exporter>,
}

impl Default for Telemetry {
    /// No traces, and the metrics in a namespace of Kea's own.
    fn default() -> Self {
        Self::new(None)
    }
}

impl Telemetry {
    /// Traces to this exporter, and the metrics in a namespace of Kea's own.
    #[must_use]
    pub fn new(exporter: Option<Exporter>) -> Self {
        Self {
            metrics: Metrics::default(),
            exporter,
        }
    }

    /// Reads the environment. A malformed variable is recorded there. Returns `None` if
    /// and only if `METRICS_NAMESPACE` is malformed.
    pub fn read(environment: &mut Environment) -> Option<Self> {
        let what = "the namespace of the metrics: letters, digits and .-_/#:";
        let metrics = environment.optional("METRICS_NAMESPACE", what, |name| {
            let allowed = |b: u8| b.is_ascii_alphanumeric() || b".-_/#:".contains(&b);
            let valid = name.len() <= 255 && name.bytes().all(allowed);
            valid.then(|| Metrics::new(name)).ok_or("it is not one")
        });
        let exporter = Exporter::read(environment);
        Some(Self {
            metrics: metrics?.unwrap_or_default(),
            exporter,
        })
    }
}

/// Sends spans. An endpoint of `OpenTelemetry` precedes X-Ray's daemon.
#[derive(Debug)]
pub enum Exporter {
    /// X-Ray's daemon: one datagram for each invocation, which costs microseconds
    /// and waits for nothing.
    XRay(UdpSocket),
    /// A collector: OTLP over HTTP, as JSON.
    Otlp(Box<Collector>),
}

/// A collector of `OpenTelemetry`.
#[derive(Debug)]
pub struct Collector {
    client: Client<HttpConnector, Full<Bytes>>,
    endpoint: Uri,
    pending: Arc<Semaphore>,
}

impl Exporter {
    /// Reads `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`, `OTEL_EXPORTER_OTLP_ENDPOINT` and
    /// `AWS_XRAY_DAEMON_ADDRESS`, which Lambda sets.
    fn read(environment: &mut Environment) -> Option<Self> {
        let set = |name| environment.look_up(name).ok().flatten();
        let traces = set("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT");
        let base = set("OTEL_EXPORTER_OTLP_ENDPOINT");
        let daemon = set("AWS_XRAY_DAEMON_ADDRESS");
        let base = base.map(|base| format!("{}/v1/traces", base.trim_end_matches('/')));
        let Some(endpoint) = traces.or(base) else {
            return Self::xray(daemon?.parse().ok()?);
        };
        match endpoint.parse::<Uri>() {
            Ok(uri) if uri.scheme_str() == Some("http") && uri.authority().is_some() => {
                Some(Self::otlp(uri))
            }
            _ => {
                environment.reject(
                    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT or OTEL_EXPORTER_OTLP_ENDPOINT is \
                     malformed: it must be the http URL of a collector, such as \
                     http://localhost:4318",
                );
                None
            }
        }
    }

    /// Sends spans to the X-Ray daemon at this address, if there is a socket for it.
    #[must_use]
    pub fn xray(daemon: SocketAddr) -> Option<Self> {
        let local: SocketAddr = if daemon.is_ipv4() {
            ([0, 0, 0, 0], 0).into()
        } else {
            ([0u16; 8], 0).into()
        };
        let socket = UdpSocket::bind(local).ok()?;
        socket.set_nonblocking(true).ok()?;
        socket.connect(daemon).ok()?;
        Some(Self::XRay(socket))
    }

    /// Sends spans to the collector at this URL.
    #[must_use]
    pub fn otlp(endpoint: Uri) -> Self {
        let client = Client::builder(TokioExecutor::new());
        Self::Otlp(Box::new(Collector {
            client: client.build_http(),
            endpoint,
            pending: Arc::new(Semaphore::new(MAX_PENDING)),
        }))
    }

    /// Sends the spans of an invocation. A trace may have gaps: what cannot be sent
    /// is dropped.
    pub(crate) fn send(&self, completed: &Completed<'_>, calls: &[Span]) {
        match self {
            Self::XRay(socket) => {
                let mut datagram = b"{\"format\":\"json\",\"version\":1}\n".to_vec();
                if serde_json::to_writer(&mut datagram, &Segment::of(completed, calls)).is_ok() {
                    let _ = socket.send(&datagram);
                }
            }
            Self::Otlp(collector) => collector.send(otlp(completed, calls).to_string()),
        }
    }
}

impl Collector {
    /// Starts to send, and does not wait. Where the process is suspended for longer than
    /// the timeout, the spans are usually lost.
    fn send(&self, body: String) {
        let Ok(permit) = Arc::clone(&self.pending).try_acquire_owned() else {
            return;
        };
        let request = Request::post(self.endpoint.clone()).header(CONTENT_TYPE, "application/json");
        let Ok(request) = request.body(Full::from(body)) else {
            return;
        };
        let sent = self.client.request(request);
        tokio::spawn(async move {
            if !matches!(tokio::time::timeout(TIMEOUT, sent).await, Ok(Ok(_))) {
                tracing::debug!("the spans were not sent");
            }
            drop(permit);
        });
    }
}

/// A request as a segment document, with its calls as subsegments.
/// Source: AWS X-Ray Developer Guide, "X-Ray segment documents".
#[derive(Serialize)]
struct Segment<'r> {
    name: &'r str,
    id: String,
    trace_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_id: Option<String>,
    /// `subsegment` where Lambda sends the segment of the function itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    r#type: Option<&'static str>,
    start_time: f64,
    end_time: f64,
    http: SegmentHttp<'r>,
    annotations: RequestAnnotations<'r>,
    fault: bool,
    error: bool,
    throttle: bool,
    subsegments: Vec<Subsegment<'r>>,
}

#[derive(Serialize)]
struct Subsegment<'r> {
    name: &'r str,
    id: String,
    start_time: f64,
    end_time: f64,
    namespace: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    http: Option<SegmentHttp<'r>>,
    annotations: CallAnnotations<'r>,
    fault: bool,
}

#[derive(Serialize)]
struct SegmentHttp<'r> {
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<SegmentRequest<'r>>,
    response: SegmentResponse,
}

#[derive(Serialize)]
struct SegmentRequest<'r> {
    method: &'r str,
}

#[derive(Serialize)]
struct SegmentResponse {
    status: u16,
}

#[derive(Serialize)]
struct RequestAnnotations<'r> {
    request_id: &'r str,
    route: &'r str,
}

#[derive(Serialize)]
struct CallAnnotations<'r> {
    operation: &'r str,
}

impl<'r> Segment<'r> {
    fn of(completed: &Completed<'r>, calls: &'r [Span]) -> Self {
        let Completed {
            trace,
            status,
            started,
            method,
            ..
        } = *completed;
        Self {
            name: completed.service,
            id: trace.span_id(),
            trace_id: trace.xray_id(),
            parent_id: trace.parent_id(),
            r#type: trace.is_within_lambda().then_some("subsegment"),
            start_time: seconds(started),
            end_time: seconds(started + completed.duration),
            http: SegmentHttp {
                request: Some(SegmentRequest { method }),
                response: SegmentResponse { status },
            },
            annotations: RequestAnnotations {
                request_id: completed.request_id,
                route: completed.route,
            },
            fault: status >= 500,
            error: (400..500).contains(&status),
            throttle: status == 429,
            subsegments: calls.iter().map(Subsegment::of).collect(),
        }
    }
}

impl<'r> Subsegment<'r> {
    fn of(call: &'r Span) -> Self {
        let http = |status| SegmentHttp {
            request: None,
            response: SegmentResponse { status },
        };
        Self {
            name: call.dependency,
            id: call.trace.span_id(),
            start_time: seconds(call.started),
            end_time: seconds(call.started + call.duration),
            namespace: "remote",
            http: call.status.map(http),
            annotations: CallAnnotations {
                operation: &call.operation,
            },
            fault: call.failed,
        }
    }
}

/// A request and its calls as spans of `OpenTelemetry`.
/// Source: OTLP 1.5, "JSON Protobuf Encoding"; semantic conventions for HTTP spans.
fn otlp(completed: &Completed<'_>, calls: &[Span]) -> Value {
    const SERVER: u8 = 2;
    const CLIENT: u8 = 3;
    let name = format!("{} {}", completed.method, completed.route);
    let attributes = json!([
        text("http.request.method", completed.method),
        text("http.route", completed.route),
        number("http.response.status_code", completed.status),
        text("faas.invocation_id", completed.request_id),
    ]);
    let failed = completed.status >= 500;
    let (started, duration) = (completed.started, completed.duration);
    let root = span(
        completed.trace,
        &name,
        SERVER,
        started,
        duration,
        failed,
        &attributes,
    );
    let calls = calls.iter().map(|call| {
        let mut attributes = vec![text("peer.service", call.dependency)];
        attributes.extend(
            call.status
                .map(|status| number("http.response.status_code", status)),
        );
        let (started, duration, failed) = (call.started, call.duration, call.failed);
        let attributes = attributes.into();
        span(
            call.trace,
            &call.operation,
            CLIENT,
            started,
            duration,
            failed,
            &attributes,
        )
    });
    let spans: Vec<_> = std::iter::once(root).chain(calls).collect();
    json!({
        "resourceSpans": [{
            "resource": { "attributes": [text("service.name", completed.service)] },
            "scopeSpans": [{ "scope": { "name": "chassis" }, "spans": spans }],
        }],
    })
}

fn span(
    trace: Trace,
    name: &str,
    kind: u8,
    started: SystemTime,
    duration: Duration,
    failed: bool,
    attributes: &Value,
) -> Value {
    let nanos = |at: SystemTime| {
        let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
        since.as_nanos().to_string()
    };
    json!({
        "traceId": trace.trace_id(),
        "spanId": trace.span_id(),
        "parentSpanId": trace.parent_id().unwrap_or_default(),
        "name": name,
        "kind": kind,
        "startTimeUnixNano": nanos(started),
        "endTimeUnixNano": nanos(started + duration),
        "attributes": attributes,
        "status": { "code": if failed { 2 } else { 0 } },
    })
}

fn text(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}

fn number(key: &str, value: u16) -> Value {
    json!({ "key": key, "value": { "intValue": value.to_string() } })
}

fn seconds(at: SystemTime) -> f64 {
    at.duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs_f64()
}
