//! @A@ @type@ and its rules.

use dto::Timestamp;
use json::{FromJson, Schema, Text};
use serde::Serialize;
use uuid::Uuid;

/// The id of @a@ @type@: a `UUIDv7`, which the service generates.
pub(crate) type @Type@Id = Text<36, 36>;

/// The name of @a@ @type@.
pub(crate) type Name = Text<1, 200>;

/// A free-text note.
pub(crate) type Note = Text<1, 2_000>;

/// What a client sends of @a@ @type@.
#[derive(Debug, Clone, FromJson, Schema)]
#[json(read_only("id", "createdAt"))]
pub(crate) struct New@Type@ {
    /// The name of the @type@.
    pub(crate) name: Name,
    /// A free-text note, if there is one.
    pub(crate) note: Option<Note>,
}

/// @A@ @type@.
#[derive(Debug, Clone, Serialize, Schema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct @Type@ {
    /// The id of the @type@.
    pub(crate) id: @Type@Id,
    /// The name of the @type@.
    pub(crate) name: Name,
    /// A free-text note, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) note: Option<Note>,
    /// When the @type@ was created.
    pub(crate) created_at: Timestamp,
}

impl @Type@ {
    /// @A@ @type@ that is created now; the error is never returned, because each UUID
    /// has 36 characters.
    pub(crate) fn create(content: New@Type@) -> Result<Self, String> {
        Ok(Self {
            id: Uuid::now_v7().to_string().parse()?,
            name: content.name,
            note: content.note,
            created_at: Timestamp::now(),
        })
    }
}
