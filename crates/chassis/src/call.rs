//! What a handler knows of the invocation that it answers.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use http::{Uri, request::Parts};
use lambda_http::{Context, RequestExt, request::RequestContext};

use crate::Deadline;

/// The invocation that is being answered: what is handed on to calls out.
#[derive(Debug, Clone)]
pub struct Call {
    /// When the answer has to be ready.
    pub deadline: Deadline,
    /// The request's id: what the log and the problems have it under.
    pub request_id: String,
    /// The API that the request came in through, where a gateway told.
    pub api: Option<Uri>,
}

impl Call {
    /// What the Lambda event and its context say.
    pub(crate) fn of<B>(request: &http::Request<B>) -> Self {
        let context = request.lambda_context_ref();
        Self {
            deadline: Deadline::from_lambda(context.map_or(0, |context| context.deadline)),
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
            }))
    }
}
