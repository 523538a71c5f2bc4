//! Problems: every answer that is neither 2xx nor 3xx (RFC 9457).

use serde::{Deserialize, Serialize};

use crate::Fault;

/// The media type of a [`ProblemDetails`] body.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// A problem, as it travels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProblemDetails {
    /// A relative reference under `/problems/`, which answers with a page that
    /// explains it.
    #[cfg_attr(feature = "openapi", schema(format = "uri-reference"))]
    pub r#type: String,
    /// The type in a few words, always the same for one type.
    pub title: String,
    /// The status of the answer.
    #[cfg_attr(feature = "openapi", schema(minimum = 400, maximum = 599))]
    pub status: u16,
    /// What went wrong this time, in words for the person who sent the request.
    pub detail: String,
    /// The path that was requested.
    pub instance: String,
    /// The request's id: the log has what happened under it.
    pub request_id: String,
    /// Every fault found, where the request was at fault.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<crate::openapi::Fault>, required = false, min_items = 1, max_items = 1_001))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<Fault>,
}

/// The kinds of problems there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProblemType {
    /// 400: the request cannot be parsed: its JSON, its cursor or a header.
    MalformedRequest,
    /// 404: no route has this path.
    UnknownPath,
    /// 404: there is nothing by this id.
    NotFound,
    /// 405: the path does not have this method; `Allow` has those it does.
    MethodNotAllowed,
    /// 409: the resource is in a state that does not allow it.
    Conflict,
    /// 412: a precondition of the request does not hold.
    PreconditionFailed,
    /// 413: the body is larger than 256 KiB.
    ContentTooLarge,
    /// 415: the body is not of a media type that is read here.
    UnsupportedMediaType,
    /// 422: the request can be parsed, and what it says cannot be done.
    InvalidRequest,
    /// 500: a fault of the service's own.
    InternalError,
    /// 503: something that is needed is away; `Retry-After` says when to try.
    ServiceUnavailable,
}

impl ProblemType {
    /// Every type, by status.
    pub const ALL: [Self; 11] = [
        Self::MalformedRequest,
        Self::UnknownPath,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::Conflict,
        Self::PreconditionFailed,
        Self::ContentTooLarge,
        Self::UnsupportedMediaType,
        Self::InvalidRequest,
        Self::InternalError,
        Self::ServiceUnavailable,
    ];

    /// Its name under `/problems/`.
    #[must_use]
    pub fn slug(self) -> &'static str {
        match self {
            Self::MalformedRequest => "malformed-request",
            Self::UnknownPath => "unknown-path",
            Self::NotFound => "not-found",
            Self::MethodNotAllowed => "method-not-allowed",
            Self::Conflict => "conflict",
            Self::PreconditionFailed => "precondition-failed",
            Self::ContentTooLarge => "content-too-large",
            Self::UnsupportedMediaType => "unsupported-media-type",
            Self::InvalidRequest => "invalid-request",
            Self::InternalError => "internal-error",
            Self::ServiceUnavailable => "service-unavailable",
        }
    }

    /// The status that it is answered with.
    #[must_use]
    pub fn status(self) -> u16 {
        match self {
            Self::MalformedRequest => 400,
            Self::UnknownPath | Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::Conflict => 409,
            Self::PreconditionFailed => 412,
            Self::ContentTooLarge => 413,
            Self::UnsupportedMediaType => 415,
            Self::InvalidRequest => 422,
            Self::InternalError => 500,
            Self::ServiceUnavailable => 503,
        }
    }

    /// Its title.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::MalformedRequest => "The request cannot be parsed",
            Self::UnknownPath => "There is nothing at this path",
            Self::NotFound => "There is nothing by this id",
            Self::MethodNotAllowed => "The path does not have this method",
            Self::Conflict => "The state of the resource does not allow it",
            Self::PreconditionFailed => "A precondition does not hold",
            Self::ContentTooLarge => "The body is too large",
            Self::UnsupportedMediaType => "The media type is not read here",
            Self::InvalidRequest => "The request is not valid",
            Self::InternalError => "The service failed",
            Self::ServiceUnavailable => "Something that is needed is away",
        }
    }
}
