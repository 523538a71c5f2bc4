//! The embedded files and how they are served: with the content coding that the
//! client prefers and an entity tag.

use std::{io::Read, marker::PhantomData, str::FromStr};

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use chassis::http::{
    AnyQuery, Fetched, Incoming, Part, Preconditions, Problem, RequestErrors, Resource,
    content_coding, vary,
};
use flate2::read::GzDecoder;
use http::{
    HeaderMap, HeaderValue,
    header::{
        CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY,
    },
};

include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

/// A file that is embedded in two content codings.
#[derive(Debug)]
pub(crate) struct Asset {
    /// Its media type.
    pub(crate) media_type: &'static str,
    /// A hash of its content.
    pub(crate) hash: &'static str,
    /// Its content, compressed with Brotli.
    pub(crate) brotli: &'static [u8],
    /// Its content, compressed with gzip.
    pub(crate) gzip: &'static [u8],
}

/// How long a client may keep a response.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Caching {
    /// For ever: the name has a hash of the content.
    Immutable,
    /// Until it is requested again: the client revalidates it.
    Revalidate,
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

/// What a request for an embedded file says: preconditions, accepted codings,
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

    #[cfg(feature = "openapi")]
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
    pub(crate) fn serve<K>(&self, asset: &Asset, caching: Caching) -> Result<Served<K>, Problem> {
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
        let mut response = match self.preconditions.evaluate(&etag)? {
            Fetched::Modified(()) => self.body(asset)?,
            Fetched::NotModified(()) => http::StatusCode::NOT_MODIFIED.into_response(),
        };
        let headers = response.headers_mut();
        if let Ok(etag) = HeaderValue::from_str(&format!("\"{etag}\"")) {
            headers.insert(http::header::ETAG, etag);
        }
        headers.insert(CACHE_CONTROL, caching.header());
        protect(headers);
        Ok(Served {
            response: vary(response, "Accept-Encoding"),
            kind: PhantomData,
        })
    }
}
