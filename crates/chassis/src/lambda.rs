//! The Lambda event on its way in, and the answer on its way out.
//!
//! `lambda_http` does the translation. What it would panic at is corrected
//! here first: a panic outside the service is not a problem document but an
//! opaque 500 of the gateway.

use std::{convert::Infallible, mem};

use base64::{Engine, engine::general_purpose::STANDARD};
use dto::{Faults, Pointer};
use http::{HeaderValue, Uri, header::HOST};
use lambda_http::{
    Adapter, Body, LambdaEvent, aws_lambda_events::apigw::ApiGatewayV2httpRequest,
    request::LambdaRequest,
};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde::Serialize;
use tower::Service as _;
use url::Url;

use crate::{
    Problem, Service,
    event::{Event, Kind, UnsupportedEvent},
};

/// The longest request target that is followed. API Gateway itself takes at
/// most 10,240 bytes of request line and headers.
const LONGEST_TARGET: usize = 32 * 1024;

/// The route key of a gateway that hands on whatever comes, as `cargo lambda
/// watch` and a function's own URL do.
const ANY_ROUTE: &str = "$default";

/// What may not stand in a path as it is. An HTTP API decodes the path before it
/// puts it in the event, so anything may be in it.
const PATH: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// What may not stand in a query as it is.
const QUERY: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// What Lambda calls: the way from an event to an answer, the same for a
/// deployed function and for an event that a test replays.
#[derive(Clone)]
pub struct Handler {
    service: Service,
}

impl Handler {
    /// The handler of this service's events.
    #[must_use]
    pub fn new(service: Service) -> Self {
        Self { service }
    }

    /// The service that answers.
    #[must_use]
    pub fn service(&self) -> &Service {
        &self.service
    }

    /// Responds to an event, and logs one line for it.
    ///
    /// # Errors
    ///
    /// [`UnsupportedEvent`] where it is not one of an HTTP API. Whatever is
    /// wrong with an HTTP API event is a response.
    pub async fn handle(
        &self,
        event: LambdaEvent<Event>,
    ) -> Result<impl Serialize + std::fmt::Debug + use<>, UnsupportedEvent> {
        let LambdaEvent { payload, context } = event;
        let (mut request, mut refusal) = match payload.0 {
            Kind::Http(request) => (request, None),
            Kind::Malformed(read) => (read, Some("is not a valid HTTP API event".to_owned())),
            Kind::Unsupported(error) => {
                tracing::error!(
                    service = self.service.name(),
                    request_id = context.request_id,
                    "{error}"
                );
                return Err(error);
            }
        };
        if let Err(wrong) = correct(&mut request) {
            refusal.get_or_insert(wrong);
        }
        let refusal = refusal.map(|wrong| {
            let mut faults = Faults::new();
            faults.body(&Pointer::root(), wrong);
            Problem::malformed(faults)
        });
        let service = self.service.clone();
        let answer = tower::service_fn(move |request: lambda_http::Request| {
            let (service, refusal) = (service.clone(), refusal.clone());
            async move {
                let request = request.map(body);
                Ok::<_, Infallible>(match refusal {
                    Some(problem) => service.refuse(request, problem).await,
                    None => service.call(request).await,
                })
            }
        });
        let event = LambdaEvent::new(LambdaRequest::ApiGatewayV2(*request), context);
        // A service made of a function is always ready.
        let answered = Adapter::from(answer).call(event);
        match answered.await {
            Ok(answer) => Ok(answer),
            Err(never) => match never {},
        }
    }
}

fn body(body: Body) -> axum::body::Body {
    match body {
        Body::Text(text) => text.into(),
        Body::Binary(bytes) => bytes.into(),
        _ => axum::body::Body::empty(),
    }
}

/// Corrects all that `lambda_http` takes for granted.
///
/// # Errors
///
/// What is wrong with the event, in words to follow "the event"; what is left of
/// it is a request that can be answered.
fn correct(event: &mut ApiGatewayV2httpRequest) -> Result<(), String> {
    let path = event.raw_path.as_deref().unwrap_or_default();
    // An HTTP API whose routes have paths has decoded it, and what it holds now
    // begins no escape: decoded again, `%2541` would be the letter A.
    let path = match event.route_key.as_deref() {
        None | Some("" | ANY_ROUTE) => escape_percent(path),
        Some(_) => path.replace('%', "%25"),
    };
    let mut path = utf8_percent_encode(&path, PATH).to_string();
    if !path.starts_with('/') {
        path.insert(0, '/');
    }

    // An event written by hand may have the parameters alone.
    let query = match event.raw_query_string.take() {
        Some(query) if !query.is_empty() => query,
        _ => event.query_string_parameters.to_query_string(),
    };
    let mut query = utf8_percent_encode(&query, QUERY).to_string();

    let mut wrong = None;
    if path.len() + query.len() > LONGEST_TARGET {
        "/".clone_into(&mut path);
        query.clear();
        wrong = Some(format!(
            "has a path and query of more than {LONGEST_TARGET} bytes"
        ));
    }
    if event.is_base64_encoded
        && let Some(body) = &event.body
        && STANDARD.decode(body).is_err()
    {
        event.body = None;
        event.is_base64_encoded = false;
        wrong = Some("has a body that is not valid base64".to_owned());
    }

    // `lambda_http` puts a URL together from these. Only its path and its query
    // are read, so a host that would spoil it is left out.
    event.headers.remove("x-forwarded-proto");
    let host = event.headers.get(HOST).map(HeaderValue::to_str);
    if host.is_some_and(|host| !host.is_ok_and(|host| fits(host, &path))) {
        event.headers.remove(HOST);
    }
    let domain = mem::take(&mut event.request_context.domain_name);
    event.request_context.domain_name = domain.filter(|domain| fits(domain, &path));
    event.request_context.stage = None;

    event.raw_path = Some(path);
    event.raw_query_string = Some(query);
    wrong.map_or(Ok(()), Err)
}

/// Whether a URL of this host and path is one, and has this path still.
fn fits(host: &str, path: &str) -> bool {
    let url = |host| Url::parse(&format!("https://{host}{path}"));
    match (url(host), url("localhost")) {
        (Ok(url), Ok(plain)) => {
            url.path() == plain.path()
                && url.query().is_none()
                && url.as_str().parse::<Uri>().is_ok()
        }
        _ => false,
    }
}

/// Escapes each `%` that begins no escape.
fn escape_percent(path: &str) -> String {
    let mut escaped = String::with_capacity(path.len());
    for (at, c) in path.char_indices() {
        escaped.push(c);
        let hex = |n| {
            path.as_bytes()
                .get(at + n)
                .is_some_and(u8::is_ascii_hexdigit)
        };
        if c == '%' && !(hex(1) && hex(2)) {
            escaped.push_str("25");
        }
    }
    escaped
}
