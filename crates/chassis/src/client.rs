//! Calls to other services: plain HTTP and JSON.

use std::{iter, time::Duration};

use bytes::Bytes;
use http::{
    Request, StatusCode, Uri,
    header::{ACCEPT, RETRY_AFTER},
    uri::{PathAndQuery, Scheme},
};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client as Pool, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};

use crate::{
    Call,
    call::{REQUEST_DEADLINE, TRACEPARENT},
    resilience::{Classify, Failure},
    span::Span,
};

/// What the other services are called in the log.
const NAME: &str = "api";

/// The most bytes of an answer: what Lambda lets a function return.
const MOST_BYTES: usize = 6 * 1024 * 1024;

/// A client of the other services of this API. One for the process: it keeps
/// its connections.
#[derive(Debug, Clone)]
pub struct Client {
    pool: Pool<HttpsConnector<HttpConnector>, Empty<Bytes>>,
    api: Option<Uri>,
}

/// What another service answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its body.
    pub body: Bytes,
    retry_after: Option<Duration>,
}

impl Answer {
    /// When the other service said to come back (`Retry-After`, in seconds;
    /// none of ours gives a date).
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum GetError {
    /// Neither the configuration nor the event says where the API is.
    #[error("it is not known where the API is: set API_URL")]
    NoApi,
    /// The address cannot be put together.
    #[error("the address is malformed")]
    Address(#[from] http::Error),
    /// No connection, or one that broke.
    #[error("the call failed")]
    Connection(#[from] hyper_util::client::legacy::Error),
    /// The answer broke off or is too large.
    #[error("the answer could not be read")]
    Body(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// No answer in the time there was.
    #[error("no answer in time")]
    Elapsed(#[from] tokio::time::error::Elapsed),
}

/// A retry of a `GET` is safe.
impl Classify for GetError {
    fn failure(&self) -> Failure {
        match self {
            Self::NoApi | Self::Address(_) => Failure::Unsent,
            Self::Connection(_) | Self::Body(_) => Failure::Transient(None),
            Self::Elapsed(_) => Failure::Late(None),
        }
    }
}

impl Client {
    /// A client of the services behind `api`; where it is not given, of those
    /// behind the API that the request being answered came in through. A
    /// connection may take so long as `connect` to be there.
    #[must_use]
    pub fn new(api: Option<Uri>, connect: Duration) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(connect));
        let connector = HttpsConnectorBuilder::new()
            .with_webpki_roots()
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        let pool = Pool::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            // A frozen function wakes to connections that were closed long ago.
            .pool_idle_timeout(Duration::from_secs(20))
            .build(connector);
        Self { pool, api }
    }

    /// Gets `target`, a path with its query, before the call's deadline. The other
    /// service is told what is left of it, and which trace it is part of.
    ///
    /// # Errors
    ///
    /// [`GetError`] where there is no answer; an answer of any status is one.
    pub async fn get(&self, call: &Call, target: &str) -> Result<Answer, GetError> {
        let span = Span::begin(NAME, operation(target));
        let answer = self.ask(call, target, &span).await;
        span.end_with(&answer, |answer| answer.status);
        answer
    }

    async fn ask(&self, call: &Call, target: &str, span: &Span) -> Result<Answer, GetError> {
        let deadline = call.deadline;
        let uri = self.address(call, target)?;
        let left = u64::try_from(deadline.remaining().as_millis()).unwrap_or(u64::MAX);
        let request = Request::get(uri)
            .header(ACCEPT, "application/json")
            .header(REQUEST_DEADLINE, left)
            .header(TRACEPARENT, span.trace().to_string())
            .body(Empty::new())?;
        tokio::time::timeout_at(deadline.instant(), async {
            let (head, body) = self.pool.request(request).await?.into_parts();
            let body = Limited::new(body, MOST_BYTES).collect().await;
            let retry_after = head
                .headers
                .get(RETRY_AFTER)
                .and_then(|value| value.to_str().ok());
            Ok(Answer {
                status: head.status,
                retry_after: retry_after
                    .and_then(|s| s.parse().ok())
                    .map(Duration::from_secs),
                body: body.map_err(GetError::Body)?.to_bytes(),
            })
        })
        .await?
    }

    fn address(&self, call: &Call, target: &str) -> Result<Uri, GetError> {
        let api = self
            .api
            .as_ref()
            .or(call.api.as_ref())
            .ok_or(GetError::NoApi)?;
        let authority = api.authority().ok_or(GetError::NoApi)?;
        let prefix = api.path().trim_end_matches('/');
        let target: PathAndQuery = format!("{prefix}{target}")
            .parse()
            .map_err(http::Error::from)?;
        Ok(Uri::builder()
            .scheme(api.scheme().cloned().unwrap_or(Scheme::HTTPS))
            .authority(authority.clone())
            .path_and_query(target)
            .build()?)
    }
}

/// What is asked, as the log has it: a value in a query may be anybody's.
fn operation(target: &str) -> String {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut operation = format!("GET {path}");
    for (parameter, mark) in query
        .split('&')
        .zip(iter::once('?').chain(iter::repeat('&')))
    {
        let name = parameter.split('=').next().unwrap_or(parameter);
        if !name.is_empty() {
            operation.extend([mark]);
            operation.push_str(name);
            operation.push_str("=…");
        }
    }
    operation
}

/// Reads the base URL of an API from the environment.
///
/// # Errors
///
/// In words, if it is no absolute http or https URL.
pub fn parse_api_url(text: &str) -> Result<Uri, String> {
    let uri: Uri = text
        .parse()
        .map_err(|error: http::uri::InvalidUri| error.to_string())?;
    match uri.scheme_str() {
        Some("http" | "https") if uri.authority().is_some() && uri.query().is_none() => Ok(uri),
        _ => Err("it is not an http or https URL".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_has_no_value_of_a_query() {
        assert_eq!(operation("/health/docs"), "GET /health/docs");
        assert_eq!(operation("/a?ids=1,2"), "GET /a?ids=…");
        assert_eq!(operation("/a?b=1&c"), "GET /a?b=…&c=…");
    }
}
