// region: mysqldata nosqldata
//! A product: created, replaced, patched and deleted.

use http::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::model::{Model, NoSuchTransition};
use crate::Client;

/// The state of a product, from which the writes that led to it can be derived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Product {
    /// Its version.
    pub version: u64,
    /// The number of the last `PUT`, of which a `PATCH` leaves the rest.
    pub put: usize,
    /// The number of the last write.
    pub last: usize,
}

/// A write to a product. The number of a `PUT` or a `PATCH` becomes part of the
/// content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Write {
    /// `PUT`.
    Put(usize),
    /// `PATCH` of a part of the product.
    Patch(usize),
    /// `DELETE`.
    Delete,
}

impl Model for Product {
    type Write = Write;

    const INITIAL: Option<Self> = None;

    const OPERATIONS: usize = 60;

    async fn create(_: &Client) -> Option<(String, Option<String>)> {
        let id = Uuid::now_v7().simple();
        Some((format!("/nosqldata/linearizability-{id}"), None))
    }

    fn random_write(number: usize) -> Write {
        match fastrand::u8(..8) {
            0..4 => Write::Put(number),
            4..7 => Write::Patch(number),
            _ => Write::Delete,
        }
    }

    fn request(write: Write) -> (Method, Option<Value>) {
        match write {
            Write::Put(number) => {
                let product = json!({
                    "name": "Linearizability",
                    "category": "linearizability",
                    "price": {"amount": number, "currency": "DKK"},
                    "attributes": {"last": number},
                });
                (Method::PUT, Some(product))
            }
            Write::Patch(number) => {
                let patch = json!({"attributes": {"last": number}});
                (Method::PATCH, Some(patch))
            }
            Write::Delete => (Method::DELETE, None),
        }
    }

    fn read(body: &Value) -> Option<Self> {
        let number = |value: &Value| usize::try_from(value.as_u64()?).ok();
        Some(Self {
            version: body["version"].as_u64()?,
            put: number(&body["price"]["amount"])?,
            last: number(&body["attributes"]["last"])?,
        })
    }

    fn needs_resource(write: Write) -> bool {
        !matches!(write, Write::Put(_))
    }

    fn apply(write: Write, before: Option<Self>) -> Result<Option<Self>, NoSuchTransition> {
        let version = before.map_or(0, |product| product.version) + 1;
        Ok(match write {
            Write::Put(number) => Some(Self {
                version,
                put: number,
                last: number,
            }),
            Write::Patch(last) => before.map(|Self { put, .. }| Self { version, put, last }),
            Write::Delete => None,
        })
    }
}
// endregion
