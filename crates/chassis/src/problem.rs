//! Problems: the one place where a failure becomes a response (RFC 9457).

use std::{error::Error, sync::Arc, time::Duration};

use axum::response::{IntoResponse, Response};
use dto::problem::{MEDIA_TYPE, ProblemDetails, ProblemType};
use http::{
    HeaderValue, StatusCode,
    header::{CONTENT_TYPE, HeaderName, RETRY_AFTER, WWW_AUTHENTICATE},
};
use json::{FieldError, FieldErrors};

/// A failure: what the client may read, and what only an operator may.
#[derive(Debug, Clone)]
pub struct Problem {
    kind: ProblemType,
    detail: String,
    errors: Vec<FieldError>,
    headers: Vec<(HeaderName, HeaderValue)>,
    out_of_time: bool,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

impl Problem {
    /// A problem of this type; `detail` is for the client.
    pub fn new(kind: ProblemType, detail: impl Into<String>) -> Self {
        Self {
            kind,
            detail: detail.into(),
            errors: Vec::new(),
            headers: Vec::new(),
            out_of_time: false,
            source: None,
        }
    }

    /// 400: the request cannot be parsed.
    #[must_use]
    pub fn malformed(errors: FieldErrors) -> Self {
        let detail = "The request cannot be parsed; see errors.";
        Self::new(ProblemType::MalformedRequest, detail).with_errors(errors)
    }

    /// 401 (RFC 6750 §3). `invalid` is what is wrong with the token; `None` if there
    /// is no token.
    #[must_use]
    pub fn unauthorized(invalid: Option<&'static str>) -> Self {
        let (detail, error) = match invalid {
            None => (
                "This needs a bearer token in the header Authorization.".to_owned(),
                String::new(),
            ),
            Some(invalid) => (
                format!("The bearer token is not accepted: {invalid}."),
                format!(", error=\"invalid_token\", error_description=\"{invalid}\""),
            ),
        };
        Self::new(ProblemType::Unauthorized, detail).with_challenge(&error)
    }

    /// 403: the caller's token has none of these scopes, of which one is enough.
    #[must_use]
    pub fn missing_scope(scopes: &[&str]) -> Self {
        let detail = format!("The token lacks the scope {}.", scopes.join(" or "));
        // A list would mean that all of them are required (RFC 6750 §3).
        let scope = scopes.first().copied().unwrap_or_default();
        Self::new(ProblemType::Forbidden, detail).with_challenge(&format!(
            ", error=\"insufficient_scope\", scope=\"{scope}\""
        ))
    }

    /// Adds the challenge of bearer tokens with these further parameters.
    fn with_challenge(self, parameters: &str) -> Self {
        match HeaderValue::from_str(&format!("Bearer realm=\"api\"{parameters}")) {
            Ok(challenge) => self.with_header(WWW_AUTHENTICATE, challenge),
            Err(_) => self,
        }
    }

    /// 404: no resource has the id in the path.
    #[must_use]
    pub fn not_found() -> Self {
        Self::new(ProblemType::NotFound, "No resource has this id.")
    }

    /// 412: a precondition does not hold.
    #[must_use]
    pub fn precondition_failed() -> Self {
        let detail = "The resource is not in a state that If-Match or If-None-Match allows. \
                      Nothing has changed.";
        Self::new(ProblemType::PreconditionFailed, detail)
    }

    /// 422: the request is not valid.
    #[must_use]
    pub fn invalid(errors: FieldErrors) -> Self {
        let detail = "The request is not valid; see errors.";
        Self::new(ProblemType::InvalidRequest, detail).with_errors(errors)
    }

    /// 503 with `Retry-After`: this time in seconds, rounded up, and at least one.
    pub fn unavailable(detail: impl Into<String>, retry_after: Duration) -> Self {
        let fraction = u64::from(retry_after.subsec_nanos() > 0);
        let seconds = (retry_after.as_secs() + fraction).max(1);
        Self::new(ProblemType::ServiceUnavailable, detail)
            .with_header(RETRY_AFTER, HeaderValue::from(seconds))
    }

    /// 503: each attempt until the deadline met other requests that write the same data.
    #[must_use]
    pub fn contended() -> Self {
        let detail = "Other requests are writing the same data. Nothing has changed.";
        Self {
            out_of_time: true,
            ..Self::unavailable(detail, Duration::ZERO)
        }
    }

    /// 503: a store's response was lost, and the write may have been executed and then
    /// followed by another, so it is not repeated.
    #[must_use]
    pub fn outcome_unknown() -> Self {
        let detail = "The database's response was lost, so it is unknown whether this request was \
                      executed. Read the resource before you send the request again.";
        Self::unavailable(detail, Duration::ZERO)
    }

    /// 500. The source is for the log alone.
    pub fn internal(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let detail = "The service failed. Its log has the reason under the request's id.";
        Self::new(ProblemType::InternalError, detail).with_source(source)
    }

    /// Sets the validation errors.
    #[must_use]
    pub(crate) fn with_errors(self, errors: FieldErrors) -> Self {
        Self {
            errors: errors.into_vec(),
            ..self
        }
    }

    /// Adds a header.
    #[must_use]
    pub(crate) fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Sets the source, which only the log has.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(Arc::from(source.into()));
        self
    }

    /// Whether the time of the request ran out, and nothing else is known to be wrong.
    pub(crate) fn is_out_of_time(&self) -> bool {
        self.out_of_time
    }

    /// Its type.
    pub(crate) fn kind(&self) -> ProblemType {
        self.kind
    }

    /// The status of the response.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.kind.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The detail that the client reads.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// The source with its causes, for the log.
    pub(crate) fn cause(&self) -> Option<String> {
        self.source
            .as_deref()
            .map(|source| crate::error_chain(source))
    }

    /// Makes it the body of `response`, to the request at the path `instance`;
    /// `base_path` is in front of every path of the API.
    pub(crate) fn render(
        self,
        response: &mut Response,
        base_path: &str,
        instance: &str,
        request_id: &str,
    ) {
        // A reference that starts with `//` would name a host (RFC 3986 §4.2).
        let is_host = base_path.is_empty() && instance.starts_with("//");
        let dot = if is_host { "/." } else { "" };
        let details = ProblemDetails {
            r#type: format!("{base_path}/problems/{}", self.kind.slug()),
            title: self.kind.title().to_owned(),
            status: self.kind.status(),
            detail: self.detail,
            instance: format!("{base_path}{dot}{instance}"),
            request_id: request_id.to_owned(),
            errors: self.errors,
        };
        *response.body_mut() = serde_json::to_vec(&details).unwrap_or_default().into();
        let headers = response.headers_mut();
        headers.extend(self.headers);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    }
}

/// The problem is in the response's extensions until the service renders it: the
/// service knows the path and the request's id.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}
