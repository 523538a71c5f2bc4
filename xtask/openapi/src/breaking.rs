//! What of a change to the document would break a client of the one before.
//!
//! Two rules, by which way a schema travels. What a client *sends* may be
//! allowed more than before, never less; what it *reads* may say more than
//! before, never less, nor values that it does not know.

use serde_json::Value;

/// Which way a schema travels, as the client sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Sent,
    Read,
}

/// Each change from `before` to `now` that would break a client, in words.
#[must_use]
pub fn between(before: &Value, now: &Value) -> Vec<String> {
    let mut found = Comparison {
        before,
        now,
        broken: Vec::new(),
        depth: 0,
    };
    found.paths();
    found.broken
}

struct Comparison<'d> {
    before: &'d Value,
    now: &'d Value,
    broken: Vec<String>,
    depth: usize,
}

const METHODS: [&str; 5] = ["get", "put", "post", "patch", "delete"];

impl<'d> Comparison<'d> {
    fn say(&mut self, what: impl Into<String>) {
        let what = what.into();
        if !self.broken.contains(&what) {
            self.broken.push(what);
        }
    }

    fn paths(&mut self) {
        let (before, now) = (self.before, self.now);
        for (path, item) in members(before.get("paths")) {
            for method in METHODS {
                let Some(operation) = item.get(method) else {
                    continue;
                };
                let place = format!("{} {path}", method.to_uppercase());
                match now
                    .get("paths")
                    .and_then(|paths| paths.get(path)?.get(method))
                {
                    Some(new) => self.operation(&place, operation, new),
                    None => self.say(format!("{place} is gone")),
                }
            }
        }
    }

    fn operation(&mut self, place: &str, before: &'d Value, now: &'d Value) {
        if before.get("operationId") != now.get("operationId") {
            self.say(format!(
                "{place}: its operationId is another, and so are the names in generated clients"
            ));
        }
        self.parameters(place, before, now);
        self.request(place, before.get("requestBody"), now.get("requestBody"));
        for (status, response) in members(before.get("responses")) {
            let place = format!("{place}: {status}");
            let Some(new) = now
                .get("responses")
                .and_then(|responses| responses.get(status))
            else {
                if status.starts_with('2') {
                    self.say(format!("{place} is gone"));
                }
                continue;
            };
            let (old, new) = (resolve(self.before, response), resolve(self.now, new));
            for (header, _) in members(old.get("headers")) {
                if new
                    .get("headers")
                    .and_then(|headers| headers.get(header))
                    .is_none()
                {
                    self.say(format!("{place}: the header {header} is gone"));
                }
            }
            for (media_type, content) in members(old.get("content")) {
                match new
                    .get("content")
                    .and_then(|content| content.get(media_type))
                {
                    Some(new) => self.schema(
                        &format!("{place}, {media_type}"),
                        content.get("schema"),
                        new.get("schema"),
                        Way::Read,
                    ),
                    None => self.say(format!("{place}: {media_type} is gone")),
                }
            }
        }
    }

    fn parameters(&mut self, place: &str, before: &'d Value, now: &'d Value) {
        let key = |parameter: &Value| {
            let text = |member: &str| {
                parameter
                    .get(member)
                    .and_then(Value::as_str)
                    .unwrap_or_default()
                    .to_owned()
            };
            (text("in"), text("name"))
        };
        let is_required = |parameter: &Value| parameter.get("required") == Some(&Value::Bool(true));
        let list = |operation: &'d Value, document: &'d Value| -> Vec<&'d Value> {
            let parameters = operation.get("parameters").and_then(Value::as_array);
            parameters
                .into_iter()
                .flatten()
                .map(|parameter| resolve(document, parameter))
                .collect()
        };
        let (before, now) = (list(before, self.before), list(now, self.now));
        for &old in &before {
            let (kind, name) = key(old);
            let place = format!("{place}: the {kind} parameter {name}");
            match now.iter().find(|new| key(new) == key(old)) {
                None if kind == "header" => {}
                None => self.say(format!("{place} is gone")),
                Some(new) => {
                    if is_required(new) && !is_required(old) {
                        self.say(format!("{place} is required now"));
                    }
                    self.schema(&place, old.get("schema"), new.get("schema"), Way::Sent);
                }
            }
        }
        for new in now {
            if is_required(new) && !before.iter().any(|old| key(old) == key(new)) {
                let (kind, name) = key(new);
                self.say(format!(
                    "{place}: the {kind} parameter {name} is new and required"
                ));
            }
        }
    }

    fn request(&mut self, place: &str, before: Option<&'d Value>, now: Option<&'d Value>) {
        let is_required = |body: Option<&Value>| {
            body.and_then(|body| body.get("required")) == Some(&Value::Bool(true))
        };
        if is_required(now) && !is_required(before) {
            self.say(format!("{place}: a body is required now"));
        }
        for (media_type, content) in members(before.and_then(|body| body.get("content"))) {
            let place = format!("{place}: the body as {media_type}");
            match now.and_then(|body| body.get("content")?.get(media_type)) {
                Some(new) => {
                    self.schema(&place, content.get("schema"), new.get("schema"), Way::Sent);
                }
                None => self.say(format!("{place} is no longer read")),
            }
        }
    }

    fn schema(&mut self, place: &str, before: Option<&'d Value>, now: Option<&'d Value>, way: Way) {
        let (Some(old), Some(new)) = (before, now) else {
            if before.is_some() != now.is_some() {
                self.say(format!("{place}: its schema came or went"));
            }
            return;
        };
        if self.depth > 32 {
            return;
        }
        self.depth += 1;
        let (old, new) = (resolve(self.before, old), resolve(self.now, new));
        self.types(place, old, new, way);
        self.values(place, old, new, way);
        self.limits(place, old, new, way);
        self.properties(place, old, new, way);
        for member in ["items", "additionalProperties"] {
            if old.get(member).is_some_and(Value::is_object)
                && new.get(member).is_some_and(Value::is_object)
            {
                self.schema(&format!("{place}/*"), old.get(member), new.get(member), way);
            }
        }
        for member in ["oneOf", "anyOf", "allOf"] {
            let list = |schema: &'d Value| schema.get(member).and_then(Value::as_array);
            match (list(old), list(new)) {
                (Some(old), Some(new)) if old.len() == new.len() => {
                    for (old, new) in old.iter().zip(new) {
                        self.schema(place, Some(old), Some(new), way);
                    }
                }
                (None, None) => {}
                _ => self.say(format!("{place}: its alternatives are others")),
            }
        }
        self.depth -= 1;
    }

    fn types(&mut self, place: &str, old: &Value, new: &Value, way: Way) {
        let types = |schema: &Value| match schema.get("type") {
            Some(Value::String(name)) => vec![name.clone()],
            Some(Value::Array(names)) => names
                .iter()
                .filter_map(|name| name.as_str().map(str::to_owned))
                .collect(),
            _ => Vec::new(),
        };
        let (old, new) = (types(old), types(new));
        let within = |some: &[String], all: &[String]| {
            // Without a type anything goes.
            all.is_empty()
                || !some.is_empty()
                    && some.iter().all(|name| {
                        all.contains(name)
                            || name == "integer" && all.iter().any(|all| all == "number")
                    })
        };
        let fine = match way {
            Way::Sent => within(&old, &new),
            Way::Read => within(&new, &old),
        };
        if !fine {
            self.say(format!(
                "{place}: its type was {} and is {}",
                old.join(" or "),
                new.join(" or ")
            ));
        }
    }

    fn values(&mut self, place: &str, old: &Value, new: &Value, way: Way) {
        let list = |schema: &'_ Value| schema.get("enum").and_then(Value::as_array).cloned();
        match (list(old), list(new), way) {
            (None, Some(_), Way::Sent) => {
                self.say(format!("{place}: only some values are read now"));
            }
            (Some(old), Some(new), Way::Sent) => {
                for value in old.iter().filter(|value| !new.contains(value)) {
                    self.say(format!("{place}: {value} is no longer read"));
                }
            }
            (Some(old), Some(new), Way::Read) => {
                for value in new.iter().filter(|value| !old.contains(value)) {
                    self.say(format!("{place}: {value} is a new value"));
                }
            }
            (Some(_), None, Way::Read) => self.say(format!("{place}: it may be any value now")),
            _ => {}
        }
    }

    fn limits(&mut self, place: &str, old: &Value, new: &Value, way: Way) {
        if way == Way::Read {
            return;
        }
        let number = |schema: &Value, limit: &str| schema.get(limit).and_then(Value::as_f64);
        for limit in [
            "minimum",
            "exclusiveMinimum",
            "minLength",
            "minItems",
            "minProperties",
        ] {
            let (old, new) = (number(old, limit), number(new, limit));
            if new.is_some_and(|new| old.is_none_or(|old| new > old)) {
                self.say(format!("{place}: {limit} is higher"));
            }
        }
        for limit in [
            "maximum",
            "exclusiveMaximum",
            "maxLength",
            "maxItems",
            "maxProperties",
        ] {
            let (old, new) = (number(old, limit), number(new, limit));
            if new.is_some_and(|new| old.is_none_or(|old| new < old)) {
                self.say(format!("{place}: {limit} is lower"));
            }
        }
        for limit in ["pattern", "format", "multipleOf"] {
            if new.get(limit).is_some() && new.get(limit) != old.get(limit) {
                self.say(format!("{place}: {limit} is another"));
            }
        }
    }

    fn properties(&mut self, place: &str, old: &'d Value, new: &'d Value, way: Way) {
        let required = |schema: &Value, name: &str| {
            let names = schema.get("required").and_then(Value::as_array);
            names.is_some_and(|names| names.iter().any(|required| required == name))
        };
        let closed =
            |schema: &Value| schema.get("additionalProperties") == Some(&Value::Bool(false));
        for (name, schema) in members(old.get("properties")) {
            let place = format!("{place}/{name}");
            let Some(there) = new
                .get("properties")
                .and_then(|properties| properties.get(name))
            else {
                if way == Way::Read || closed(new) {
                    self.say(format!("{place} is gone"));
                }
                continue;
            };
            if way == Way::Read && required(old, name) && !required(new, name) {
                self.say(format!("{place} may be absent now"));
            }
            self.schema(&place, Some(schema), Some(there), way);
        }
        if way == Way::Sent {
            for name in new
                .get("required")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
            {
                if !required(old, name) {
                    self.say(format!("{place}/{name} is required now"));
                }
            }
            if closed(new) && !closed(old) {
                self.say(format!("{place}: further members are refused now"));
            }
        }
    }
}

fn members(object: Option<&Value>) -> impl Iterator<Item = (&String, &Value)> {
    object.and_then(Value::as_object).into_iter().flatten()
}

/// What `value` refers to within `document`, or itself.
fn resolve<'d>(document: &'d Value, value: &'d Value) -> &'d Value {
    let reference = value.get("$ref").and_then(Value::as_str);
    let there = reference.and_then(|reference| document.pointer(reference.strip_prefix('#')?));
    there.unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn document() -> Value {
        json!({"paths": {"/things": {"post": {
            "operationId": "createThing",
            "parameters": [{"in": "query", "name": "dry", "schema": {"type": "boolean"}}],
            "requestBody": {"required": true, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/New"}}}},
            "responses": {"201": {"headers": {"ETag": {}}, "content": {"application/json": {"schema": {
                "type": "object", "required": ["id"], "properties": {"id": {"type": "string"}, "state": {"enum": ["a", "b"]}}
            }}}}},
        }}}, "components": {"schemas": {"New": {
            "type": "object", "required": ["name"], "additionalProperties": false,
            "properties": {"name": {"type": "string", "maxLength": 9}, "kind": {"enum": ["x", "y"]}},
        }}}})
    }

    #[test]
    fn each_kind_of_break_is_named_and_nothing_else() {
        let new = "/components/schemas/New";
        let post = "/paths/~1things/post";
        let read = "/paths/~1things/post/responses/201/content/application~1json/schema";
        let set = |at: &str, member: &str, value: Value| {
            let mut now = document();
            now.pointer_mut(at)
                .unwrap()
                .as_object_mut()
                .unwrap()
                .insert(member.to_owned(), value);
            between(&document(), &now).join("\n")
        };
        let remove = |at: &str, member: &str| {
            let mut now = document();
            now.pointer_mut(at)
                .unwrap()
                .as_object_mut()
                .unwrap()
                .remove(member)
                .unwrap();
            between(&document(), &now).join("\n")
        };
        assert_eq!(between(&document(), &document()), Vec::<String>::new());
        for (said, words) in [
            (remove("/paths", "/things"), "POST /things is gone"),
            (set(post, "operationId", json!("makeThing")), "operationId"),
            (set(post, "parameters", json!([])), "dry is gone"),
            (
                set(&format!("{post}/parameters/0"), "required", json!(true)),
                "required now",
            ),
            (
                set(new, "required", json!(["name", "kind"])),
                "kind is required now",
            ),
            (
                set(&format!("{new}/properties/name"), "maxLength", json!(8)),
                "maxLength is lower",
            ),
            (
                set(&format!("{new}/properties/name"), "type", json!("integer")),
                "its type was string and is integer",
            ),
            (
                set(&format!("{new}/properties/kind"), "enum", json!(["x"])),
                "\"y\" is no longer read",
            ),
            (remove(&format!("{new}/properties"), "kind"), "kind is gone"),
            (remove(&format!("{read}/properties"), "id"), "id is gone"),
            (set(read, "required", json!([])), "may be absent now"),
            (
                set(
                    &format!("{read}/properties/state"),
                    "enum",
                    json!(["a", "b", "c"]),
                ),
                "\"c\" is a new value",
            ),
            (remove(&format!("{post}/responses"), "201"), "201 is gone"),
            (
                remove(&format!("{post}/responses/201/headers"), "ETag"),
                "ETag is gone",
            ),
        ] {
            assert!(said.contains(words), "{words}: {said}");
        }
        for fine in [
            set("/paths", "/others", json!({"get": {}})),
            set(
                &format!("{new}/properties"),
                "extra",
                json!({"type": "string"}),
            ),
            set(new, "required", json!([])),
            set(&format!("{new}/properties/name"), "maxLength", json!(10)),
            set(
                &format!("{new}/properties/name"),
                "type",
                json!(["string", "null"]),
            ),
            set(
                &format!("{read}/properties"),
                "more",
                json!({"type": "string"}),
            ),
            set(&format!("{read}/properties/state"), "enum", json!(["a"])),
            set(&format!("{post}/responses"), "409", json!({})),
        ] {
            assert_eq!(fine, "");
        }
    }
}
