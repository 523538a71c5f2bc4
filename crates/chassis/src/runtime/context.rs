//! What a handler knows of the invocation that it answers.

use std::{convert::Infallible, time::Duration};

use axum::extract::FromRequestParts;
use http::{HeaderName, Uri, request::Parts};
use lambda_http::{Context, RequestExt, request::RequestContext};

use crate::{Deadline, trace::Trace};

/// How much longer the caller waits, in milliseconds. It is relative, as
/// gRPC's `grpc-timeout` is, so that no clocks need to agree.
pub const REQUEST_DEADLINE: HeaderName = HeaderName::from_static("x-request-deadline");

/// The header of W3C Trace Context.
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The invocation that is being answered: what is handed on to calls out.
#[derive(Debug, Clone)]
pub struct Call {
    /// When the answer has to be ready.
    pub deadline: Deadline,
    /// The request's id: what the log and the problems have it under.
    pub request_id: String,
    /// The API that the request came in through, where a gateway told.
    pub api: Option<Uri>,
    /// The trace that the request is part of, with this service's span.
    pub trace: Trace,
}

impl Call {
    /// The same call with less time: one attempt of it.
    #[must_use]
    pub fn by(&self, deadline: Deadline) -> Self {
        Self {
            deadline,
            ..self.clone()
        }
    }

    /// What the Lambda event and its context say.
    pub(crate) fn of<B>(request: &http::Request<B>) -> Self {
        let context = request.lambda_context_ref();
        let header = |name| {
            request
                .headers()
                .get(name)
                .and_then(|value| value.to_str().ok())
        };
        let ours = Deadline::from_lambda(context.map_or(0, |context| context.deadline));
        // One that cannot be read asks for nothing.
        let theirs = header(REQUEST_DEADLINE).and_then(|ms| ms.trim().parse().ok());
        Self {
            deadline: theirs.map_or(ours, |ms| ours.for_caller(Duration::from_millis(ms))),
            trace: Trace::continued(header(TRACEPARENT)),
            request_id: context
                .map_or_else(String::new, |context: &Context| context.request_id.clone()),
            api: request.extensions().get().and_then(api_of),
        }
    }
}

/// The gateway names the domain it was reached by; unlike the `Host` header,
/// no client can choose it.
fn api_of(context: &RequestContext) -> Option<Uri> {
    match context {
        RequestContext::ApiGatewayV2(context) => {
            let domain = context.domain_name.as_deref()?;
            Uri::builder()
                .scheme("https")
                .authority(domain)
                .path_and_query("/")
                .build()
                .ok()
        }
        _ => None,
    }
}

impl<S: Sync> FromRequestParts<S> for Call {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts
            .extensions
            .get::<Self>()
            .cloned()
            .unwrap_or_else(|| Self {
                deadline: Deadline::from_lambda(0),
                request_id: String::new(),
                api: None,
                trace: Trace::new(),
            }))
    }
}
