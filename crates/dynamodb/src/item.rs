//! An entity as the item of a table.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use dto::Timestamp;
use json::{FieldErrors, FromJson, Int, Location, Number, Object, ToJson, Value};

use crate::{
    Entity, Error, Revision,
    error::MalformedItem,
    value::{integer, string, to_attribute, to_json},
};

/// The attributes of an item by name.
pub(crate) type Item = HashMap<String, AttributeValue>;

/// The partition key of every table.
pub(crate) const ID: &str = "id";

pub(crate) const ETAG: &str = "etag";
pub(crate) const VERSION: &str = "version";
pub(crate) const CREATED_AT: &str = "createdAt";
pub(crate) const UPDATED_AT: &str = "updatedAt";

/// The attributes that the service sets.
const SET_BY_THE_SERVICE: &[&str] = &[ID, ETAG, VERSION, CREATED_AT, UPDATED_AT];

/// The key of the item with this id.
pub(crate) fn key<T: Entity>(id: &T::Id) -> Item {
    Item::from([(ID.to_owned(), string(id.to_string()))])
}

/// The item of an entity.
pub(crate) fn to_item<T: Entity>(entity: &T) -> Result<Item, Error> {
    let Revision {
        version,
        created_at,
        updated_at,
        etag,
    } = entity.revision();
    let set_by_the_service = [
        (ETAG, string(etag)),
        (VERSION, integer(version.get())),
        (CREATED_AT, string(created_at.to_string())),
        (UPDATED_AT, string(updated_at.to_string())),
    ];
    let mut item = key::<T>(entity.id());
    item.extend(set_by_the_service.map(|(name, value)| (name.to_owned(), value)));
    let members = members(entity.content())?.into_iter();
    item.extend(members.map(|(name, value)| (name, to_attribute(value))));
    Ok(item)
}

/// The members of an entity's content.
pub(crate) fn members(content: &impl ToJson) -> Result<Object, Error> {
    match content.to_json() {
        Some(Value::Object(members)) => Ok(members),
        _ => Err(Error::bug("the content of an entity is not a JSON object")),
    }
}

/// The entity of an item. An attribute that the content does not have is
/// ignored: a later version of the service may have written it.
pub(crate) fn from_item<T: Entity>(item: Item) -> Result<T, MalformedItem> {
    let mut item = Reader::new(item);
    let mut members = Object::new();
    for &name in T::Content::MEMBERS {
        if item.has(name) {
            members.insert(name, item.take(name, to_json)?);
        }
    }
    let mut errors = FieldErrors::new();
    let content = json::read(Value::Object(members), &mut errors);
    let content = content.ok_or_else(|| item.invalid(errors))?;
    let created_at = item.take(CREATED_AT, timestamp)?;
    let revision = Revision {
        version: item.take(VERSION, |value| match value {
            AttributeValue::N(number) => Number::parse(&number)?.as_i64().and_then(Int::new),
            _ => None,
        })?,
        created_at,
        // Of two writes at once, the one that created the item may have the later time.
        updated_at: item.take(UPDATED_AT, timestamp)?.max(created_at),
        etag: item.take(ETAG, text)?,
    };
    let id = item.take(ID, |id| text(id)?.parse().ok())?;
    Ok(T::new(id, content, revision))
}

/// An item while it is read.
pub(crate) struct Reader {
    id: String,
    item: Item,
}

impl Reader {
    pub(crate) fn new(item: Item) -> Self {
        let id = item.get(ID).and_then(|id| id.as_s().ok()).cloned();
        Self {
            id: id.unwrap_or_default(),
            item,
        }
    }

    fn has(&self, name: &str) -> bool {
        self.item.contains_key(name)
    }

    /// Takes and reads the attribute called `name`.
    pub(crate) fn take<V>(
        &mut self,
        name: &str,
        read: impl FnOnce(AttributeValue) -> Option<V>,
    ) -> Result<V, MalformedItem> {
        let value = self.item.remove(name).and_then(read);
        value.ok_or_else(|| self.malformed(format!("{name} is missing or invalid")))
    }

    /// The errors of the content, of which the first is reported.
    fn invalid(&self, errors: FieldErrors) -> MalformedItem {
        let first = errors.into_vec().into_iter().next();
        self.malformed(first.map_or_else(String::new, |error| match error.at {
            Location::Pointer(at) | Location::Parameter(at) | Location::Header(at) => {
                format!("{at} {}", error.detail)
            }
        }))
    }

    fn malformed(&self, reason: String) -> MalformedItem {
        let id = self.id.clone();
        MalformedItem { id, reason }
    }
}

/// The text of a string attribute.
pub(crate) fn text(value: AttributeValue) -> Option<String> {
    match value {
        AttributeValue::S(text) => Some(text),
        _ => None,
    }
}

fn timestamp(value: AttributeValue) -> Option<Timestamp> {
    Timestamp::parse_time_or_date(&text(value)?)
}

/// Whether a member of the content has the name of an attribute that the service
/// sets, and would be lost.
pub(crate) const fn has_conflict(members: &[&str]) -> bool {
    match members.split_first() {
        None => false,
        Some((first, rest)) => contains(SET_BY_THE_SERVICE, first) || has_conflict(rest),
    }
}

const fn contains(names: &[&str], name: &str) -> bool {
    match names.split_first() {
        None => false,
        Some((first, rest)) => equal(first.as_bytes(), name.as_bytes()) || contains(rest, name),
    }
}

const fn equal(a: &[u8], b: &[u8]) -> bool {
    match (a.split_first(), b.split_first()) {
        (None, None) => true,
        (Some((first, a)), Some((other, b))) => *first == *other && equal(a, b),
        _ => false,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use json::{MultilineText, Text};

    use super::*;

    #[derive(Debug, Clone, PartialEq, FromJson, ToJson)]
    pub(crate) struct Content {
        name: Text<1, 20>,
        max_pieces: Option<Int<0, 99>>,
        note: Option<MultilineText<0, 20>>,
    }

    #[derive(Debug, Clone, PartialEq)]
    pub(crate) struct Thing {
        id: String,
        content: Content,
        revision: Revision,
    }

    impl Entity for Thing {
        type Id = String;
        type Content = Content;

        fn new(id: String, content: Content, revision: Revision) -> Self {
            Self {
                id,
                content,
                revision,
            }
        }

        fn id(&self) -> &String {
            &self.id
        }

        fn content(&self) -> &Content {
            &self.content
        }

        fn revision(&self) -> &Revision {
            &self.revision
        }
    }

    fn thing(pieces: Option<i64>, note: Option<&str>) -> Thing {
        let content = Content {
            name: Text::parse("n").unwrap(),
            max_pieces: pieces.and_then(Int::new),
            note: note.map(|note| MultilineText::parse(note).unwrap()),
        };
        let mut revision = Revision::first();
        revision.version = Int::new(i64::MAX).unwrap();
        Thing::new("mug".to_owned(), content, revision)
    }

    #[test]
    fn writing_and_reading_again_is_the_identity() {
        for thing in [
            thing(None, None),
            thing(Some(0), Some("")),
            thing(Some(99), Some("a\n\tb")),
        ] {
            assert_eq!(from_item(to_item(&thing).unwrap()), Ok(thing));
        }
    }

    #[test]
    fn an_absent_member_is_no_attribute() {
        let item = to_item(&thing(None, None)).unwrap();
        let mut names: Vec<_> = item.keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(
            names,
            ["createdAt", "etag", "id", "name", "updatedAt", "version"]
        );
    }

    #[test]
    fn an_attribute_of_a_later_version_is_ignored() {
        let mut item = to_item(&thing(None, None)).unwrap();
        item.insert("sku".to_owned(), string("1"));
        assert_eq!(
            from_item::<Thing>(item).map(|thing| thing.id),
            Ok("mug".to_owned())
        );
    }

    #[test]
    fn an_entity_is_never_updated_before_it_is_created() {
        let thing = thing(None, None);
        let mut item = to_item(&thing).unwrap();
        item.insert(UPDATED_AT.to_owned(), string("2026-11-22T00:00:00.000Z"));
        assert_eq!(from_item(item), Ok(thing));
    }

    #[test]
    fn a_malformed_item_is_named_with_the_reason() {
        for (attribute, value, reason) in [
            ("version", string("1"), "version is missing or invalid"),
            ("version", integer(0), "version is missing or invalid"),
            (
                "createdAt",
                string("yesterday"),
                "createdAt is missing or invalid",
            ),
            (
                "name",
                AttributeValue::Ss(Vec::new()),
                "name is missing or invalid",
            ),
            (
                "maxPieces",
                string("1"),
                "/maxPieces must be an integer between 0 and 99",
            ),
            (
                "note",
                AttributeValue::Null(true),
                "/note must be a string, not null",
            ),
        ] {
            let mut item = to_item(&thing(None, None)).unwrap();
            item.insert(attribute.to_owned(), value);
            let error = from_item::<Thing>(item).unwrap_err();
            let expected = format!("the item \"mug\" is malformed: {reason}");
            assert_eq!(error.to_string(), expected);
        }
        let empty = from_item::<Thing>(Item::new()).unwrap_err();
        assert_eq!(
            empty.to_string(),
            "the item \"\" is malformed: /name is required"
        );
    }

    #[test]
    fn a_member_with_the_name_of_an_attribute_of_the_service_is_a_conflict() {
        assert!(!has_conflict(Content::MEMBERS));
        assert!(!has_conflict(&["ids", "i", ""]));
        assert!(has_conflict(&["name", "etag"]));
    }
}
