//! Problems: every response that is neither 2xx nor 3xx (RFC 9457).

use json::FieldError;
use serde::{Deserialize, Serialize};

/// The media type of a [`ProblemDetails`] body.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// The body of a problem response.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProblemDetails {
    /// A relative reference under `/problems/` to a page that explains it.
    pub r#type: String,
    /// The type's title, always the same for one type.
    pub title: String,
    /// The status of the response.
    pub status: u16,
    /// What is wrong with this request, for the person who sent it.
    pub detail: String,
    /// The path of the request.
    pub instance: String,
    /// The request's id: the log has more under it.
    pub request_id: String,
    /// Every validation error that was found; empty where there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
}

/// Declares the problem types: the one table of what is known about each.
macro_rules! problem_types {
    ($($name:ident = $slug:literal, $status:literal, $title:literal, $meaning:literal, $remedy:literal;)*) => {
        /// The types of problems.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum ProblemType {
            $(#[doc = concat!($status, ": ", $meaning)] $name,)*
        }

        impl ProblemType {
            /// Every type, by status.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The type's name under `/problems/`.
            #[must_use]
            pub fn slug(self) -> &'static str {
                match self { $(Self::$name => $slug,)* }
            }

            /// The status of its responses.
            #[must_use]
            pub fn status(self) -> u16 {
                match self { $(Self::$name => $status,)* }
            }

            /// Its title.
            #[must_use]
            pub fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }

            /// Its meaning.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$name => $meaning,)* }
            }

            /// What a client can do about it.
            #[must_use]
            pub fn remedy(self) -> &'static str {
                match self { $(Self::$name => $remedy,)* }
            }
        }
    };
}

problem_types! {
    MalformedRequest = "malformed-request", 400, "Malformed request",
        "The body is not JSON or nests too deep, a cursor does not belong to this list with these filters, or a header is malformed. Nothing has changed.",
        "Fix what `errors` lists. Use a cursor only with the filters it was returned for. The same request will fail again.";
    Unauthorized = "unauthorized", 401, "Unauthorized",
        "The request needs a bearer token and has none, or its token is not accepted: it is malformed, expired or not of this API's issuer. Nothing has changed.",
        "Get a token from the issuer and send it as `Authorization: Bearer …`. The header `WWW-Authenticate` of the response has the reason.";
    Forbidden = "forbidden", 403, "Forbidden",
        "The token is valid but lacks the scope that the request needs. Nothing has changed.",
        "Get a token with the scope that `detail` and the header `WWW-Authenticate` name.";
    UnknownPath = "unknown-path", 404, "Unknown path",
        "No route has this path.",
        "Look the path up in the documentation: /docs. Paths are case-sensitive and do not end with a slash.";
    NotFound = "not-found", 404, "Resource not found",
        "No resource has this id: it never existed, or it was deleted.",
        "Look the id up in the list. To create the resource, use the method that the documentation names.";
    MethodNotAllowed = "method-not-allowed", 405, "Method not allowed",
        "The path does not support this method.",
        "Use one of the methods that the header `Allow` lists.";
    Conflict = "conflict", 409, "Conflict",
        "The request is valid, but the state of the resource does not allow it, or the first request with its `Idempotency-Key` is still running. Nothing has changed.",
        "If the response has `Retry-After`, retry after as many seconds. Otherwise read the resource again and decide by its state.";
    PreconditionFailed = "precondition-failed", 412, "Precondition failed",
        "`If-Match` or `If-None-Match` does not hold: the resource has changed since it was read, or it exists already. Nothing has changed.",
        "Read the resource again, apply the change to its present state, and send it with the new `ETag`.";
    ContentTooLarge = "content-too-large", 413, "Content too large",
        "The body is larger than 256 KiB.",
        "Send less, or split it into several requests.";
    UnsupportedMediaType = "unsupported-media-type", 415, "Unsupported media type",
        "The body has a media type that is not supported here, has none, or has a content coding.",
        "Send it with a `Content-Type` that the header `Accept` of the response lists, in UTF-8 and without `Content-Encoding`.";
    InvalidRequest = "invalid-request", 422, "Invalid request",
        "The request can be parsed but is not valid: a field is missing, unknown, of the wrong type or out of bounds, a query parameter is wrong, an order names a product that does not exist, or an `Idempotency-Key` was used with another body. Nothing has changed.",
        "Fix all that `errors` lists, then send the request again.";
    InternalError = "internal-error", 500, "Internal error",
        "The service itself failed. Its log has the reason under the `requestId`.",
        "Retry once. If it fails again, report the `requestId` to the operator.";
    ServiceUnavailable = "service-unavailable", 503, "Service unavailable",
        "A store or a service that is needed is unavailable, or the time for the request ran out.",
        "Wait for as many seconds as the header `Retry-After` states, then retry. A write may have been done although its response was lost: repeat it with an `Idempotency-Key` or a precondition, or read first.";
}

impl json::Schema for ProblemDetails {
    fn schema(components: &mut json::schema::Components) -> json::schema::Json {
        let error = components.named("FieldError", |_| {
            json::schema::json!({
                "type": "object",
                "description": "A validation error. Exactly one of `pointer`, `parameter` and `header` is the location.",
                "properties": {
                    "pointer": { "type": "string", "description": "A place in the body, as a JSON pointer (RFC 6901); empty for the whole body." },
                    "parameter": { "type": "string", "description": "A query parameter, by its name." },
                    "header": { "type": "string", "description": "A header, by its name." },
                    "detail": { "type": "string", "description": "The rule that is broken there." },
                },
                "required": ["detail"],
                "oneOf": [
                    { "required": ["pointer"] },
                    { "required": ["parameter"] },
                    { "required": ["header"] },
                ],
            })
        });
        components.named("ProblemDetails", |_| {
            json::schema::json!({
                "type": "object",
                "description": "A problem (RFC 9457).",
                "properties": {
                    "type": { "type": "string", "format": "uri-reference", "description": "A reference to a page that explains the type." },
                    "title": { "type": "string", "description": "The type's title, always the same for one type." },
                    "status": { "type": "integer", "minimum": 400, "maximum": 599, "description": "The status of the response." },
                    "detail": { "type": "string", "description": "What is wrong with this request, for the person who sent it." },
                    "instance": { "type": "string", "description": "The path of the request." },
                    "requestId": { "type": "string", "description": "The request's id: the log has more under it." },
                    "errors": { "type": "array", "items": error, "description": "Every validation error that was found." },
                },
                "required": ["type", "title", "status", "detail", "instance", "requestId"],
            })
        })
    }
}
