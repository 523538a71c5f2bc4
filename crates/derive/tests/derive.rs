//! The readers and writers that are derived for objects.
#![expect(clippy::unwrap_used, reason = "a test ends by panicking")]

use json::{FieldErrors, FromJson, Int, Object, Pointer, ToJson, Value};

#[derive(Debug, PartialEq, FromJson, ToJson)]
#[json(read_only("id"))]
struct Parcel {
    weight: Int<1, 30>,
    size: Option<Size>,
}

/// Its fields have the names of variables in what is derived.
#[derive(Debug, PartialEq, FromJson, ToJson)]
struct Variables {
    value: Int<1, 2>,
    members: Int<1, 2>,
    errors: Int<1, 2>,
    object: Int<1, 2>,
}

#[derive(Debug, PartialEq, FromJson, ToJson)]
#[json(read_only("area"))]
struct Size {
    width: Int<1, 200>,
}

fn value(text: &str) -> Value {
    Value::parse(text.as_bytes(), &mut FieldErrors::new()).unwrap()
}

fn pointers(errors: FieldErrors) -> Vec<String> {
    let errors = serde_json::to_value(errors.into_vec()).unwrap();
    let errors = errors.as_array().unwrap().iter();
    errors
        .map(|error| error["pointer"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn object_is_read_and_written_with_and_without_its_optional_member() {
    for text in [r#"{"weight":3}"#, r#"{"size":{"width":7},"weight":3}"#] {
        let mut errors = FieldErrors::new();
        let parcel: Parcel = json::read(value(text), &mut errors).unwrap();
        assert_eq!(parcel.size.is_some(), text.contains("size"));
        assert_eq!(parcel.to_json(), Some(value(text)));
    }
}

#[test]
fn field_may_have_the_name_of_a_variable() {
    let text = r#"{"errors":2,"members":1,"object":2,"value":1}"#;
    let read: Variables = json::read(value(text), &mut FieldErrors::new()).unwrap();
    assert_eq!(read.to_json(), Some(value(text)));
}

#[test]
fn absent_required_member_is_an_error() {
    let mut errors = FieldErrors::new();
    let parcel: Option<Parcel> = json::read(Value::Object(Object::new()), &mut errors);
    assert_eq!(parcel, None);
    assert_eq!(pointers(errors), ["/weight"]);
}

#[test]
fn merge_patch_is_checked_at_every_depth() {
    let patch = value(r#"{"id":1,"size":{"area":2,"width":3,"x":4}}"#);
    let mut errors = FieldErrors::new();
    Parcel::check_patch(&patch, &Pointer::root(), &mut errors);
    assert_eq!(pointers(errors), ["/id", "/size/area", "/size/x"]);
}
