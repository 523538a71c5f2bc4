//! The pages, the OpenAPI document and the assets.

use chassis::{
    Problem,
    http::{Id, Request},
};

use crate::asset::{self, AssetName, Download, File, Html, Icon, Json, Served, Yaml};

/// `GET /architecture`: the diagrams.
pub(crate) async fn architecture(
    Request(download): Request<Download>,
) -> Result<Served<Html>, Problem> {
    download.serve(&asset::ARCHITECTURE)
}

/// `GET /docs`: Swagger UI.
pub(crate) async fn docs(Request(download): Request<Download>) -> Result<Served<Html>, Problem> {
    download.serve(&asset::DOCS)
}

/// `GET /redoc`: `ReDoc`.
pub(crate) async fn redoc(Request(download): Request<Download>) -> Result<Served<Html>, Problem> {
    download.serve(&asset::REDOC)
}

/// `GET /openapi.json`: the document.
pub(crate) async fn openapi_json(
    Request(download): Request<Download>,
) -> Result<Served<Json>, Problem> {
    download.serve(&asset::OPENAPI_JSON)
}

/// `GET /openapi.yaml`: the same document.
pub(crate) async fn openapi_yaml(
    Request(download): Request<Download>,
) -> Result<Served<Yaml>, Problem> {
    download.serve(&asset::OPENAPI_YAML)
}

/// `GET /docs/{asset}`: an asset of the pages.
pub(crate) async fn asset(
    Request((Id(AssetName(asset)), download)): Request<(Id<AssetName>, Download)>,
) -> Result<Served<File>, Problem> {
    download.serve(asset)
}

/// `GET /favicon.ico`: the icon, for browsers that show plain JSON.
pub(crate) async fn favicon(Request(download): Request<Download>) -> Result<Served<Icon>, Problem> {
    download.serve(&asset::FAVICON)
}
