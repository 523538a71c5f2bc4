//! HEAD, OPTIONS, and methods that a path does not have.

use super::{case, make, place, product};
use crate::surfaces::{Api, Case, Kind, Outcome};

/// Paths, and what each has.
const READ_ONLY: &[&str] = &[
    "/",
    "/oscheck",
    "/health",
    "/health/docs",
    "/health/mysqldata",
    "/mysqldata/summary",
    "/docs",
    "/redoc",
    "/openapi.json",
    "/openapi.yaml",
    "/problems",
    "/problems/not-found",
    "/favicon.ico",
    "/health/hello",
];

const READ: &str = "GET, HEAD, OPTIONS";
const LIST: &str = "GET, HEAD, POST, OPTIONS";
const PRODUCT: &str = "GET, HEAD, PUT, PATCH, DELETE, OPTIONS";
const ORDER: &str = "GET, HEAD, PATCH, OPTIONS";

const START_API: &str =
    "answers OPTIONS with a 200 of its own where the template has a CorsConfiguration";

pub fn cases() -> Vec<Case> {
    vec![
        case!("HEAD is GET without a body", head),
        case!("HEAD tells how long GET's answer is", length),
        case!("HEAD of what is not there", head_of_nothing),
        case!("OPTIONS is 204 with Allow", options).may_differ(
            &[Kind::StartApi],
            START_API,
            |api| Box::pin(options_of_start_api(api)),
        ),
        case!("a CORS preflight is 204", preflight).may_differ(
            &[Kind::StartApi],
            START_API,
            |api| Box::pin(options_of_start_api(api)),
        ),
        case!("a wrong method is 405 with Allow", wrong),
        case!("a wrong method comes before all else", wrong_first),
    ]
}

/// Every path, and the methods that it has.
async fn paths(api: &Api) -> Outcome<Vec<(String, &'static str)>> {
    let (product, _) = make(api, &product(api)).await?;
    let (order, _) = place(api, 1).await?;
    let read_only = READ_ONLY.iter().map(|path| ((*path).to_owned(), READ));
    let mut paths: Vec<_> = read_only.collect();
    paths.push(("/nosqldata".to_owned(), LIST));
    paths.push(("/mysqldata".to_owned(), LIST));
    paths.push((product, PRODUCT));
    paths.push((order, ORDER));
    Ok(paths)
}

async fn head(api: &Api) -> Outcome {
    for (path, _) in paths(api).await? {
        let got = api.get(&path).await?;
        let head = api.send("HEAD", &path, &[], "").await?;
        got.status(200)?;
        head.status(200)?.empty()?;
        for name in ["content-type", "etag", "vary", "cache-control"] {
            head.header(name, got.value(name))?;
        }
    }
    Ok(())
}

async fn length(api: &Api) -> Outcome {
    let (product, _) = make(api, &product(api)).await?;
    for path in ["/", "/oscheck", "/problems", "/openapi.yaml", &product] {
        let got = api.get(path).await?;
        let length = got.status(200)?.body().len().to_string();
        let head = api.send("HEAD", path, &[], "").await?;
        head.status(200)?.header("content-length", &length)?;
    }
    Ok(())
}

async fn head_of_nothing(api: &Api) -> Outcome {
    let target = format!("/nosqldata/{}", api.unique());
    let head = api.send("HEAD", &target, &[], "").await?;
    head.status(404)?
        .header("content-type", "application/problem+json")?
        .empty()?;
    Ok(())
}

async fn options(api: &Api) -> Outcome {
    for (path, methods) in paths(api).await? {
        let options = api.send("OPTIONS", &path, &[], "").await?;
        options.status(204)?.allow(methods)?.empty()?;
    }
    Ok(())
}

async fn options_of_start_api(api: &Api) -> Outcome {
    for (path, _) in paths(api).await? {
        let options = api.send("OPTIONS", &path, &[], "").await?;
        options.status(200)?.header("allow", "")?.empty()?;
    }
    Ok(())
}

/// Who may call is for the gateway to say, by the deployment's parameters. No
/// function allows another origin anything.
async fn preflight(api: &Api) -> Outcome {
    let headers = [
        ("origin", "https://shop.example"),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "content-type"),
    ];
    let options = api.send("OPTIONS", "/nosqldata", &headers, "").await?;
    options.status(204)?.empty()?;
    Ok(())
}

async fn wrong(api: &Api) -> Outcome {
    for (path, methods) in paths(api).await? {
        for method in ["POST", "PUT", "PATCH", "DELETE"] {
            if !methods.contains(method) {
                let refused = api.send(method, &path, &[], "").await?;
                refused.problem(405, "method-not-allowed")?.allow(methods)?;
            }
        }
    }
    Ok(())
}

async fn wrong_first(api: &Api) -> Outcome {
    let headers = [("if-match", "?"), ("content-type", "application/json")];
    let body = vec![b'{'; 300_000];
    let refused = api.send("PUT", "/nosqldata", &headers, body).await?;
    refused.problem(405, "method-not-allowed")?.allow(LIST)?;
    Ok(())
}
