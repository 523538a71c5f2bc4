//! The problem types: what the `type` of a problem refers to.

use std::{collections::BTreeMap, fmt::Write, str::FromStr};

use axum::response::{IntoResponse, Response};
use chassis::{
    Problem, RequestContext,
    http::{Accept, AnyQuery, Id, Representation, Request, html, vary},
};
use dto::problem::{ProblemDetails, ProblemType};
use http::{HeaderValue, header::CACHE_CONTROL};
use json::Schema;
use serde::Serialize;

use crate::asset;

/// A page may load its style sheet and its icon, and nothing else.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A sample of each type, as a test received it, by the type's slug.
/// `cargo xtask openapi` writes the file from the replayed events.
const SAMPLES: &str = include_str!("../assets/problems.json");

/// `GET /problems`: every problem type, as JSON or, to a browser, as a page.
pub(crate) async fn list(
    ctx: RequestContext,
    accept: Accept,
    _: Request<AnyQuery>,
) -> Result<Explained<Explanations>, Problem> {
    let mut samples = samples()?;
    let kinds = ProblemType::ALL.iter();
    let items: Vec<_> = kinds
        .map(|kind| explanation(*kind, &mut samples, &ctx.base_path))
        .collect();
    Ok(if prefers_page(&accept) {
        Explained::Page(list_page(&items, &ctx.base_path))
    } else {
        Explained::Json(Explanations { items })
    })
}

/// `GET /problems/{type}`: one problem type, as JSON or, to a browser, as a page.
pub(crate) async fn explain(
    ctx: RequestContext,
    accept: Accept,
    Request((Id(Slug(kind)), _)): Request<(Id<Slug>, AnyQuery)>,
) -> Result<Explained<Explanation>, Problem> {
    let explanation = explanation(kind, &mut samples()?, &ctx.base_path);
    Ok(if prefers_page(&accept) {
        Explained::Page(page(&explanation, &ctx.base_path)?)
    } else {
        Explained::Json(explanation)
    })
}

/// An explanation in the form that the client prefers.
pub(crate) enum Explained<T> {
    Json(T),
    Page(String),
}

/// A problem type.
#[derive(Debug, Serialize, Schema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Explanation {
    /// The `type` of such a problem.
    r#type: String,
    /// Its title.
    title: &'static str,
    /// The status of the response.
    status: u16,
    /// Its meaning.
    meaning: &'static str,
    /// What a client can do about it.
    remedy: &'static str,
    /// Such a problem, as the service returned it; absent for a type that no
    /// request can cause.
    #[serde(skip_serializing_if = "Option::is_none")]
    sample: Option<ProblemDetails>,
}

/// Every problem type.
#[derive(Debug, Serialize, Schema)]
pub(crate) struct Explanations {
    /// The types, by status.
    items: Vec<Explanation>,
}

/// The last part of a problem's `type`.
#[derive(Debug)]
pub(crate) struct Slug(ProblemType);

impl FromStr for Slug {
    type Err = &'static str;

    fn from_str(slug: &str) -> Result<Self, Self::Err> {
        let kind = ProblemType::ALL.iter().find(|kind| kind.slug() == slug);
        kind.copied().map(Self).ok_or("must be a problem type")
    }
}

/// The samples, by the slugs of their types.
type Samples = BTreeMap<String, ProblemDetails>;

fn samples() -> Result<Samples, Problem> {
    serde_json::from_str(SAMPLES).map_err(Problem::internal)
}

fn explanation(kind: ProblemType, samples: &mut Samples, base_path: &str) -> Explanation {
    Explanation {
        r#type: format!("{base_path}/problems/{}", kind.slug()),
        title: kind.title(),
        status: kind.status(),
        meaning: kind.meaning(),
        remedy: kind.remedy(),
        sample: samples.remove(kind.slug()),
    }
}

fn prefers_page(accept: &Accept) -> bool {
    accept.best("application/json", &["text/html"]) == "text/html"
}

impl<T: Serialize> IntoResponse for Explained<T> {
    fn into_response(self) -> Response {
        let response = match self {
            Self::Json(explanation) => Representation(explanation).into_response(),
            Self::Page(page) => html(page, CONTENT_SECURITY_POLICY),
        };
        let mut response = vary(response, "Accept");
        let headers = response.headers_mut();
        let caching = HeaderValue::from_static("public, max-age=300");
        headers.insert(CACHE_CONTROL, caching);
        asset::set_referrer_policy(headers);
        response
    }
}

impl<T: Schema> chassis::http::openapi::DescribeOutput for Explained<T> {
    fn describe(operation: &mut chassis::http::openapi::Operation) {
        let json = operation.response_schema::<T>();
        let page = operation.response_schema::<String>();
        let content = [("application/json", json), ("text/html", page)];
        let description = "As JSON or, to a browser, as a page.";
        operation.response(200, description, &["Cache-Control", "Vary"], &content);
    }
}

impl Schema for Slug {
    fn schema(_: &mut json::schema::Components) -> json::schema::Json {
        let slugs: Vec<_> = ProblemType::ALL.iter().map(|kind| kind.slug()).collect();
        let description = "The last part of a problem's `type`.";
        json::schema::json!({ "type": "string", "enum": slugs, "description": description })
    }
}

fn list_page(items: &[Explanation], base_path: &str) -> String {
    let mut rows = String::new();
    for item in items {
        let (status, title, meaning) = (item.status, escape(item.title), escape(item.meaning));
        // Writing to a string cannot fail.
        let _ = writeln!(
            rows,
            "<dt><a href=\"{}\"><b>{status}</b> {title}</a></dt><dd>{meaning}</dd>",
            item.r#type,
        );
    }
    let body = format!(
        "<p>Every response that is neither 2xx nor 3xx is a problem \
         (<code>application/problem+json</code>, RFC 9457). Its <code>type</code> refers to a page \
         here.</p>\n<dl>\n{rows}</dl>",
    );
    document("Problems", "Problems", &body, base_path)
}

fn page(explanation: &Explanation, base_path: &str) -> Result<String, Problem> {
    let heading = format!(
        "<b>{}</b> {}",
        explanation.status,
        escape(explanation.title)
    );
    let mut body = format!(
        "<p>{}</p>\n<h2>What to do</h2>\n<p>{}</p>\n",
        escape(explanation.meaning),
        escape(explanation.remedy),
    );
    if let Some(sample) = &explanation.sample {
        let sample = serde_json::to_string_pretty(sample).map_err(Problem::internal)?;
        let _ = write!(body, "<h2>An example</h2>\n<pre>{}</pre>", escape(&sample));
    }
    Ok(document(explanation.title, &heading, &body, base_path))
}

fn document(title: &str, heading: &str, body: &str, base_path: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{} – Kea</title>\n\
         <link rel=\"icon\" href=\"{base_path}{}\">\n\
         <link rel=\"stylesheet\" href=\"{base_path}{}\">\n\
         <nav><a href=\"{base_path}/\">Kea</a> <a href=\"{base_path}/docs\">API</a> \
         <a href=\"{base_path}/problems\">Problems</a> \
         <a href=\"{base_path}/architecture\">Architecture</a></nav>\n\
         <h1>{heading}</h1>\n{body}\n</html>\n",
        escape(title),
        asset::ICON_PATH,
        asset::STYLE_PATH,
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_explained_with_a_sample_of_its_own() {
        for kind in ProblemType::ALL {
            let explanation = explanation(*kind, &mut samples().unwrap(), "");
            assert!(explanation.meaning.ends_with('.') && explanation.remedy.ends_with('.'));
            if let Some(sample) = &explanation.sample {
                assert_eq!(sample.r#type, explanation.r#type);
                assert_eq!(sample.title, explanation.title);
                assert_eq!(sample.status, explanation.status);
            }
            // region: mysqldata nosqldata
            // No request can cause the others.
            let has_sample = *kind != ProblemType::InternalError;
            assert_eq!(explanation.sample.is_some(), has_sample, "{kind:?}");
            // endregion
            let page = page(&explanation, "/prod").unwrap();
            assert!(page.contains(explanation.title) && page.contains("href=\"/prod/docs\""));
            assert!(!page.contains("style="));
        }
    }
}
