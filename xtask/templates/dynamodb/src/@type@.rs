//! @A@ @type@ and its rules.
//!
//! Each field is stated once, in [`@Type@Content`]: that type reads, stores, returns
//! and documents it.

use dynamodb::Revision;
use json::{FromJson, Schema, Text, ToJson};
use serde::Serialize;
use uuid::Uuid;

/// The id of @a@ @type@: a `UUIDv7`, which the service generates.
pub(crate) type @Type@Id = Text<36, 36>;

/// What a client sends of @a@ @type@.
#[derive(Debug, Clone, PartialEq, Serialize, FromJson, ToJson, Schema)]
#[serde(rename_all = "camelCase")]
#[json(read_only("id", "version", "createdAt", "updatedAt"))]
#[schema(request = "@Type@Content")]
pub(crate) struct @Type@Content {
    /// The name of the @type@.
    pub(crate) name: Text<1, 200>,
    /// A free-text note, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) note: Option<Text<1, 2_000>>,
}

/// @A@ @type@.
#[derive(Debug, Clone, PartialEq, Serialize, Schema)]
pub(crate) struct @Type@ {
    /// The id of the @type@.
    pub(crate) id: @Type@Id,
    #[serde(flatten)]
    pub(crate) content: @Type@Content,
    #[serde(flatten)]
    pub(crate) revision: Revision,
}

impl @Type@ {
    /// @A@ @type@ that is created now; the error is never returned, because each UUID
    /// has 36 characters.
    pub(crate) fn create(content: @Type@Content) -> Result<Self, String> {
        Ok(Self {
            id: Uuid::now_v7().to_string().parse()?,
            content,
            revision: Revision::first(),
        })
    }
}
