//! Problems on their way out: the one place where a failure becomes an answer
//! (RFC 9457).

use std::error::Error;

use axum::response::{IntoResponse, Response};
use dto::{
    Fault, Faults,
    problem::{MEDIA_TYPE, ProblemDetails, ProblemType},
};
use http::{
    HeaderValue, StatusCode,
    header::{CONTENT_TYPE, HeaderName, RETRY_AFTER},
};
use std::sync::Arc;

/// A failure, with what the client may read apart from what only an operator
/// may.
#[derive(Debug, Clone)]
pub struct Problem {
    kind: ProblemType,
    detail: String,
    errors: Vec<Fault>,
    headers: Vec<(HeaderName, HeaderValue)>,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

impl Problem {
    /// A problem of this type; `detail` is what the client reads.
    pub fn new(kind: ProblemType, detail: impl Into<String>) -> Self {
        Self {
            kind,
            detail: detail.into(),
            errors: Vec::new(),
            headers: Vec::new(),
            source: None,
        }
    }

    /// 400, with every fault that keeps the request from being parsed.
    #[must_use]
    pub fn malformed(faults: Faults) -> Self {
        let problem = Self::new(
            ProblemType::MalformedRequest,
            "The request cannot be parsed: see errors.",
        );
        problem.with_errors(faults)
    }

    /// 422, with every fault of what the request says.
    #[must_use]
    pub fn invalid(faults: Faults) -> Self {
        let problem = Self::new(
            ProblemType::InvalidRequest,
            "The request is not valid: see errors.",
        );
        problem.with_errors(faults)
    }

    /// 503 with `Retry-After`, in seconds.
    pub fn unavailable(detail: impl Into<String>, retry_after_s: u64) -> Self {
        Self::new(ProblemType::ServiceUnavailable, detail)
            .with_header(RETRY_AFTER, HeaderValue::from(retry_after_s))
    }

    /// 500. The log has the source; the client learns nothing of it.
    pub fn internal(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(
            ProblemType::InternalError,
            "The service failed at this request. Its log has the reason under the request's id.",
        )
        .with_source(source)
    }

    /// The same, with a list of faults.
    #[must_use]
    pub fn with_errors(self, faults: Faults) -> Self {
        Self {
            errors: faults.into_vec(),
            ..self
        }
    }

    /// The same, with a header.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// The same, with what the log says and the client never sees.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(Arc::from(source.into()));
        self
    }

    /// The status that it is answered with.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.kind.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// What only an operator may read: the source and what caused it.
    pub(crate) fn cause(&self) -> Option<String> {
        let first: &(dyn Error + 'static) = self.source.as_deref()?;
        let causes = std::iter::successors(Some(first), |&error| error.source());
        Some(
            causes
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(": "),
        )
    }

    /// The answer's body and headers, for the request at `instance`.
    pub(crate) fn render(self, instance: &str, request_id: &str) -> Response {
        let status = self.status();
        let details = ProblemDetails {
            r#type: format!("/problems/{}", self.kind.slug()),
            title: self.kind.title().to_owned(),
            status: self.kind.status(),
            detail: self.detail,
            instance: instance.to_owned(),
            request_id: request_id.to_owned(),
            errors: self.errors,
        };
        let body = serde_json::to_vec(&details).unwrap_or_default();
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.extend(self.headers);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        response
    }
}

/// The problem rides in the response's extensions to the service's edge, which
/// knows the path and the request's id that belong in its body.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}
