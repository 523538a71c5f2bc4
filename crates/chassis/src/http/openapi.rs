//! The OpenAPI document of a service, derived from its handlers' types.
//!
//! Only with the feature `openapi` do the routes collect it: a deployed function links
//! none of this.
#![expect(
    clippy::indexing_slicing,
    reason = "the members of an object are set by name"
)]

use std::borrow::Cow;

use axum::extract::State;
use dto::problem::{self, ProblemDetails, ProblemType};
use json::{
    Schema,
    schema::{Components, Direction, Json, json},
};

use super::Accept;
use crate::{
    Problem, RequestContext,
    auth::{Access, Caller},
};

/// The name of the security scheme: a bearer token.
pub const BEARER: &str = "bearer";

/// The documentation of an operation beyond its types.
#[derive(Debug, Clone)]
pub struct Doc {
    id: Cow<'static, str>,
    summary: Cow<'static, str>,
    description: &'static str,
    problems: &'static [ProblemType],
    pub(super) access: Access,
}

/// An operation: its `operationId`, its summary and who may call it.
#[must_use]
pub fn doc(
    id: impl Into<Cow<'static, str>>,
    summary: impl Into<Cow<'static, str>>,
    access: Access,
) -> Doc {
    Doc {
        id: id.into(),
        summary: summary.into(),
        description: "",
        problems: &[],
        access,
    }
}

impl Doc {
    /// Sets the description, in Markdown.
    #[must_use]
    pub fn describe(self, description: &'static str) -> Self {
        Self {
            description,
            ..self
        }
    }

    /// Names the problems that the types of the handler do not imply.
    #[must_use]
    pub fn problems(self, problems: &'static [ProblemType]) -> Self {
        Self { problems, ..self }
    }
}

/// The OpenAPI document of one service: its operations and their schemas.
#[derive(Debug, Default)]
pub struct Document {
    /// The Paths Object.
    pub paths: serde_json::Map<String, Json>,
    /// The named schemas.
    pub components: Components,
    /// The named responses.
    pub responses: serde_json::Map<String, Json>,
}

impl Document {
    /// Adds an operation.
    fn add<T, H: DescribeHandler<T>>(&mut self, tag: &str, path: &str, method: &str, doc: &Doc) {
        let mut operation = Operation {
            object: json!({ "operationId": &doc.id, "summary": &doc.summary, "tags": [tag] }),
            path: path.to_owned(),
            components: std::mem::take(&mut self.components),
            problem_responses: std::mem::take(&mut self.responses),
            any_query: false,
        };
        if !doc.description.is_empty() {
            operation.object["description"] = doc.description.into();
        }
        H::describe(&mut operation);
        operation.access(doc.access);
        let every = [
            ProblemType::MalformedRequest,
            ProblemType::InternalError,
            ProblemType::ServiceUnavailable,
        ];
        for problem in every.iter().chain(doc.problems) {
            operation.problem(*problem);
        }
        self.components = operation.components;
        self.responses = operation.problem_responses;
        let item = self.paths.entry(path).or_insert_with(|| json!({}));
        item[method] = operation.object;
    }

    /// Adds to every operation the problem of a token that is not accepted.
    pub(super) fn authenticated(mut self) -> Self {
        let kind = ProblemType::Unauthorized;
        let schema = self
            .components
            .schema::<ProblemDetails>(Direction::Response);
        let name = name_of(kind);
        let operations = self.paths.values_mut().filter_map(Json::as_object_mut);
        for operation in operations.flat_map(serde_json::Map::values_mut) {
            operation["responses"]["401"] =
                json!({ "$ref": format!("#/components/responses/{name}") });
        }
        let response = problem_response(kind, &schema, headers_of(kind));
        self.responses.insert(name, response);
        self
    }
}

/// The operations of a path, until its service and its path are known.
#[derive(Default)]
pub(super) struct Operations(Vec<AddOperation>);

/// Adds an operation to the document of the service called `tag`.
type AddOperation = Box<dyn FnOnce(&mut Document, &str, &str)>;

impl Operations {
    /// Adds the operation of a method.
    pub(super) fn push<T, H: DescribeHandler<T>>(&mut self, method: &'static str, doc: Doc) {
        if cfg!(feature = "openapi") {
            self.0.push(Box::new(move |document, tag, path| {
                document.add::<T, H>(tag, path, method, &doc);
            }));
        }
    }

    /// Adds them to a document.
    pub(super) fn add_to(self, document: &mut Document, tag: &str, path: &str) {
        for add in self.0 {
            add(document, tag, path);
        }
    }
}

/// An operation of the document (the Operation Object).
#[derive(Debug)]
pub struct Operation {
    object: Json,
    path: String,
    components: Components,
    problem_responses: serde_json::Map<String, Json>,
    /// Whether unknown query parameters are accepted: they are not a problem.
    pub(super) any_query: bool,
}

impl Operation {
    /// The schema of `T` in a request.
    pub fn request_schema<T: Schema>(&mut self) -> Json {
        self.components.schema::<T>(Direction::Request)
    }

    /// The schema of a merge patch of `T`.
    pub fn patch_schema<T: Schema>(&mut self) -> Json {
        self.components.schema::<T>(Direction::Patch)
    }

    /// The schema of `T` in a response.
    pub fn response_schema<T: Schema>(&mut self) -> Json {
        self.components.schema::<T>(Direction::Response)
    }

    /// Adds the path parameter, whose name is the one in the path.
    pub fn path_parameter<T: Schema>(&mut self) {
        let schema = self.request_schema::<T>();
        let name = self.path.split(['{', '}']).nth(1).unwrap_or_default();
        let mut parameter =
            json!({ "in": "path", "name": name, "required": true, "schema": schema });
        // A type with a name of its own has its own description.
        if parameter.pointer("/schema/$ref").is_none() {
            parameter["description"] = "The id of the resource.".into();
        }
        self.parameter(parameter);
    }

    /// Adds an optional query parameter.
    pub fn query_parameter(&mut self, name: &str, description: &str, schema: &Json) {
        self.parameter(json!({
            "in": "query", "name": name, "description": description, "required": false, "schema": schema,
        }));
    }

    /// Adds an optional header parameter with a pattern.
    pub fn header_parameter(&mut self, name: &str, description: &str, pattern: &str) {
        self.parameter(json!({
            "in": "header", "name": name, "description": description, "required": false,
            "schema": { "type": "string", "pattern": pattern },
        }));
    }

    fn parameter(&mut self, parameter: Json) {
        match &mut self.object["parameters"] {
            Json::Array(parameters) => parameters.push(parameter),
            none => *none = json!([parameter]),
        }
    }

    /// Sets the request body and adds the problems that it can cause.
    pub fn body(&mut self, media_types: &[&str], schema: &Json) {
        self.content(media_types, schema);
        self.problem(ProblemType::UnsupportedMediaType);
        self.problem(ProblemType::InvalidRequest);
    }

    /// The same for a patch.
    pub fn patch_body(&mut self, media_types: &[&str], schema: &Json) {
        self.content(media_types, schema);
        let headers = ["Accept", "Accept-Encoding", "Accept-Patch"];
        let unsupported = ProblemType::UnsupportedMediaType;
        self.named_problem("UnsupportedPatch", unsupported, &headers);
        self.problem(ProblemType::InvalidRequest);
    }

    fn content(&mut self, media_types: &[&str], schema: &Json) {
        let content = media_types
            .iter()
            .map(|&media_type| (media_type.to_owned(), json!({ "schema": schema })));
        let content: serde_json::Map<_, _> = content.collect();
        self.object["requestBody"] = json!({ "required": true, "content": content });
        self.problem(ProblemType::ContentTooLarge);
    }

    /// Adds a response.
    pub fn response(
        &mut self,
        status: u16,
        description: &str,
        headers: &[&str],
        content: &[(&str, Json)],
    ) {
        let mut response = json!({ "description": description });
        for &name in headers {
            response["headers"][name] = header(name);
        }
        for (media_type, schema) in content {
            response["content"][media_type] = json!({ "schema": schema });
        }
        self.object["responses"][status.to_string()] = response;
    }

    /// Adds a header to a response.
    pub fn response_header(&mut self, status: u16, name: &str) {
        self.object["responses"][status.to_string()]["headers"][name] = header(name);
    }

    /// Sets who may call the operation (the Security Requirement Object), and
    /// the problems of who may not.
    fn access(&mut self, access: Access) {
        let bearer = |scope: &[&str]| json!({ BEARER: scope });
        self.object["security"] = match access {
            Access::Public => json!([]),
            Access::Optional => json!([{}, bearer(&[])]),
            Access::Caller => json!([bearer(&[])]),
            Access::Scope(scopes) => scopes.iter().map(|&scope| bearer(&[scope])).collect(),
        };
        if let Access::Caller | Access::Scope(_) = access {
            self.problem(ProblemType::Unauthorized);
        }
        if let Access::Scope(_) = access {
            self.problem(ProblemType::Forbidden);
        }
    }

    /// Adds a problem that the operation can return, unless its status has a
    /// response already.
    pub fn problem(&mut self, kind: ProblemType) {
        self.named_problem(&name_of(kind), kind, headers_of(kind));
    }

    fn named_problem(&mut self, name: &str, kind: ProblemType, headers: &[&str]) {
        let status = kind.status().to_string();
        if self.object["responses"].get(&status).is_some() {
            return;
        }
        let schema = self.response_schema::<ProblemDetails>();
        let response = problem_response(kind, &schema, headers);
        self.object["responses"][status] =
            json!({ "$ref": format!("#/components/responses/{name}") });
        self.problem_responses.insert(name.to_owned(), response);
    }
}

/// The name of the shared response of a problem.
fn name_of(kind: ProblemType) -> String {
    kind.slug().split('-').map(capitalize).collect()
}

fn problem_response(kind: ProblemType, schema: &Json, headers: &[&str]) -> Json {
    let mut response = json!({
        "description": kind.meaning(),
        "content": { problem::MEDIA_TYPE: { "schema": schema } },
    });
    for &name in headers {
        response["headers"][name] = header(name);
    }
    response
}

fn headers_of(kind: ProblemType) -> &'static [&'static str] {
    match kind {
        ProblemType::Unauthorized | ProblemType::Forbidden => &["WWW-Authenticate"],
        ProblemType::MethodNotAllowed => &["Allow"],
        ProblemType::UnsupportedMediaType => &["Accept", "Accept-Encoding"],
        ProblemType::ServiceUnavailable => &["Retry-After"],
        _ => &[],
    }
}

/// The description of a header of a response.
fn header(name: &str) -> Json {
    let (description, kind) = match name {
        "Accept" => ("The supported media types.", "string"),
        "Accept-Encoding" => ("The supported content codings.", "string"),
        "Accept-Patch" => ("The supported media types of patches (RFC 5789).", "string"),
        "Allow" => ("The methods that the path supports.", "string"),
        "Cache-Control" => ("How the response may be cached.", "string"),
        "Content-Location" => ("The path of the resource in the body.", "string"),
        "ETag" => (
            "The strong entity tag of this state, for preconditions.",
            "string",
        ),
        "Idempotency-Replayed" => (
            "`true` if the response is that of an earlier request with the same key.",
            "boolean",
        ),
        "Location" => ("The path of the resource that was created.", "string"),
        "Retry-After" => ("The seconds after which to retry.", "integer"),
        "Vary" => (
            "The request headers on which the response depends.",
            "string",
        ),
        "WWW-Authenticate" => ("Why the token is not accepted (RFC 6750).", "string"),
        _ => ("", "string"),
    };
    json!({ "description": description, "schema": { "type": kind } })
}

fn capitalize(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

/// An argument of a handler.
pub trait DescribeInput {
    /// Adds it to the operation.
    fn describe(_operation: &mut Operation) {}
}

impl<S> DescribeInput for State<S> {}
impl DescribeInput for RequestContext {}
impl DescribeInput for Accept {}
impl DescribeInput for Caller {}
impl DescribeInput for Option<Caller> {}

/// What a handler returns.
pub trait DescribeOutput {
    /// Adds its responses to the operation.
    fn describe(operation: &mut Operation);
}

impl<R: DescribeOutput> DescribeOutput for Result<R, Problem> {
    fn describe(operation: &mut Operation) {
        R::describe(operation);
    }
}

/// A handler whose operation is described by its type.
pub trait DescribeHandler<T> {
    /// Adds its arguments and responses to the operation.
    fn describe(operation: &mut Operation);
}

/// Implements [`DescribeHandler`] for functions of these arguments, with the
/// type that axum gives such a handler.
macro_rules! describe_handler {
    ($($argument:ident),+) => {
        impl<F, Fut, R, M, $($argument,)+> DescribeHandler<(M, $($argument,)+)> for F
        where
            F: FnOnce($($argument),+) -> Fut,
            Fut: Future<Output = R>,
            R: DescribeOutput,
            $($argument: DescribeInput,)+
        {
            fn describe(operation: &mut Operation) {
                $($argument::describe(operation);)+
                R::describe(operation);
            }
        }
    };
}

describe_handler!(A);
describe_handler!(A, B);
describe_handler!(A, B, C);
describe_handler!(A, B, C, D);
describe_handler!(A, B, C, D, E);

impl<F, Fut, R> DescribeHandler<((),)> for F
where
    F: FnOnce() -> Fut,
    Fut: Future<Output = R>,
    R: DescribeOutput,
{
    fn describe(operation: &mut Operation) {
        R::describe(operation);
    }
}
