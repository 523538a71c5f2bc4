//! The embedded files and how they are served: with the content coding that the
//! client prefers and an entity tag.

use std::{io::Read, marker::PhantomData, str::FromStr};

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use chassis::{
    Problem,
    http::{AnyQuery, Incoming, Part, Preconditions, RequestErrors, content_coding, vary},
};
use flate2::read::GzDecoder;
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{
        CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
        REFERRER_POLICY,
    },
};

include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

/// A file that is embedded in two content codings.
#[derive(Debug)]
pub(crate) struct Asset {
    /// Its media type.
    pub(crate) media_type: &'static str,
    /// How long a client may cache it.
    pub(crate) cache_control: &'static str,
    /// The content security policy of a page.
    pub(crate) policy: Option<&'static str>,
    /// A hash of its content.
    pub(crate) hash: &'static str,
    /// Its content, compressed with Brotli.
    pub(crate) brotli: &'static [u8],
    /// Its content, compressed with gzip.
    pub(crate) gzip: &'static [u8],
}

/// An asset, by the name that it has under `/docs/`.
#[derive(Debug)]
pub(crate) struct AssetName(pub(crate) &'static Asset);

impl FromStr for AssetName {
    type Err = &'static str;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let asset = ASSETS.iter().find(|(known, _)| *known == name);
        asset
            .map(|(_, asset)| Self(asset))
            .ok_or("must be the name of an asset")
    }
}

/// The parts of a request for an embedded file: preconditions, accepted codings,
/// and the base path of the links. Unknown query parameters are ignored.
#[derive(Debug)]
pub(crate) struct Download {
    preconditions: Preconditions,
    coding: Option<&'static str>,
    base_path: String,
}

impl Part for Download {
    fn read(request: &mut Incoming, errors: &mut RequestErrors) -> Option<Self> {
        AnyQuery::read(request, errors)?;
        Some(Self {
            preconditions: Preconditions::read(request, errors)?,
            coding: content_coding(&request.headers, &["br", "gzip"]),
            base_path: request.ctx.base_path.clone(),
        })
    }

    fn describe(operation: &mut chassis::http::openapi::Operation) {
        AnyQuery::describe(operation);
        Preconditions::describe(operation);
    }
}

impl Download {
    /// The response with `asset`: 200, or 304 if the client has it.
    ///
    /// # Errors
    ///
    /// A 412 problem if `If-Match` does not hold.
    pub(crate) fn serve<K>(&self, asset: &Asset) -> Result<Served<K>, Problem> {
        // Each coding, and each base path of the links, has its own bytes.
        let mut etag = asset.hash.to_owned();
        for part in self
            .coding
            .into_iter()
            .chain(self.base_path.split('/').skip(1))
        {
            etag.push('-');
            etag.push_str(part);
        }
        let mut response = if self.preconditions.is_modified(&etag)? {
            self.content(asset)?
        } else {
            StatusCode::NOT_MODIFIED.into_response()
        };
        let headers = response.headers_mut();
        if let Ok(etag) = HeaderValue::from_str(&format!("\"{etag}\"")) {
            headers.insert(ETAG, etag);
        }
        let cache_control = HeaderValue::from_static(asset.cache_control);
        headers.insert(CACHE_CONTROL, cache_control);
        if let Some(policy) = asset.policy {
            headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
        }
        set_referrer_policy(headers);
        Ok(Served {
            response: vary(response, "Accept-Encoding"),
            kind: PhantomData,
        })
    }

    fn content(&self, asset: &Asset) -> Result<Response, Problem> {
        let is_page = asset.media_type.starts_with("text/html");
        let (body, coding) = match self.coding {
            _ if is_page && !self.base_path.is_empty() => {
                let links = format!("=\"{}/", self.base_path);
                (decompress(asset)?.replace("=\"/", &links).into(), None)
            }
            Some("br") => (Body::from(asset.brotli), Some("br")),
            Some(_) => (Body::from(asset.gzip), Some("gzip")),
            // Nearly every client accepts one of the two, so no third copy is
            // embedded.
            None => (decompress(asset)?.into(), None),
        };
        let mut response = body.into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(asset.media_type));
        if let Some(coding) = coding {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding));
        }
        Ok(response)
    }
}

fn decompress(asset: &Asset) -> Result<String, Problem> {
    let mut content = String::new();
    let read = GzDecoder::new(asset.gzip).read_to_string(&mut content);
    read.map_err(Problem::internal)?;
    Ok(content)
}

/// Keeps browsers from sending other sites the address of a page.
pub(crate) fn set_referrer_policy(headers: &mut HeaderMap) {
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
}

/// A response with an embedded file. `K` is its kind in the OpenAPI document.
pub(crate) struct Served<K> {
    response: Response,
    kind: PhantomData<fn() -> K>,
}

impl<K> IntoResponse for Served<K> {
    fn into_response(self) -> Response {
        self.response
    }
}

/// Declares the kinds of files: a description and the media types.
macro_rules! kinds {
    ($($kind:ident = $description:literal, $type:literal, [$($media_type:literal),*];)*) => {
        $(
            #[doc = $description]
            pub(crate) struct $kind;

            impl chassis::http::openapi::DescribeOutput for Served<$kind> {
                fn describe(operation: &mut chassis::http::openapi::Operation) {
                    let headers = ["Cache-Control", "ETag", "Vary"];
                    let schema = json::schema::json!({ "type": $type });
                    let content = [$(($media_type, schema.clone())),*];
                    operation.response(200, $description, &headers, &content);
                    operation.response(304, "The client has this state already.", &headers, &[]);
                }
            }
        )*
    };
}

kinds! {
    Html = "The page.", "string", ["text/html"];
    Json = "The document.", "object", ["application/json"];
    Yaml = "The document.", "object", ["application/yaml"];
    Icon = "The icon.", "string", ["image/svg+xml"];
    File = "The asset.", "string", ["text/css", "text/javascript", "text/plain", "image/svg+xml"];
}

impl json::Schema for AssetName {
    fn schema(_: &mut json::schema::Components) -> json::schema::Json {
        json::schema::json!({ "type": "string", "description": "The name of an asset, from a page." })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_asset_fits_a_response() {
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
    fn no_asset_loads_from_another_host() {
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
