//! Calls to other services: plain HTTP and JSON.

use std::{iter, time::Duration};

use bytes::Bytes;
use http::{
    Request, StatusCode, Uri,
    header::{ACCEPT, AUTHORIZATION, RETRY_AFTER},
    uri::{PathAndQuery, Scheme},
};
use http_body_util::Full;

use super::{CallLog, Classify, Connections, Failure, SendError};
use crate::{
    RequestContext,
    context::{REQUEST_DEADLINE, TRACEPARENT},
};

/// The most bytes of a response: what Lambda lets a function return.
const MAX_BYTES: usize = 6 * 1024 * 1024;

/// A client of the other services of this API. Clones share its connections.
#[derive(Debug, Clone)]
pub struct Client {
    dependency: &'static str,
    connections: Connections,
    api: Option<Uri>,
    forwards_token: bool,
}

/// The response of another service.
#[derive(Debug, Clone)]
pub struct Reply {
    /// Its status.
    pub status: StatusCode,
    /// Its body.
    pub body: Bytes,
    /// The time after which to retry, if the service sent one (`Retry-After` in
    /// seconds).
    pub retry_after: Option<Duration>,
}

/// Why there is no response.
#[derive(Debug, thiserror::Error)]
pub enum GetError {
    /// Neither the configuration nor the event contains the address of the API.
    #[error("the address of the API is unknown: set API_URL")]
    NoApi,
    /// The address is malformed.
    #[error("the address is malformed")]
    Address(#[from] http::Error),
    /// The other service did not respond.
    #[error(transparent)]
    Send(#[from] SendError),
    /// There was no response in time.
    #[error("no response in time")]
    Elapsed(#[from] tokio::time::error::Elapsed),
}

/// A retry of a `GET` is safe.
impl Classify for GetError {
    fn failure(&self) -> Failure {
        match self {
            Self::NoApi | Self::Address(_) | Self::Send(SendError::Request(_)) => Failure::Unsent,
            Self::Send(_) => Failure::Transient(None),
            Self::Elapsed(_) => Failure::Late(None),
        }
    }
}

impl Client {
    /// A client of the services behind `api`, or, where that is `None`, behind the
    /// API that the request came through. `connect` is the timeout for opening a
    /// connection. The log and the metrics call the services `dependency`.
    #[must_use]
    pub fn new(dependency: &'static str, api: Option<Uri>, connect: Duration) -> Self {
        Self {
            dependency,
            connections: Connections::to_public_hosts(connect),
            api,
            forwards_token: false,
        }
    }

    /// Calls on behalf of the caller: with the token of the request that is
    /// served, if it has one.
    #[must_use]
    pub fn forward_token(self) -> Self {
        Self {
            forwards_token: true,
            ..self
        }
    }

    /// Gets `target`, a path with its query, before the request's deadline. The
    /// other service gets the time that is left, and the trace.
    ///
    /// # Errors
    ///
    /// [`GetError`] if there is no response; a response of any status is one.
    pub async fn get(&self, ctx: &RequestContext, target: &str) -> Result<Reply, GetError> {
        let call = CallLog::start(ctx, self.dependency, operation(target));
        let reply = match self.address(ctx, target) {
            Ok(uri) => self.send(ctx, self.request(ctx, uri, &call)).await,
            Err(error) => Err(error),
        };
        call.end_with_status(&reply, |reply| reply.status.as_u16());
        reply
    }

    /// Gets a URL outside of this API, before the deadline. It gets neither the time that
    /// is left nor the trace.
    #[cfg(feature = "auth")]
    pub(crate) async fn get_url(&self, ctx: &RequestContext, url: &Uri) -> Result<Reply, GetError> {
        let call = CallLog::start(ctx, self.dependency, operation(url.path()));
        let reply = self.send(ctx, Request::get(url)).await;
        call.end_with_status(&reply, |reply| reply.status.as_u16());
        reply
    }

    /// The request to another service of this API.
    fn request(&self, ctx: &RequestContext, uri: Uri, call: &CallLog) -> http::request::Builder {
        let left = ctx.deadline.remaining().as_millis();
        let request = Request::get(uri)
            .header(REQUEST_DEADLINE, u64::try_from(left).unwrap_or(u64::MAX))
            .header(TRACEPARENT, call.trace().to_string());
        let token = ctx.authorization.as_ref().filter(|_| self.forwards_token);
        match token {
            Some(token) => request.header(AUTHORIZATION, token),
            None => request,
        }
    }

    async fn send(
        &self,
        ctx: &RequestContext,
        request: http::request::Builder,
    ) -> Result<Reply, GetError> {
        let request = request.header(ACCEPT, "application/json");
        let sent = self
            .connections
            .send(request.body(Full::default()), MAX_BYTES);
        let response = tokio::time::timeout_at(ctx.deadline.instant(), sent).await??;
        let retry_after = response.headers().get(RETRY_AFTER);
        let retry_after = retry_after.and_then(|value| value.to_str().ok()?.parse().ok());
        Ok(Reply {
            status: response.status(),
            retry_after: retry_after.map(Duration::from_secs),
            body: response.into_body(),
        })
    }

    fn address(&self, ctx: &RequestContext, target: &str) -> Result<Uri, GetError> {
        let api = self.api.clone().or_else(|| ctx.api());
        let api = api.ok_or(GetError::NoApi)?;
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

/// The operation for the log, without the values in the query: they may be
/// personal data.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_has_no_values_of_a_query() {
        assert_eq!(operation("/health/docs"), "GET /health/docs");
        assert_eq!(operation("/a?ids=1,2"), "GET /a?ids=…");
        assert_eq!(operation("/a?b=1&c"), "GET /a?b=…&c=…");
    }
}
