//! Responses, as an API Gateway HTTP API expects them.

use base64::{display::Base64Display, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::HeaderMap;
use serde::{Serialize, Serializer};

/// A response, as an HTTP API expects it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GatewayResponse {
    status_code: u16,
    #[serde(serialize_with = "write_headers")]
    headers: HeaderMap,
    // `cargo lambda watch` requires these two members.
    multi_value_headers: NoMembers,
    cookies: [(); 0],
    body: GatewayBody,
    is_base64_encoded: bool,
}

#[derive(Debug, Serialize)]
struct NoMembers {}

/// A body: text as it is, and anything else in base64.
#[derive(Debug)]
struct GatewayBody(Bytes);

impl GatewayBody {
    fn as_text(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }
}

impl Serialize for GatewayBody {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.as_text() {
            Some(text) => serializer.serialize_str(text),
            None => serializer.collect_str(&Base64Display::new(&self.0, &STANDARD)),
        }
    }
}

impl GatewayResponse {
    pub(super) async fn of(response: axum::response::Response) -> Self {
        let (parts, body) = response.into_parts();
        // A body is in memory already, so reading it does not fail.
        let body = axum::body::to_bytes(body, usize::MAX).await;
        let body = GatewayBody(body.unwrap_or_default());
        Self {
            status_code: parts.status.as_u16(),
            headers: parts.headers,
            multi_value_headers: NoMembers {},
            cookies: [],
            is_base64_encoded: body.as_text().is_none(),
            body,
        }
    }
}

/// Values of the same name are one, with commas between them.
fn write_headers<S: Serializer>(headers: &HeaderMap, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(headers.keys().map(|name| {
        let values = headers.get_all(name).iter();
        let values: Vec<_> = values
            .map(|value| String::from_utf8_lossy(value.as_bytes()))
            .collect();
        (name.as_str(), values.join(", "))
    }))
}
