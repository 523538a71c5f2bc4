//! The query parameters of the lists: a page has what its filters and its limit allow.
#![no_main]

use libfuzzer_sys::{Corpus, fuzz_target};
use serde_json::Value;

fuzz_target!(|input: &[u8]| -> Corpus {
    let mut event = fuzz::event(input);
    event["requestContext"]["http"]["method"] = "GET".into();
    event["body"] = Value::Null;
    let Some(function) = fuzz::routed(&event) else {
        return Corpus::Reject;
    };
    let response = fuzz::invoke(function, &event);
    let page = fuzz::body(&response).filter(|_| fuzz::status(&response) == 200);
    let Some(items) = page.as_ref().and_then(|page| page["items"].as_array()) else {
        return Corpus::Keep;
    };
    let query = event["rawQueryString"].as_str().unwrap_or_default();
    // Without escapes, so that a value is what it looks like.
    let plain = query.split('&').filter(|pair| !pair.contains(['%', '+']));
    for (name, value) in plain.filter_map(|pair| pair.split_once('=')) {
        match name {
            "limit" => {
                assert!(items.len().to_string() == value || items.len() < value.parse().unwrap())
            }
            "category" | "status" | "customer" => {
                assert!(
                    items.iter().all(|item| item[name] == value),
                    "{query}: {items:?}"
                );
            }
            _ => {}
        }
    }
    Corpus::Keep
});
