//! What is deployed, as `template.yaml` says it.

use serde_json::Value;

/// The template, with its intrinsic functions as what they are called with.
///
/// # Panics
///
/// It is not there, or is no YAML.
#[must_use]
pub fn template() -> Value {
    let text = std::fs::read_to_string(stores::template()).expect("there is a template");
    serde_saphyr::from_str(&text).expect("the template is YAML")
}
