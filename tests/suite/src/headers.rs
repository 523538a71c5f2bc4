//! Headers, as gateways join, split and add them.

use super::{case, make, product};
use crate::surfaces::{Api, Case, Kind, Outcome};

pub fn cases() -> Vec<Case> {
    vec![
        case!("cookies change nothing", cookies),
        case!("a header in several lines is one list", several_lines).differs(
            &[Kind::Watch],
            "hands on the first of several lines of a header",
            |api| Box::pin(first_line(api)),
        ),
        case!("long headers arrive", long),
        case!("a traceparent, good or bad, changes nothing", traceparent),
        case!("each problem has the id of its own request", request_id),
        case!("no caller can make the deadline longer", deadline),
        case!("a body that is announced by Expect", expect),
    ]
}

async fn cookies(api: &Api) -> Outcome {
    let several = [("cookie", "a=1"), ("cookie", "b=2; c=3"), ("cookie", "a=4")];
    for cookies in [
        &[("cookie", "session=abc")][..],
        &[("cookie", "a=1; b=\"two words\"; c=%C3%A9; d=; =; e")],
        &several,
    ] {
        for path in ["/", "/nosqldata?limit=1", "/mysqldata?limit=1"] {
            let answer = api.get_with(path, cookies).await?;
            answer.status(200)?.header("set-cookie", "")?;
        }
    }
    Ok(())
}

async fn several_lines(api: &Api) -> Outcome {
    let accept = [
        ("accept", "application/json;q=0.1"),
        ("accept", "text/plain"),
    ];
    let text = api.get_with("/", &accept).await?;
    text.status(200)?.text("Hello KEA!")?;
    let (path, made) = make(api, &product(api)).await?;
    let known = [
        ("if-none-match", "\"a\""),
        ("if-none-match", made.value("etag")),
    ];
    let read = api.get_with(&path, &known).await?;
    read.status(304)?;
    Ok(())
}

async fn first_line(api: &Api) -> Outcome {
    for (first, second, body) in [
        (
            "application/json",
            "text/plain",
            r#"{"message":"Hello Kea"}"#,
        ),
        ("text/plain", "application/json", "Hello KEA!"),
    ] {
        let accept = [("accept", first), ("accept", second)];
        let answer = api.get_with("/", &accept).await?;
        answer.status(200)?.text(body)?;
    }
    Ok(())
}

/// API Gateway takes 10,240 bytes of request line and headers.
async fn long(api: &Api) -> Outcome {
    let cookie = format!("session={}", "x".repeat(7_000));
    let answer = api.get_with("/", &[("cookie", &cookie)]).await?;
    answer.status(200)?;
    Ok(())
}

async fn traceparent(api: &Api) -> Outcome {
    for value in [
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-0000000000000000-00",
        "nonsense",
    ] {
        let headers = [("traceparent", value), ("tracestate", "a=1,b=2")];
        let answer = api.get_with("/health/mysqldata", &headers).await?;
        answer.status(200)?;
    }
    Ok(())
}

async fn request_id(api: &Api) -> Outcome {
    let path = format!("/nosqldata/{}", api.unique());
    let first = api.get(&path).await?;
    let second = api.get(&path).await?;
    let ids = [first.text_at("/requestId")?, second.text_at("/requestId")?];
    second.that(ids[0] != ids[1], "another requestId than before")?;
    second
        .problem(404, "not-found")?
        .member("/instance", path.as_str())?;
    Ok(())
}

async fn deadline(api: &Api) -> Outcome {
    for value in ["3600000", "-1", "soon"] {
        let headers = [("x-request-deadline", value)];
        let answer = api.get_with("/nosqldata?limit=1", &headers).await?;
        answer.status(200)?;
    }
    let none = api
        .get_with("/nosqldata", &[("x-request-deadline", "0")])
        .await?;
    none.problem(503, "service-unavailable")?;
    Ok(())
}

async fn expect(api: &Api) -> Outcome {
    let product = product(api);
    let headers = [("expect", "100-continue")];
    let made = api.json("POST", "/nosqldata", &headers, &product).await?;
    made.status(201)?;
    Ok(())
}
