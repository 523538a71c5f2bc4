//! A JSON value and a merge patch, a line each: the result is that of RFC 7396.
#![no_main]

use json::{FieldErrors, Object, Value};
use libfuzzer_sys::{Corpus, fuzz_target};

fuzz_target!(|input: &[u8]| -> Corpus {
    let end = input.iter().position(|&byte| byte == b'\n');
    let (target, patch) = input.split_at(end.unwrap_or(input.len()));
    let parse = |text: &[u8]| Value::parse(text, &mut FieldErrors::new());
    let (Ok(target), Ok(patch)) = (parse(target), parse(patch)) else {
        return Corpus::Keep;
    };
    let mut merged = target.clone();
    merged.merge(patch.clone());
    assert_eq!(merged, merge(Some(target), patch.clone()));

    let mut again = merged.clone();
    again.merge(patch);
    assert_eq!(merged, again, "a patch applied twice");
    let text = serde_json::to_vec(&merged).expect("JSON");
    assert_eq!(parse(&text).expect("JSON"), merged, "written and parsed");
    Corpus::Keep
});

/// The function `MergePatch` of RFC 7396 §2.
fn merge(target: Option<Value>, patch: Value) -> Value {
    let Value::Object(patch) = patch else {
        return patch;
    };
    let mut object = match target {
        Some(Value::Object(object)) => object,
        _ => Object::new(),
    };
    for (name, value) in patch {
        let before = object.remove(&name);
        if value != Value::Null {
            object.insert(name, merge(before, value));
        }
    }
    Value::Object(object)
}
