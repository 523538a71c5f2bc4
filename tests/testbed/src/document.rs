//! The committed OpenAPI document.

use std::fs;

use regex::Regex;
use serde_json::Value;

/// The documented pattern of a parameter of an operation.
pub fn pattern(path: &str, method: &str, parameter: &str) -> Regex {
    let document = template::project().join("functions/docs/assets/openapi.json");
    let document: Value = serde_json::from_str(&fs::read_to_string(document).unwrap()).unwrap();
    let parameters = document["paths"][path][method]["parameters"].as_array();
    let found = parameters
        .unwrap()
        .iter()
        .find(|it| it["name"] == parameter);
    let mut schema = &found.unwrap()["schema"];
    if let Some(reference) = schema["$ref"].as_str() {
        schema = document.pointer(&reference[1..]).unwrap();
    }
    Regex::new(schema["pattern"].as_str().unwrap()).unwrap()
}
