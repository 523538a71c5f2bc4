//! `template.yaml` as one JSON value.

use serde_json::Value;

/// The template, without its YAML tags.
///
/// # Panics
///
/// It cannot be read.
#[must_use]
pub fn template() -> Value {
    template::document(&template::path()).expect("template.yaml is valid")
}
