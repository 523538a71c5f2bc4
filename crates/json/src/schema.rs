//! Schemas of the OpenAPI document (JSON Schema 2020-12), as JSON.
#![expect(
    clippy::indexing_slicing,
    reason = "the members of an object are set by name"
)]

pub use serde_json::{Value as Json, json};

use crate::{Int, MultilineText, Text};

/// A type that has a schema.
///
/// Derive it for a struct or a string enum, or implement it for a type with a
/// rule of its own.
pub trait Schema {
    /// Whether the type is written as `null` where it has no value.
    const NULLABLE: bool = false;

    /// The schema, or a reference to one that is added to `components`.
    fn schema(components: &mut Components) -> Json;

    /// Adds the type's members to the object that it is flattened into.
    fn members(_object: &mut ObjectSchema, _components: &mut Components) {}
}

/// The part of an exchange that a schema is used in. The rules of a struct depend
/// on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Direction {
    /// Sent by a service: readers ignore members that they do not know.
    #[default]
    Response,
    /// Sent by a client: unknown members are refused.
    Request,
    /// A merge patch (RFC 7396): nothing is required, `null` removes.
    Patch,
}

/// The names of one struct's schemas.
#[derive(Debug, Clone, Copy)]
pub struct Names {
    /// In a response.
    pub response: &'static str,
    /// In a request.
    pub request: &'static str,
    /// In a merge patch.
    pub patch: &'static str,
}

/// Whether a member is required.
#[derive(Debug, Clone, Copy)]
pub struct Presence {
    /// Whether a request must have it.
    pub read: bool,
    /// Whether every response has it.
    pub written: bool,
}

/// The named schemas of a document.
#[derive(Debug, Default)]
pub struct Components {
    /// The schemas by name.
    pub schemas: serde_json::Map<String, Json>,
    direction: Direction,
}

impl Components {
    /// The schema of `T` as it is used in `direction`.
    pub fn schema<T: Schema>(&mut self, direction: Direction) -> Json {
        let before = std::mem::replace(&mut self.direction, direction);
        let schema = T::schema(self);
        self.direction = before;
        schema
    }

    /// Adds the schema of a struct and returns a reference to it.
    pub fn object<T: Schema + ?Sized>(&mut self, names: Names, description: &str) -> Json {
        let name = match self.direction {
            Direction::Response => names.response,
            Direction::Request => names.request,
            Direction::Patch => names.patch,
        };
        self.named(name, |components| {
            let mut object = ObjectSchema::default();
            T::members(&mut object, components);
            let mut schema = json!({ "type": "object" });
            if !description.is_empty() {
                schema["description"] = description.into();
            }
            schema["properties"] = Json::Object(object.properties);
            if !object.required.is_empty() {
                schema["required"] = object.required.into();
            }
            if components.direction != Direction::Response {
                schema["additionalProperties"] = false.into();
            }
            schema
        })
    }

    /// Adds the schema of a string enum and returns a reference to it.
    pub fn string_enum(&mut self, name: &str, description: &str, words: &[&str]) -> Json {
        self.named(
            name,
            |_| json!({ "type": "string", "description": description, "enum": words }),
        )
    }

    /// Adds what `schema` returns under `name`, once, and returns a reference.
    pub fn named(&mut self, name: &str, schema: impl FnOnce(&mut Self) -> Json) -> Json {
        if !self.schemas.contains_key(name) {
            // A schema that refers to itself finds this one.
            self.schemas.insert(name.to_owned(), Json::Null);
            let schema = schema(self);
            self.schemas.insert(name.to_owned(), schema);
        }
        json!({ "$ref": format!("#/components/schemas/{name}") })
    }
}

/// The schema of an object while its members are added.
#[derive(Debug, Default)]
pub struct ObjectSchema {
    properties: serde_json::Map<String, Json>,
    required: Vec<String>,
}

impl ObjectSchema {
    /// Adds a member of type `T`.
    pub fn member<T: Schema>(
        &mut self,
        name: &str,
        description: &str,
        presence: Presence,
        components: &mut Components,
    ) {
        let schema = T::schema(components);
        let (required, nullable) = match components.direction {
            Direction::Response => (presence.written, presence.written && T::NULLABLE),
            Direction::Request => (presence.read, false),
            Direction::Patch => (false, !presence.read),
        };
        let schema = if nullable { or_null(schema) } else { schema };
        self.insert(name, described(schema, description), required);
    }

    /// Adds a member with this schema.
    pub fn insert(&mut self, name: &str, schema: Json, required: bool) {
        self.properties.insert(name.to_owned(), schema);
        if required {
            self.required.push(name.to_owned());
        }
    }
}

/// The schema with a description beside it.
#[must_use]
pub fn described(mut schema: Json, description: &str) -> Json {
    if !description.is_empty() {
        schema["description"] = description.into();
    }
    schema
}

/// The schema of this or `null`.
#[must_use]
pub(crate) fn or_null(mut schema: Json) -> Json {
    match schema.get("type") {
        Some(kind) => {
            schema["type"] = json!([kind, "null"]);
            schema
        }
        None => json!({ "anyOf": [schema, { "type": "null" }] }),
    }
}

impl<T: Schema> Schema for Option<T> {
    const NULLABLE: bool = true;

    fn schema(components: &mut Components) -> Json {
        T::schema(components)
    }
}

impl<T: Schema> Schema for Vec<T> {
    fn schema(components: &mut Components) -> Json {
        json!({ "type": "array", "items": T::schema(components) })
    }
}

impl Schema for String {
    fn schema(_: &mut Components) -> Json {
        json!({ "type": "string" })
    }
}

impl Schema for &'static str {
    fn schema(components: &mut Components) -> Json {
        String::schema(components)
    }
}

impl Schema for u16 {
    fn schema(_: &mut Components) -> Json {
        json!({ "type": "integer", "minimum": 0, "maximum": u16::MAX })
    }
}

impl Schema for bool {
    fn schema(_: &mut Components) -> Json {
        json!({ "type": "boolean" })
    }
}

impl Schema for u64 {
    fn schema(_: &mut Components) -> Json {
        json!({ "type": "integer", "minimum": 0 })
    }
}

/// A sum, which may exceed 64 bits.
impl Schema for u128 {
    fn schema(_: &mut Components) -> Json {
        json!({ "type": "integer", "minimum": 0 })
    }
}

impl<const MIN: i64, const MAX: i64> Schema for Int<MIN, MAX> {
    fn schema(_: &mut Components) -> Json {
        let mut schema = json!({ "type": "integer", "minimum": MIN });
        if MAX < i64::MAX {
            schema["maximum"] = MAX.into();
        }
        schema
    }
}

impl<const MIN: usize, const MAX: usize> Schema for Text<MIN, MAX> {
    fn schema(_: &mut Components) -> Json {
        string(MIN, MAX, r"^[^\u0000-\u001F\u007F-\u009F]*$")
    }
}

impl<const MIN: usize, const MAX: usize> Schema for MultilineText<MIN, MAX> {
    fn schema(_: &mut Components) -> Json {
        string(MIN, MAX, r"^[^\u0000-\u0008\u000B-\u001F\u007F-\u009F]*$")
    }
}

fn string(min: usize, max: usize, pattern: &str) -> Json {
    let mut schema = json!({ "type": "string" });
    if min > 0 {
        schema["minLength"] = min.into();
    }
    schema["maxLength"] = max.into();
    schema["pattern"] = pattern.into();
    schema
}
