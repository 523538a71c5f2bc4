//! What the chassis gives every service, as the OpenAPI document has it: the
//! problems, the conditions, and each service's own health.

use std::collections::BTreeMap;

use dto::{
    health::Health,
    problem::{MEDIA_TYPE, ProblemDetails},
};
use utoipa::{
    IntoParams, IntoResponses, PartialSchema, ToResponse,
    openapi::{
        Content, Header, HttpMethod, PathItem, Ref, RefOr, Response, ResponseBuilder, Responses,
        path::OperationBuilder,
        schema::{ObjectBuilder, Schema, SchemaType, Type},
    },
};

use crate::health;

/// A problem of one status, as a response that operations refer to.
macro_rules! problems {
    ($($name:ident, $status:literal, $description:literal, [$($header:literal),*];)*) => {
        $(
            #[doc = concat!($status, ": ", $description)]
            #[derive(Debug)]
            pub struct $name;

            impl ToResponse<'_> for $name {
                fn response() -> (&'static str, RefOr<Response>) {
                    (stringify!($name), problem($description, &[$($header),*]).into())
                }
            }
        )*

        /// Each of them, by its name.
        fn problems() -> BTreeMap<String, RefOr<Response>> {
            [$($name::response()),*].map(|(name, problem)| (name.to_owned(), problem)).into()
        }
    };
}

problems! {
    MalformedRequest, 400, "The request cannot be parsed: its body is not JSON, or a cursor or a header is malformed.", [];
    NotFound, 404, "There is nothing by this id.", [];
    MethodNotAllowed, 405, "The path does not have this method.", ["Allow"];
    Conflict, 409, "The present state of the resource does not allow it.", [];
    PreconditionFailed, 412, "`If-Match` or `If-None-Match` does not hold. Nothing was done.", [];
    ContentTooLarge, 413, "The body is larger than 256 KiB.", [];
    UnsupportedMediaType, 415, "The body is of a media type that is not read here.", ["Accept"];
    UnsupportedPatch, 415, "The patch is of a media type that is not read here.", ["Accept", "Accept-Patch"];
    InvalidRequest, 422, "The request can be parsed, and what it says cannot be done: `errors` has every fault.", [];
    InternalError, 500, "The service failed. Its log has the reason under the `requestId`.", [];
    ServiceUnavailable, 503, "Something that is needed is away, or time ran out.", ["Retry-After"];
}

fn problem(description: &str, headers: &[&str]) -> Response {
    let content = Content::new(Some(Ref::from_schema_name("ProblemDetails")));
    let response = ResponseBuilder::new()
        .description(description)
        .content(MEDIA_TYPE, content);
    let headers = headers.iter().fold(response, |response, name| {
        response.header(*name, header(name))
    });
    headers.build()
}

/// What any operation may answer: not even the event has to be one.
#[derive(Debug)]
pub struct Failures;

impl IntoResponses for Failures {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        refer(&[
            ("400", "MalformedRequest"),
            ("500", "InternalError"),
            ("503", "ServiceUnavailable"),
        ])
    }
}

/// What an operation with a JSON body may answer to it.
#[derive(Debug)]
pub struct Refusals;

impl IntoResponses for Refusals {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        refer(&[
            ("413", "ContentTooLarge"),
            ("415", "UnsupportedMediaType"),
            ("422", "InvalidRequest"),
        ])
    }
}

/// What an operation with a patch for a body may answer to it.
#[derive(Debug)]
pub struct PatchRefusals;

impl IntoResponses for PatchRefusals {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        refer(&[
            ("413", "ContentTooLarge"),
            ("415", "UnsupportedPatch"),
            ("422", "InvalidRequest"),
        ])
    }
}

fn refer(responses: &[(&str, &str)]) -> BTreeMap<String, RefOr<Response>> {
    let refer =
        |&(status, name): &(&str, &str)| (status.to_owned(), Ref::from_response_name(name).into());
    responses.iter().map(refer).collect()
}

/// The conditions of a request for something that has an entity tag.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "only its parameters are used")]
pub struct Conditions {
    /// One of these entity tags must be the present one, or `*`: there must be
    /// something. Compared strongly (RFC 9110 §13.1.1).
    #[param(rename = "If-Match", nullable = false, pattern = r#"^(\*|"[!#-~]*")$"#)]
    if_match: Option<String>,
    /// None of these entity tags may be the present one, or `*`: there must be
    /// nothing (RFC 9110 §13.1.2).
    #[param(
        rename = "If-None-Match",
        nullable = false,
        pattern = r#"^(\*|(W/)?"[!#-~]*")$"#
    )]
    if_none_match: Option<String>,
}

/// The key that has a request done once, however often it is sent.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "only its parameters are used")]
pub struct IdempotencyKey {
    /// A key of your own for this request, 1–255 visible ASCII characters, best
    /// a UUID, in double quotes or without. The answer of a request that did
    /// something is kept under it for 24 hours, and given again to whoever
    /// sends the same request with it.
    #[param(
        rename = "Idempotency-Key",
        nullable = false,
        pattern = r#"^([!#-~]([!-~]{0,253}[!#-~])?|"([ !#-\[\]-~]|\\["\\]){1,255}")$"#
    )]
    idempotency_key: Option<String>,
}

/// What a header of an answer says.
fn header(name: &str) -> Header {
    let (description, kind) = match name {
        "Accept" => ("The media types that are read here.", Type::String),
        "Accept-Patch" => (
            "The media types of patches that are read here (RFC 5789).",
            Type::String,
        ),
        "Allow" => ("The methods that the path has.", Type::String),
        "Cache-Control" => ("How long the answer may be kept.", Type::String),
        "Content-Location" => ("The path of what the body represents.", Type::String),
        "ETag" => (
            "The strong entity tag of this state, for conditions.",
            Type::String,
        ),
        "Idempotency-Replayed" => (
            "`true` where the answer is that of an earlier request with the same key.",
            Type::Boolean,
        ),
        "Location" => ("The path of what was made.", Type::String),
        "Retry-After" => ("In how many seconds to try again.", Type::Integer),
        "Vary" => (
            "The request's headers that the answer depends on.",
            Type::String,
        ),
        _ => ("", Type::String),
    };
    // The one number among them is a time to wait, of a second at least.
    let minimum = (kind == Type::Integer).then_some(1);
    let schema = ObjectBuilder::new()
        .schema_type(SchemaType::new(kind))
        .minimum(minimum);
    Header::builder()
        .schema(Some(Schema::Object(schema.build())))
        .description(Some(description))
        .build()
}

/// The document of the service called `name`, with what the chassis adds to it:
/// `GET /health/{name}`, the problems, and what each header of an answer says.
#[must_use]
pub fn complete(name: &str, mut document: utoipa::openapi::OpenApi) -> utoipa::openapi::OpenApi {
    let components = document.components.get_or_insert_default();
    components.responses.extend(problems());
    let mut schemas = Vec::new();
    <ProblemDetails as utoipa::ToSchema>::schemas(&mut schemas);
    <Health as utoipa::ToSchema>::schemas(&mut schemas);
    schemas.push(("ProblemDetails".to_owned(), ProblemDetails::schema()));
    schemas.push(("Health".to_owned(), Health::schema()));
    components.schemas.extend(schemas);

    let own = OperationBuilder::new()
        .operation_id(Some(format!("get{}Health", capital(name))))
        .summary(Some(format!("Ask how {name} is")))
        .description(Some(
            "Each thing that it depends on is asked at once. 503 on `fail`.",
        ))
        .responses(Responses::from_iter(HealthReport::responses()));
    let path = format!("/health/{name}");
    document
        .paths
        .paths
        .insert(path, PathItem::new(HttpMethod::Get, own));

    for item in document.paths.paths.values_mut() {
        let operations = [
            &mut item.get,
            &mut item.put,
            &mut item.post,
            &mut item.delete,
            &mut item.patch,
        ];
        for operation in operations.into_iter().flatten() {
            operation.tags = Some(vec![name.to_owned()]);
            for response in operation.responses.responses.values_mut() {
                if let RefOr::T(response) = response {
                    for (name, described) in &mut response.headers {
                        *described = header(name).into();
                    }
                }
            }
        }
    }
    document
}

/// What a request for a health may be answered.
#[derive(Debug)]
pub struct HealthReport;

impl IntoResponses for HealthReport {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let health = || Content::new(Some(Ref::from_schema_name("Health")));
        let pass = ResponseBuilder::new()
            .description("It works: `pass`, or `warn` where something is wrong.")
            .content(health::MEDIA_TYPE, health())
            .header("Cache-Control", header("Cache-Control"));
        let fail = ResponseBuilder::new()
            .description("It does not work: `fail`. Or, as a problem, time ran out.")
            .content(health::MEDIA_TYPE, health())
            .content(
                MEDIA_TYPE,
                Content::new(Some(Ref::from_schema_name("ProblemDetails"))),
            )
            .header("Retry-After", header("Retry-After"));
        let mut responses = refer(&[("400", "MalformedRequest"), ("500", "InternalError")]);
        responses.insert("200".to_owned(), pass.build().into());
        responses.insert("503".to_owned(), fail.build().into());
        responses
    }
}

fn capital(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}
