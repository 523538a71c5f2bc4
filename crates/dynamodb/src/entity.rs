//! The items of a table: content that clients write, and members that the service
//! sets.

use std::{fmt::Display, str::FromStr};

use dto::Timestamp;
use json::{FromJson, Int, Schema, ToJson};
use serde::Serialize;
use uuid::Uuid;

/// A resource that a [`Table`](crate::Table) holds.
///
/// Its item has the members of the content as attributes, beside `id`, `etag`,
/// `version`, `createdAt` and `updatedAt`.
pub trait Entity: Sized {
    /// The id, whose text is the partition key of the table.
    type Id: Clone + Ord + Display + FromStr;

    /// The content: a struct that derives `FromJson` and `ToJson`.
    type Content: FromJson + ToJson;

    /// The entity of these parts.
    fn new(id: Self::Id, content: Self::Content, revision: Revision) -> Self;

    /// Its id.
    fn id(&self) -> &Self::Id;

    /// The content that clients write.
    fn content(&self) -> &Self::Content;

    /// The members that the service sets with every write.
    fn revision(&self) -> &Revision;
}

/// The members that a service sets with every write of an entity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Schema)]
#[serde(rename_all = "camelCase")]
pub struct Revision {
    /// 1 when the resource is created; every write adds 1.
    pub version: Int<1, { i64::MAX }>,
    /// When the resource was created.
    pub created_at: Timestamp,
    /// When the resource was last written.
    pub updated_at: Timestamp,
    /// The strong entity tag, without quotes. Every write generates one, so that
    /// none is used twice, even if an entity is deleted and created again.
    #[serde(skip)]
    pub etag: String,
}

impl Revision {
    /// The revision of an entity that is created now.
    #[must_use]
    pub fn first() -> Self {
        let now = Timestamp::now();
        Self {
            version: Int::MIN,
            created_at: now,
            updated_at: now,
            etag: new_etag(),
        }
    }

    /// Whether the write of this revision created the entity.
    #[must_use]
    pub fn is_first(&self) -> bool {
        self.version == Int::MIN
    }
}

/// Generates an entity tag.
pub(crate) fn new_etag() -> String {
    Uuid::now_v7().to_string()
}
