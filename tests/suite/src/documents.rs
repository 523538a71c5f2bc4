//! The documentation: large answers, and compressed ones.

use std::io::Read;

use brotli_decompressor::Decompressor;
use flate2::read::GzDecoder;

use super::case;
use crate::surfaces::{Answer, Api, Case, Outcome};

pub fn cases() -> Vec<Case> {
    vec![
        case!("the OpenAPI document", document),
        case!("the pages of the documentation", pages),
        case!("what problems mean", problems),
        case!("binary answers arrive byte for byte", compressed),
        case!("large answers arrive whole", large),
        case!("an asset that is known already is 304", not_modified),
    ]
}

async fn document(api: &Api) -> Outcome {
    let document = api.get("/openapi.json").await?;
    let version = document.status(200)?.text_at("/openapi")?;
    document.that(version.starts_with("3.1"), "OpenAPI 3.1")?;
    let yaml = api.get("/openapi.yaml").await?;
    let begins = yaml.body().starts_with(b"openapi: ");
    yaml.status(200)?.that(begins, "the document as YAML")?;
    Ok(())
}

async fn pages(api: &Api) -> Outcome {
    for path in ["/docs", "/redoc"] {
        let page = api.get(path).await?;
        assets(&page)?;
        page.header("content-type", "text/html; charset=utf-8")?
            .header("x-content-type-options", "nosniff")?;
    }
    let icon = api.get("/favicon.ico").await?;
    icon.status(200)?.header("content-type", "image/svg+xml")?;
    Ok(())
}

async fn problems(api: &Api) -> Outcome {
    let list = api.get("/problems").await?;
    list.status(200)?.text_at("/items/0/type")?;
    let one = api.get("/problems/not-found").await?;
    one.status(200)?.member("/status", 404)?;
    let html = [("accept", "text/html")];
    let page = api.get_with("/problems/not-found", &html).await?;
    page.status(200)?
        .header("content-type", "text/html; charset=utf-8")?;
    Ok(())
}

async fn compressed(api: &Api) -> Outcome {
    let page = api.get("/docs").await?;
    for path in assets(&page)? {
        let plain = api.get(&path).await?;
        plain.status(200)?.header("content-encoding", "")?;
        let brotli = api.get_with(&path, &[("accept-encoding", "br")]).await?;
        brotli.status(200)?.header("content-encoding", "br")?;
        let whole = read(Decompressor::new(&brotli.body()[..], 4096));
        brotli.that(
            whole.as_deref() == Some(&plain.body()[..]),
            "what it is without brotli",
        )?;
        let gzip = api.get_with(&path, &[("accept-encoding", "gzip")]).await?;
        gzip.status(200)?.header("content-encoding", "gzip")?;
        let whole = read(GzDecoder::new(&gzip.body()[..]));
        gzip.that(
            whole.as_deref() == Some(&plain.body()[..]),
            "what it is without gzip",
        )?
        .header("vary", "Accept-Encoding")?
        .that(
            gzip.value("etag") != brotli.value("etag"),
            "an etag of its own",
        )?;
    }
    Ok(())
}

async fn large(api: &Api) -> Outcome {
    let page = api.get("/redoc").await?;
    let mut largest = 0;
    for path in assets(&page)? {
        let asset = api.get(&path).await?;
        largest = largest.max(asset.status(200)?.body().len());
    }
    page.that(largest > 500_000, "an asset of more than 500,000 bytes")?;
    Ok(())
}

async fn not_modified(api: &Api) -> Outcome {
    let page = api.get("/docs").await?;
    for path in assets(&page)?.into_iter().take(1) {
        let brotli = [("accept-encoding", "br")];
        let etag = api.get_with(&path, &brotli).await?.value("etag").to_owned();
        let known = [brotli[0], ("if-none-match", &etag)];
        let again = api.get_with(&path, &known).await?;
        again
            .status(304)?
            .header("etag", &etag)?
            .header("cache-control", "public, max-age=31536000, immutable")?
            .empty()?;
    }
    Ok(())
}

/// What a page loads.
fn assets(page: &Answer) -> Outcome<Vec<String>> {
    let text = String::from_utf8_lossy(page.status(200)?.body());
    let quoted = text.split('"').filter(|part| part.starts_with("/docs/"));
    let assets: Vec<_> = quoted.map(str::to_owned).collect();
    page.that(!assets.is_empty(), "a page that loads assets")?;
    Ok(assets)
}

fn read(mut reader: impl Read) -> Option<Vec<u8>> {
    let mut whole = Vec::new();
    reader.read_to_end(&mut whole).ok()?;
    Some(whole)
}
