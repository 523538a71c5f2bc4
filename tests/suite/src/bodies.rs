//! Bodies: unicode, binary ones, none, and too large ones.

use serde_json::json;

use super::{case, make, product};
use crate::surfaces::{Api, Case, Kind, Outcome};

const JSON: [(&str, &str); 1] = [("content-type", "application/json")];

/// The most bytes that a body may have.
const MOST: usize = 256 * 1024;

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\x00\xff\xfe";

/// `{}`.
const GZIP: &[u8] =
    b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xab\xae\x05\x00\x43\xbf\xa6\xa3\x02\x00\x00\x00";

const START_API: &str = "answers a body that is no UTF-8 with a 502 of its own";

const NO_UTF8: &[u8] = b"{\"name\":\"\xff\xfe\"}";

pub fn cases() -> Vec<Case> {
    vec![
        case!("unicode in a body, as it is and escaped", unicode),
        case!("an empty body is 400", empty),
        case!("a body of no media type is 415", untyped),
        case!("a body of another media type is 415", mistyped),
        case!("a binary body is 415", binary).differs(&[Kind::StartApi], START_API, |api| {
            Box::pin(start_api_refuses(api))
        }),
        case!(
            "a binary body that is said to be text or JSON",
            binary_as_text
        )
        .differs(
            &[Kind::Watch],
            "answers bytes that are not the text they are said to be with a 500 of its own",
            |api| Box::pin(watch_refuses(api)),
        )
        .differs(&[Kind::StartApi], START_API, |api| {
            Box::pin(start_api_refuses(api))
        }),
        case!("a media type with a charset", charset),
        case!("malformed JSON is 400", malformed),
        case!("a patch that is no UTF-8 is 400", no_utf8_patch).differs(
            &[Kind::StartApi],
            START_API,
            |api| Box::pin(start_api_refuses(api)),
        ),
        case!("as large as a body may be", largest),
        case!("a body of more than 256 KiB is 413", too_large),
        case!("a GET with a body", get_with_body),
    ]
}

async fn unicode(api: &Api) -> Outcome {
    let name = "Tasse à café — 日本語のカップ 🫖 \u{202e}\u{feff}e\u{301}";
    let mut product = product(api);
    product["name"] = name.into();
    product["attributes"] = json!({"ключ": "значение", "": "\u{10ffff}", "nul": "\u{0}"});
    let (path, made) = make(api, &product).await?;
    made.member("/name", name)?
        .member("/attributes", product["attributes"].clone())?;
    let read = api.get(&path).await?;
    read.that(read.body() == made.body(), "the same bytes")?;

    let escapes = r#"{"name":"caf\u00e9 \ud83e\uded6"}"#;
    let patched = api.send("PATCH", &path, &JSON, escapes).await?;
    patched.status(200)?.member("/name", "café 🫖")?;
    Ok(())
}

async fn empty(api: &Api) -> Outcome {
    for list in ["/nosqldata", "/mysqldata"] {
        let refused = api.send("POST", list, &JSON, "").await?;
        refused.faults(400, "malformed-request", &[""])?;
    }
    Ok(())
}

async fn untyped(api: &Api) -> Outcome {
    for body in [r#"{"name":"Cup"}"#, ""] {
        let refused = api.send("POST", "/nosqldata", &[], body).await?;
        refused
            .problem(415, "unsupported-media-type")?
            .header("accept", "application/json")?;
    }
    Ok(())
}

async fn mistyped(api: &Api) -> Outcome {
    let (path, _) = make(api, &product(api)).await?;
    for media_type in [
        "text/plain",
        "application/octet-stream",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/xml",
        "image/png",
    ] {
        let headers = [("content-type", media_type)];
        let refused = api.send("POST", "/nosqldata", &headers, "a=1").await?;
        refused.problem(415, "unsupported-media-type")?;
        let refused = api.send("PATCH", &path, &headers, "{}").await?;
        refused.problem(415, "unsupported-media-type")?.header(
            "accept-patch",
            "application/merge-patch+json, application/json",
        )?;
    }
    Ok(())
}

async fn binary(api: &Api) -> Outcome {
    for media_type in ["application/octet-stream", "image/png"] {
        let headers = [("content-type", media_type)];
        let refused = api.send("POST", "/nosqldata", &headers, PNG).await?;
        refused.problem(415, "unsupported-media-type")?;
    }
    Ok(())
}

async fn binary_as_text(api: &Api) -> Outcome {
    let text = [("content-type", "text/plain")];
    let refused = api.send("POST", "/nosqldata", &text, PNG).await?;
    refused.problem(415, "unsupported-media-type")?;
    let gzip = [JSON[0], ("content-encoding", "gzip")];
    let refused = api.send("POST", "/nosqldata", &gzip, GZIP).await?;
    refused.problem(415, "unsupported-media-type")?;
    let refused = api.send("POST", "/nosqldata", &JSON, NO_UTF8).await?;
    refused.faults(400, "malformed-request", &[""])?;
    Ok(())
}

async fn watch_refuses(api: &Api) -> Outcome {
    for (media_type, body) in [("text/plain", PNG), ("application/json", NO_UTF8)] {
        let headers = [("content-type", media_type)];
        let refused = api.send("POST", "/nosqldata", &headers, body).await?;
        refused
            .status(500)?
            .header("content-type", "text/plain; charset=utf-8")?;
    }
    Ok(())
}

async fn start_api_refuses(api: &Api) -> Outcome {
    for (media_type, body) in [
        ("application/octet-stream", PNG),
        ("text/plain", PNG),
        ("application/json", NO_UTF8),
    ] {
        let headers = [("content-type", media_type)];
        let refused = api.send("POST", "/nosqldata", &headers, body).await?;
        refused
            .status(502)?
            .member("/message", "Internal server error")?;
    }
    Ok(())
}

async fn charset(api: &Api) -> Outcome {
    let product = product(api).to_string();
    for (media_type, status) in [
        ("application/json; charset=utf-8", 201),
        ("Application/JSON;charset=\"UTF-8\"", 201),
        ("application/json; charset=iso-8859-1", 415),
    ] {
        let headers = [("content-type", media_type)];
        let answer = api.send("POST", "/nosqldata", &headers, product.clone());
        answer.await?.status(status)?;
    }
    Ok(())
}

async fn malformed(api: &Api) -> Outcome {
    for body in ["{", "nonsense", "{\"name\":}", "\u{feff}{}", "{} {}", "'"] {
        let refused = api.send("POST", "/nosqldata", &JSON, body).await?;
        refused.faults(400, "malformed-request", &[""])?;
    }
    Ok(())
}

async fn no_utf8_patch(api: &Api) -> Outcome {
    let (path, _) = make(api, &product(api)).await?;
    let headers = [("content-type", "application/merge-patch+json")];
    let refused = api.send("PATCH", &path, &headers, NO_UTF8).await?;
    refused.faults(400, "malformed-request", &[""])?;
    Ok(())
}

async fn largest(api: &Api) -> Outcome {
    let mut body = product(api).to_string();
    body.push_str(&" ".repeat(MOST - body.len()));
    let made = api.send("POST", "/nosqldata", &JSON, body).await?;
    made.status(201)?;
    Ok(())
}

async fn too_large(api: &Api) -> Outcome {
    for (size, media_type) in [
        (MOST + 1, "application/json"),
        (3 * MOST, "application/json"),
        (2 * MOST, "application/octet-stream"),
    ] {
        let headers = [("content-type", media_type)];
        let body = vec![b'x'; size];
        let refused = api.send("POST", "/nosqldata", &headers, body).await?;
        refused.problem(413, "content-too-large")?;
    }
    Ok(())
}

async fn get_with_body(api: &Api) -> Outcome {
    let answer = api.send("GET", "/nosqldata?limit=1", &JSON, "{}").await?;
    answer.status(200)?;
    Ok(())
}
