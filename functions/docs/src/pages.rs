//! The pages, the OpenAPI document and the assets.

use chassis::{
    Problem,
    http::{Id, Request},
};

use crate::asset::{self, AssetName, Caching, Download, File, Html, Icon, Json, Served, Yaml};

/// The content security policy of each page: nothing from another host, no inline script, no
/// `eval`; and no other page may frame it.
macro_rules! policy {
    ($($also:literal),* $(,)?) => {
        concat!(
            "default-src 'none'; script-src 'self'; connect-src 'self'; base-uri 'none'; ",
            "form-action 'none'; frame-ancestors 'none'",
            $("; ", $also),*
        )
    };
}

/// Swagger UI draws its icons as `data:` images.
const DOCS_POLICY: &str = policy!("style-src 'self'", "img-src 'self' data:");

/// `ReDoc` creates style elements that are empty or have one rule, and fills
/// them by script: the hashes are those of these two texts. It searches in a
/// worker.
const REDOC_POLICY: &str = policy!(
    "style-src 'self' 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=' \
     'sha256-QMIg+bpjm3JdElJ388KYke01izlUW0UoNOeKjpMxdgc='",
    "img-src 'self' data:",
    "worker-src blob:",
);

/// Images of our own, and the script that enlarges them.
const ARCHITECTURE_POLICY: &str = policy!("style-src 'self'", "img-src 'self'");

/// `GET /architecture`: the diagrams.
pub(crate) async fn architecture(
    Request(download): Request<Download>,
) -> Result<Served<Html>, Problem> {
    let page = download.serve(&asset::ARCHITECTURE, Caching::Revalidate)?;
    Ok(page.with_policy(ARCHITECTURE_POLICY))
}

/// `GET /docs`: Swagger UI.
pub(crate) async fn docs(Request(download): Request<Download>) -> Result<Served<Html>, Problem> {
    let page = download.serve(&asset::DOCS, Caching::Revalidate)?;
    Ok(page.with_policy(DOCS_POLICY))
}

/// `GET /redoc`: `ReDoc`.
pub(crate) async fn redoc(Request(download): Request<Download>) -> Result<Served<Html>, Problem> {
    let page = download.serve(&asset::REDOC, Caching::Revalidate)?;
    Ok(page.with_policy(REDOC_POLICY))
}

/// `GET /openapi.json`: the document.
pub(crate) async fn openapi_json(
    Request(download): Request<Download>,
) -> Result<Served<Json>, Problem> {
    download.serve(&asset::OPENAPI_JSON, Caching::Revalidate)
}

/// `GET /openapi.yaml`: the same document.
pub(crate) async fn openapi_yaml(
    Request(download): Request<Download>,
) -> Result<Served<Yaml>, Problem> {
    download.serve(&asset::OPENAPI_YAML, Caching::Revalidate)
}

/// `GET /docs/{asset}`: an asset of the pages.
pub(crate) async fn asset(
    Request((Id(AssetName(asset)), download)): Request<(Id<AssetName>, Download)>,
) -> Result<Served<File>, Problem> {
    download.serve(asset, Caching::Immutable)
}

/// `GET /favicon.ico`: the icon, for browsers that show plain JSON.
pub(crate) async fn favicon(Request(download): Request<Download>) -> Result<Served<Icon>, Problem> {
    download.serve(&asset::FAVICON, Caching::Revalidate)
}
