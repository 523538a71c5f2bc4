//! What each problem means: where the `type` of a problem leads.

use std::fmt::Write;

use axum::response::Response;
use chassis::{Input, Problem, negotiate, reply};
use dto::{
    Fault, Pointer,
    problem::{ProblemDetails, ProblemType},
};
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY},
};
use serde::Serialize;

use crate::asset;

/// Plain text with a style sheet of ours, and nothing else.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";

/// What a type of problem means.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Meaning {
    /// The `type` that a problem has: where this is read.
    pub r#type: String,
    /// The title that a problem has.
    pub title: &'static str,
    /// The status that it is answered with.
    #[cfg_attr(feature = "openapi", schema(minimum = 400, maximum = 599))]
    pub status: u16,
    /// When it is answered.
    pub meaning: &'static str,
    /// What the client can do about it.
    pub advice: &'static str,
    /// A problem of this type, as it is returned.
    // Not `example`: linters take that for the keyword of a schema.
    pub sample: ProblemDetails,
}

/// Every type of problem.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
struct Meanings {
    /// In order of their statuses.
    items: Vec<Meaning>,
}

/// `GET /problems`: every type of problem, as JSON or, to a browser, as a page.
#[cfg_attr(feature = "openapi", utoipa::path(
    get,
    path = "/problems",
    operation_id = "listProblems",
    summary = "List the types of problems",
    description = "Every answer that is neither a success nor a redirection is one of these.",
    responses(
        (
            status = 200,
            description = "What it means, as JSON or, to a browser, as a page.",
            content((Meanings = "application/json"), (String = "text/html")),
            headers(("Cache-Control"), ("Vary")),
        ),
        chassis::openapi::Failures,
    ),
))]
pub async fn list(input: Input) -> Result<Response, Problem> {
    let items: Vec<_> = ProblemType::ALL.into_iter().map(Meaning::of).collect();
    let response = if wants_page(&input.headers) {
        reply::html(list_page(&items))
    } else {
        reply::json(StatusCode::OK, &Meanings { items })?
    };
    Ok(finish(response))
}

/// `GET /problems/{type}`: one type of problem, as JSON or, to a browser, as a
/// page. 404 for a type that there is not.
#[cfg_attr(feature = "openapi", utoipa::path(
    get,
    path = "/problems/{type}",
    operation_id = "getProblem",
    summary = "Explain a type of problem",
    description = "Where the `type` of a problem leads.",
    params(("type" = String, Path, description = "The last part of a problem's `type`.", example = "precondition-failed")),
    responses(
        (
            status = 200,
            description = "What it means, as JSON or, to a browser, as a page.",
            content((Meaning = "application/json"), (String = "text/html")),
            headers(("Cache-Control"), ("Vary")),
        ),
        (status = 404, response = chassis::openapi::NotFound),
        chassis::openapi::Failures,
    ),
))]
pub async fn explain(input: Input) -> Result<Response, Problem> {
    let kind = input.id(|slug| {
        ProblemType::ALL
            .into_iter()
            .find(|kind| kind.slug() == slug)
    })?;
    let meaning = Meaning::of(kind);
    let response = if wants_page(&input.headers) {
        reply::html(page(&meaning)?)
    } else {
        reply::json(StatusCode::OK, &meaning)?
    };
    Ok(finish(response))
}

fn wants_page(headers: &HeaderMap) -> bool {
    negotiate::best(headers, &["application/json", "text/html"]) == Some("text/html")
}

fn finish(response: Response) -> Response {
    let mut response = reply::vary_accept(response);
    let headers = response.headers_mut();
    headers.insert(
        CACHE_CONTROL,
        HeaderValue::from_static("public, max-age=300"),
    );
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    asset::protect(headers);
    response
}

impl Meaning {
    /// The meaning of this type.
    #[must_use]
    pub fn of(kind: ProblemType) -> Self {
        let (meaning, advice) = words(kind);
        Self {
            r#type: format!("/problems/{}", kind.slug()),
            title: kind.title(),
            status: kind.status(),
            meaning,
            advice,
            sample: sample(kind),
        }
    }
}

/// When a problem of this type is answered, and what to do about it.
fn words(kind: ProblemType) -> (&'static str, &'static str) {
    match kind {
        ProblemType::MalformedRequest => (
            "The request cannot be parsed: the body is not JSON or nests too deep, a cursor is \
             not one of this list with these filters, or a header is not of the form that its \
             RFC gives it. Nothing was done.",
            "See errors for each fault and where it is. Use a cursor only with the filters it \
             came with. Do not send the same request again.",
        ),
        ProblemType::UnknownPath => (
            "No route of the API has this path.",
            "Look the path up in the documentation: /docs. Paths are case-sensitive and have no \
             slash at their end.",
        ),
        ProblemType::NotFound => (
            "The path is right, and there is nothing by the id in it: there never was, or it has \
             been deleted.",
            "Look the id up in the list above it. Where you meant to make it, PUT it.",
        ),
        ProblemType::MethodNotAllowed => (
            "The path is right, and does not have this method.",
            "Use one of the methods that the header Allow lists.",
        ),
        ProblemType::Conflict => (
            "The request is valid, and the present state of the resource does not allow it: an \
             order that is shipped cannot be cancelled. Nothing was done.",
            "Read the resource again, and decide by the state that it is in now.",
        ),
        ProblemType::PreconditionFailed => (
            "The resource is not as If-Match or If-None-Match demands: somebody has changed it \
             since you read it, or it is there already. Nothing was done.",
            "Read the resource again, apply your change to what it is now, and send it with the \
             new ETag.",
        ),
        ProblemType::ContentTooLarge => (
            "The body is larger than 256 KiB. It was not read.",
            "Send less, or split it into several requests.",
        ),
        ProblemType::UnsupportedMediaType => (
            "The body is of a media type that is not read here, names none, or is compressed.",
            "Send it with a Content-Type that the header Accept of the answer lists, in UTF-8 and \
             without a Content-Encoding.",
        ),
        ProblemType::InvalidRequest => (
            "The request can be parsed, and what it says cannot be done: a field is missing, \
             unknown, of the wrong type or out of bounds, a query parameter is not as it should \
             be, or a product is ordered that there is not. Nothing was done.",
            "See errors: it lists every fault found, each with where it is and what must hold \
             there. Mend them all, then send it again.",
        ),
        ProblemType::InternalError => (
            "The service failed at this request by a fault of its own. Its log has the reason \
             under the request's id.",
            "Try again once. If it fails again, tell whoever runs the service, with the requestId.",
        ),
        ProblemType::ServiceUnavailable => (
            "A store or a service that is needed is away, or the time for the request ran out.",
            "Wait as many seconds as the header Retry-After says, then send the request again. A \
             write may have been done though its answer was lost: read before you repeat it, or \
             repeat it on a precondition.",
        ),
    }
}

/// A problem of this type, as it is returned.
fn sample(kind: ProblemType) -> ProblemDetails {
    let root = Pointer::root();
    let (instance, detail, errors) = match kind {
        ProblemType::MalformedRequest => {
            let fault = "is not a cursor of this list with these filters";
            let errors = vec![Fault::parameter("cursor", fault)];
            (
                "/nosqldata",
                "The request cannot be parsed: see errors.",
                errors,
            )
        }
        ProblemType::UnknownPath => ("/nosqldat", "No route has this path.", vec![]),
        ProblemType::NotFound => (
            "/nosqldata/no-such-mug",
            "There is nothing by this id.",
            vec![],
        ),
        ProblemType::MethodNotAllowed => (
            "/mysqldata",
            "This path has GET, HEAD, POST, OPTIONS.",
            vec![],
        ),
        ProblemType::Conflict => (
            "/mysqldata/01a1a14c-afba-72da-b5b1-966a1c0be80c",
            "An order that is placed cannot become shipped.",
            vec![],
        ),
        ProblemType::PreconditionFailed => (
            "/nosqldata/espresso-cups",
            "The product is not as If-Match or If-None-Match demands. Nothing has changed.",
            vec![],
        ),
        ProblemType::ContentTooLarge => (
            "/nosqldata",
            "The body is larger than 262144 bytes.",
            vec![],
        ),
        ProblemType::UnsupportedMediaType => (
            "/nosqldata",
            "The body must be sent as application/json, in UTF-8 and without a content coding.",
            vec![],
        ),
        ProblemType::InvalidRequest => {
            let lines = root.member("lines");
            let line = lines.item(0);
            let errors = vec![
                Fault::body(&root.member("customer"), "is required"),
                Fault::body(
                    &line.member("quantity"),
                    "must be an integer between 1 and 999",
                ),
            ];
            (
                "/mysqldata",
                "The request is not valid: see errors.",
                errors,
            )
        }
        ProblemType::InternalError => (
            "/nosqldata",
            "The service failed at this request. Its log has the reason under the request's id.",
            vec![],
        ),
        ProblemType::ServiceUnavailable => ("/nosqldata", "The catalogue's store is away.", vec![]),
    };
    ProblemDetails {
        r#type: format!("/problems/{}", kind.slug()),
        title: kind.title().to_owned(),
        status: kind.status(),
        detail: detail.to_owned(),
        instance: instance.to_owned(),
        request_id: "019aaf51-3c4e-7f05-9b1d-2f6d2c6f8a10".to_owned(),
        errors,
    }
}

fn list_page(items: &[Meaning]) -> String {
    let mut rows = String::new();
    for Meaning {
        r#type,
        title,
        status,
        meaning,
        ..
    } in items
    {
        // Writing to a string cannot fail.
        let _ = writeln!(
            rows,
            "<dt><a href=\"{type}\"><b>{status}</b> {}</a></dt><dd>{}</dd>",
            escaped(title),
            escaped(meaning),
        );
    }
    let body = format!(
        "<p>Every answer that is neither a success nor a redirection is a problem \
         (<code>application/problem+json</code>, RFC 9457). Its <code>type</code> leads here.</p>\n\
         <dl>\n{rows}</dl>",
    );
    whole("Problems", "Problems", &body)
}

fn page(meaning: &Meaning) -> Result<String, Problem> {
    let sample = serde_json::to_string_pretty(&meaning.sample).map_err(Problem::internal)?;
    let heading = format!("<b>{}</b> {}", meaning.status, escaped(meaning.title));
    let body = format!(
        "<p>{}</p>\n<h2>What to do</h2>\n<p>{}</p>\n<h2>An example</h2>\n<pre>{}</pre>",
        escaped(meaning.meaning),
        escaped(meaning.advice),
        escaped(&sample),
    );
    Ok(whole(meaning.title, &heading, &body))
}

fn whole(title: &str, heading: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{} – Kea</title>\n\
         <link rel=\"icon\" href=\"{}\">\n<link rel=\"stylesheet\" href=\"{}\">\n\
         <nav><a href=\"/\">Kea</a> <a href=\"/docs\">API</a> <a href=\"/problems\">Problems</a> \
         <a href=\"/architecture\">Architecture</a></nav>\n\
         <h1>{heading}</h1>\n{body}\n</html>\n",
        escaped(title),
        asset::ICON_PATH,
        asset::STYLE_PATH,
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_explained_by_an_example_of_its_own() {
        for kind in ProblemType::ALL {
            let meaning = Meaning::of(kind);
            assert_eq!(meaning.sample.r#type, meaning.r#type);
            assert_eq!(meaning.sample.status, meaning.status);
            assert!(meaning.meaning.ends_with('.') && meaning.advice.ends_with('.'));
            let page = page(&meaning).unwrap();
            assert!(page.contains(meaning.title) && !page.contains("style="));
        }
    }
}
