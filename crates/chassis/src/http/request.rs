//! The parts of a request, read with every error reported.

use std::str::FromStr;

use axum::{
    body::Body,
    extract::{FromRequest, FromRequestParts, RawPathParams},
};
use bytes::Bytes;
use dto::problem::ProblemType;
use http::{HeaderMap, Method};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use json::{FieldErrors, Schema};

use super::{
    openapi::{DescribeInput, Operation},
    query::{FromQuery, Query},
};
use crate::{Problem, RequestContext, auth::Caller};

/// The most bytes of a request's body: 256 KiB.
pub(crate) const MAX_BODY_BYTES: usize = 256 * 1024;

/// The parts of a request: one [`Part`], or a tuple of several.
///
/// All parts are read before an error is returned, so that the problem reports
/// every error of all of them. The first of these is reported: 413, 415, 400,
/// 422, and 404 for an id that no resource can have. A query parameter that no
/// part reads is a 422.
#[derive(Debug)]
pub struct Request<P>(pub P);

impl<P: Part, S: Send + Sync> FromRequest<S> for Request<P> {
    type Rejection = Problem;

    async fn from_request(request: axum::extract::Request, state: &S) -> Result<Self, Problem> {
        let mut incoming = Incoming::receive(request, state).await?;
        let mut errors = RequestErrors::default();
        let parts = P::read(&mut incoming, &mut errors);
        incoming.query.finish(&mut errors.invalid);
        errors.finish(parts).map(Self)
    }
}

impl<P: Part> DescribeInput for Request<P> {
    fn describe(operation: &mut Operation) {
        P::describe(operation);
        if !operation.any_query {
            operation.problem(ProblemType::InvalidRequest);
        }
    }
}

/// A part of a request that a handler reads.
pub trait Part: Sized {
    /// Reads the part.
    ///
    /// Returns `None` if and only if it has added an error to `errors`.
    fn read(request: &mut Incoming, errors: &mut RequestErrors) -> Option<Self>;

    /// Adds the part to an operation of the OpenAPI document, with the problems
    /// that it can cause.
    fn describe(_operation: &mut Operation) {}
}

/// A request that was received and is not read yet.
#[derive(Debug)]
pub struct Incoming {
    /// The request context.
    pub ctx: RequestContext,
    /// The method.
    pub method: Method,
    /// The path, as it is routed.
    pub path: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The caller, unless the route is public.
    pub caller: Option<Caller>,
    /// The query parameters.
    pub query: Query,
    pub(super) body: Bytes,
    /// The path parameter, decoded; `None` where that is not UTF-8.
    id: Option<String>,
}

impl Incoming {
    async fn receive<S: Send + Sync>(
        request: axum::extract::Request,
        state: &S,
    ) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let Ok(ctx) = RequestContext::from_request_parts(&mut parts, state).await;
        let id = match RawPathParams::from_request_parts(&mut parts, state).await {
            Ok(parameters) => parameters.iter().next().map(|(_, value)| value.to_owned()),
            Err(_) => None,
        };
        Ok(Self {
            ctx,
            query: Query::parse(parts.uri.query().unwrap_or_default()),
            path: parts.uri.path().to_owned(),
            method: parts.method,
            caller: parts.extensions.remove(),
            headers: parts.headers,
            body: receive_body(body).await?,
            id,
        })
    }
}

/// Receives a body of at most [`MAX_BODY_BYTES`].
async fn receive_body(body: Body) -> Result<Bytes, Problem> {
    match Limited::new(body, MAX_BODY_BYTES).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            let detail = format!("The body is larger than {MAX_BODY_BYTES} bytes.");
            Err(Problem::new(ProblemType::ContentTooLarge, detail))
        }
        Err(error) => Err(Problem::internal(error)),
    }
}

/// The errors of a request, by the problem that they become.
#[derive(Debug, Default)]
pub struct RequestErrors {
    /// 415
    pub(super) unsupported: Option<Problem>,
    /// 400: what cannot be parsed.
    pub malformed: FieldErrors,
    /// 422: what is parsed and not valid.
    pub invalid: FieldErrors,
    /// 422: errors in the values of a merge patch. They are reported only beside others
    /// of [`Self::invalid`]: without those, the merged result decides.
    pub(super) patch: FieldErrors,
    /// 404: no resource can have the id in the path.
    not_found: bool,
}

/// A part of a request returned `None` and added no error, which is a bug.
#[derive(Debug, thiserror::Error)]
#[error("a part of the request was not read, without an error")]
struct UnreportedFailure;

impl RequestErrors {
    fn finish<P>(mut self, parts: Option<P>) -> Result<P, Problem> {
        if let Some(problem) = self.unsupported {
            Err(problem)
        } else if !self.malformed.is_empty() {
            Err(Problem::malformed(self.malformed))
        } else if !self.invalid.is_empty() {
            self.invalid.append_patch(self.patch);
            Err(Problem::invalid(self.invalid))
        } else if self.not_found {
            Err(Problem::not_found())
        } else {
            parts.ok_or_else(|| Problem::internal(UnreportedFailure))
        }
    }
}

/// The id in the path. One that no resource can have is a 404.
#[derive(Debug)]
pub struct Id<T>(pub T);

impl<T: FromStr + Schema> Part for Id<T> {
    fn read(request: &mut Incoming, errors: &mut RequestErrors) -> Option<Self> {
        let id = request.id.as_deref().and_then(|id| id.parse().ok());
        errors.not_found |= id.is_none();
        id.map(Self)
    }

    fn describe(operation: &mut Operation) {
        operation.path_parameter::<T>();
        operation.problem(ProblemType::NotFound);
    }
}

/// The query parameters of a request, read as `Q`.
#[derive(Debug)]
pub struct Params<Q>(pub Q);

impl<Q: FromQuery> Part for Params<Q> {
    fn read(request: &mut Incoming, errors: &mut RequestErrors) -> Option<Self> {
        Q::from_query(&mut request.query, &mut errors.invalid).map(Self)
    }

    fn describe(operation: &mut Operation) {
        Q::describe(operation);
    }
}

/// Accepts unknown query parameters.
#[derive(Debug)]
pub struct AnyQuery;

impl Part for AnyQuery {
    fn read(request: &mut Incoming, _: &mut RequestErrors) -> Option<Self> {
        request.query.clear();
        Some(Self)
    }

    fn describe(operation: &mut Operation) {
        operation.any_query = true;
    }
}

/// Implements [`Part`] for a tuple of parts, which are read in order.
macro_rules! tuple_part {
    ($($part:ident),*) => {
        impl<$($part: Part),*> Part for ($($part,)*) {
            #[allow(non_snake_case, reason = "each variable has the name of its type")]
            fn read(request: &mut Incoming, errors: &mut RequestErrors) -> Option<Self> {
                $(let $part = $part::read(request, errors);)*
                Some(($($part?,)*))
            }

            fn describe(operation: &mut Operation) {
                $($part::describe(operation);)*
            }
        }
    };
}

tuple_part!(A, B);
tuple_part!(A, B, C);

/// No part: a request without parameters.
impl Part for () {
    fn read(_: &mut Incoming, _: &mut RequestErrors) -> Option<Self> {
        Some(())
    }
}
