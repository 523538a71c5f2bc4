//! Typed responses.

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{
    HeaderName, HeaderValue, StatusCode,
    header::{CONTENT_LOCATION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, LOCATION, VARY},
};
use json::Schema;
use serde::Serialize;

use super::idempotency::{IDEMPOTENCY_REPLAYED, Outcome, StoredResponse};
use super::openapi::{DescribeOutput, Operation};
use crate::Problem;

/// The media type of most responses.
const JSON: &str = "application/json";

/// A resource that has an address and an entity tag. It is serialized as its
/// representation.
pub trait Resource: Serialize {
    /// Its path.
    fn path(&self) -> String;

    /// Its strong entity tag, without the quotes.
    fn etag(&self) -> String;
}

/// 200 with a JSON body.
#[derive(Debug)]
pub struct Representation<T>(pub T);

/// 200 with the resource and its `ETag`.
#[derive(Debug)]
pub struct Tagged<R>(pub R);

/// 201 with the resource, its `ETag` and its `Location`.
#[derive(Debug)]
pub struct Created<R>(pub R);

/// The response to a `PUT`: with `Content-Location`.
#[derive(Debug)]
pub enum Written<R> {
    /// 201: the resource is new.
    Created(R),
    /// 200: the resource replaced another state.
    Replaced(R),
}

/// The response to a conditional `GET`.
#[derive(Debug)]
pub enum Fetched<R> {
    /// 200 with the resource.
    Modified(R),
    /// 304: the client has this state already.
    NotModified(R),
}

/// 200 with a list: `P`, such as a [`Page`](super::Page), or a text for clients
/// that prefer one.
#[derive(Debug)]
pub enum Listing<P> {
    /// `application/json`
    Json(P),
    /// `text/plain`, exactly.
    Text(&'static str),
}

/// 204 without a body.
#[derive(Debug)]
pub struct NoContent;

/// The response to a request with an `Idempotency-Key`: `R`, or the stored
/// response of the first request.
#[derive(Debug)]
pub struct Replayable<R> {
    response: StoredResponse,
    replayed: bool,
    first: std::marker::PhantomData<fn() -> R>,
}

impl<R> Replayable<R> {
    /// The stored response of the first request.
    #[must_use]
    pub fn replayed(response: StoredResponse) -> Self {
        Self {
            response,
            replayed: true,
            first: std::marker::PhantomData,
        }
    }

    /// The response to a request with this outcome: `response` if it was
    /// executed.
    #[must_use]
    pub fn new(response: StoredResponse, outcome: Outcome) -> Self {
        match outcome {
            Outcome::Replayed(first) => Self::replayed(first),
            Outcome::Executed => Self {
                response,
                replayed: false,
                first: std::marker::PhantomData,
            },
        }
    }
}

impl<R: Resource> Created<R> {
    /// The response as it is stored under an `Idempotency-Key`.
    ///
    /// # Errors
    ///
    /// If the resource cannot be written as JSON, which is a bug.
    pub fn to_stored(&self) -> Result<StoredResponse, serde_json::Error> {
        let Self(resource) = self;
        let header = |name: HeaderName, value: String| (name.as_str().to_owned(), value);
        Ok(StoredResponse {
            status: StatusCode::CREATED.as_u16(),
            headers: vec![
                header(CONTENT_TYPE, JSON.to_owned()),
                header(ETAG, format!("\"{}\"", resource.etag())),
                header(LOCATION, resource.path()),
            ],
            body: serde_json::to_string(resource)?,
        })
    }
}

impl<T: Serialize> IntoResponse for Representation<T> {
    fn into_response(self) -> Response {
        json(StatusCode::OK, JSON, &self.0)
    }
}

impl<R: Resource> IntoResponse for Tagged<R> {
    fn into_response(self) -> Response {
        represent(StatusCode::OK, &self.0)
    }
}

impl<R: Resource> IntoResponse for Created<R> {
    fn into_response(self) -> Response {
        match self.to_stored() {
            Ok(response) => response.into_response(),
            Err(error) => Problem::internal(error).into_response(),
        }
    }
}

impl<R: Resource> IntoResponse for Written<R> {
    fn into_response(self) -> Response {
        let (path, mut response) = match self {
            Self::Created(resource) => (resource.path(), Created(resource).into_response()),
            Self::Replaced(resource) => (resource.path(), Tagged(resource).into_response()),
        };
        insert(&mut response, CONTENT_LOCATION, &path);
        response
    }
}

impl<R: Resource> IntoResponse for Fetched<R> {
    fn into_response(self) -> Response {
        match self {
            Self::Modified(resource) => represent(StatusCode::OK, &resource),
            Self::NotModified(resource) => {
                let mut response = StatusCode::NOT_MODIFIED.into_response();
                tag(&mut response, &resource);
                response
            }
        }
    }
}

impl<P: Serialize> IntoResponse for Listing<P> {
    fn into_response(self) -> Response {
        let response = match self {
            Self::Json(list) => Representation(list).into_response(),
            Self::Text(content) => text(content),
        };
        vary(response, "Accept")
    }
}

impl IntoResponse for NoContent {
    fn into_response(self) -> Response {
        StatusCode::NO_CONTENT.into_response()
    }
}

impl<R> IntoResponse for Replayable<R> {
    fn into_response(self) -> Response {
        let mut response = self.response.into_response();
        if self.replayed {
            insert(&mut response, IDEMPOTENCY_REPLAYED, "true");
        }
        response
    }
}

/// A response with `body` as JSON of this media type. A body that cannot be
/// written as JSON is a bug, and a 500 problem.
#[must_use]
pub fn json(status: StatusCode, media_type: &'static str, body: &impl Serialize) -> Response {
    match serde_json::to_vec(body) {
        Ok(body) => {
            let mut response = typed(media_type, body);
            *response.status_mut() = status;
            response
        }
        Err(error) => Problem::internal(error).into_response(),
    }
}

/// A response with a text, exactly.
#[must_use]
pub fn text(text: impl Into<Body>) -> Response {
    typed("text/plain; charset=utf-8", text)
}

/// A response with an HTML page that may do what `content_security_policy`
/// allows.
#[must_use]
pub fn html(page: impl Into<Body>, content_security_policy: &'static str) -> Response {
    let mut response = typed("text/html; charset=utf-8", page);
    let policy = HeaderValue::from_static(content_security_policy);
    response
        .headers_mut()
        .insert(CONTENT_SECURITY_POLICY, policy);
    response
}

/// The response, which depends on the request's header `name`.
#[must_use]
pub fn vary(mut response: Response, name: &str) -> Response {
    insert(&mut response, VARY, name);
    response
}

fn typed(media_type: &'static str, body: impl Into<Body>) -> Response {
    let content_type = [(CONTENT_TYPE, HeaderValue::from_static(media_type))];
    (content_type, body.into()).into_response()
}

fn represent<R: Resource>(status: StatusCode, resource: &R) -> Response {
    let mut response = json(status, JSON, resource);
    if response.status() == status {
        tag(&mut response, resource);
    }
    response
}

fn tag<R: Resource>(response: &mut Response, resource: &R) {
    insert(response, ETAG, &format!("\"{}\"", resource.etag()));
}

/// Sets a header. A value that no header can hold is left out.
fn insert(response: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

impl<T: Schema> DescribeOutput for Representation<T> {
    fn describe(operation: &mut Operation) {
        let schema = operation.response_schema::<T>();
        operation.response(200, "The result.", &["Cache-Control"], &[(JSON, schema)]);
    }
}

impl<R: Schema> DescribeOutput for Tagged<R> {
    fn describe(operation: &mut Operation) {
        let schema = operation.response_schema::<R>();
        let headers = ["Cache-Control", "ETag"];
        operation.response(
            200,
            "The resource in its present state.",
            &headers,
            &[(JSON, schema)],
        );
    }
}

impl<R: Schema> DescribeOutput for Created<R> {
    fn describe(operation: &mut Operation) {
        let schema = operation.response_schema::<R>();
        let headers = ["Cache-Control", "ETag", "Location"];
        operation.response(
            201,
            "The resource, as it was created.",
            &headers,
            &[(JSON, schema)],
        );
    }
}

impl<R: Schema> DescribeOutput for Written<R> {
    fn describe(operation: &mut Operation) {
        Tagged::<R>::describe(operation);
        operation.response_header(200, "Content-Location");
        Created::<R>::describe(operation);
        operation.response_header(201, "Content-Location");
    }
}

impl<R: Schema> DescribeOutput for Fetched<R> {
    fn describe(operation: &mut Operation) {
        Tagged::<R>::describe(operation);
        let headers = ["Cache-Control", "ETag"];
        operation.response(304, "The client has this state already.", &headers, &[]);
    }
}

impl<P: Schema> DescribeOutput for Listing<P> {
    fn describe(operation: &mut Operation) {
        let page = operation.response_schema::<P>();
        let text = operation.response_schema::<String>();
        let content = [(JSON, page), ("text/plain", text)];
        operation.response(
            200,
            "A page of the list.",
            &["Cache-Control", "Vary"],
            &content,
        );
    }
}

impl DescribeOutput for NoContent {
    fn describe(operation: &mut Operation) {
        operation.response(204, "Done. There is no body.", &[], &[]);
    }
}

impl<R: DescribeOutput> DescribeOutput for Replayable<R> {
    fn describe(operation: &mut Operation) {
        R::describe(operation);
        operation.response_header(201, "Idempotency-Replayed");
    }
}
