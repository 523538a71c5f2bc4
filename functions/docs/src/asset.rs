//! What is embedded, and how it is handed out: compressed as the client takes
//! it, with an entity tag, and not at all to a client that has it.

use std::io::Read;

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use chassis::{Input, Problem, negotiate, reply};
use dto::problem::ProblemType;
use flate2::read::GzDecoder;
use http::{
    HeaderMap, HeaderValue,
    header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, REFERRER_POLICY, VARY},
};

include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

/// A file that is embedded, in each form that a client may take it in.
#[derive(Debug)]
pub struct Asset {
    /// Its media type.
    pub media_type: &'static str,
    /// A hash of its content.
    pub hash: &'static str,
    /// Its content, compressed by brotli.
    pub brotli: &'static [u8],
    /// Its content, compressed by gzip.
    pub gzip: &'static [u8],
}

/// How long a client may keep what it got.
#[derive(Debug, Clone, Copy)]
pub enum Cached {
    /// For ever: its name holds its hash.
    ForEver,
    /// It may keep it, and asks each time whether it is still so.
    Asked,
}

/// The asset that has this name.
pub fn named(name: &str) -> Option<&'static Asset> {
    ASSETS
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, asset)| asset)
}

/// The answer to a request for `asset`: 200, or 304 to a client that has it.
///
/// # Errors
///
/// A 400 problem if a precondition cannot be parsed, then the problem that there
/// is in place of an asset, then a 412 one if `If-Match` does not hold.
pub fn answer(
    asset: Result<&Asset, Problem>,
    mut input: Input,
    cached: Cached,
) -> Result<Response, Problem> {
    let preconditions = input.preconditions();
    let coding = negotiate::coding(&input.headers, &["br", "gzip"]);
    input.finish(Some(()))?;
    let asset = asset?;

    // Each form has a tag of its own, because its bytes differ.
    let tag = match coding {
        Some(coding) => format!("{}-{coding}", asset.hash),
        None => asset.hash.to_owned(),
    };
    if !preconditions.matches(Some(&tag)) {
        let detail = "What is here is not as If-Match demands.";
        return Err(Problem::new(ProblemType::PreconditionFailed, detail));
    }
    let mut response = if preconditions.none_match_fails(Some(&tag)) {
        reply::not_modified(&tag)
    } else {
        let mut response = reply::with_etag(asset.body(coding)?.into_response(), &tag);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(asset.media_type));
        if let Some(coding) = coding {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding));
        }
        response
    };
    let headers = response.headers_mut();
    headers.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
    headers.insert(CACHE_CONTROL, cached.header());
    protect(headers);
    Ok(response)
}

impl Asset {
    /// Its content in one form.
    fn body(&self, coding: Option<&'static str>) -> Result<Body, Problem> {
        match coding {
            Some("br") => Ok(self.brotli.into()),
            Some(_) => Ok(self.gzip.into()),
            // Browsers and most libraries take one of the two; for the rest it
            // is not worth carrying every file a third time.
            None => {
                let mut content = Vec::new();
                let read = GzDecoder::new(self.gzip).read_to_end(&mut content);
                read.map_err(Problem::internal)?;
                Ok(content.into())
            }
        }
    }
}

impl Cached {
    fn header(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::ForEver => "public, max-age=31536000, immutable",
            Self::Asked => "no-cache",
        })
    }
}

/// Has browsers send no one the page that a link was on.
pub fn protect(headers: &mut HeaderMap) {
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_holds_the_same_and_fits_a_response() {
        let pages = [&ARCHITECTURE, &DOCS, &REDOC, &OPENAPI_JSON, &OPENAPI_YAML];
        for asset in pages
            .into_iter()
            .chain(ASSETS.iter().map(|(_, asset)| asset))
        {
            let mut content = Vec::new();
            GzDecoder::new(asset.gzip)
                .read_to_end(&mut content)
                .unwrap();
            assert!(asset.brotli.len() <= asset.gzip.len() + 64);
            // Lambda's limit is 6 MB, of base64 where it is compressed. What is
            // not is JSON text, where quotes and line ends take two bytes.
            assert!(asset.gzip.len() * 4 / 3 < 5_000_000, "{}", asset.media_type);
            let escaped = serde_json::to_string(&String::from_utf8(content).unwrap()).unwrap();
            assert!(escaped.len() < 5_000_000, "{}", asset.media_type);
        }
    }

    #[test]
    fn nothing_names_another_host_to_fetch_from() {
        for (name, asset) in ASSETS {
            let mut content = String::new();
            GzDecoder::new(asset.gzip)
                .read_to_string(&mut content)
                .unwrap();
            for host in ["cdn.redoc.ly", "fonts.googleapis", "unpkg.com", "jsdelivr"] {
                assert!(!content.contains(host), "{name} names {host}");
            }
            assert!(
                !content.contains("\n//# sourceMappingURL"),
                "{name} has a source map"
            );
        }
    }
}
