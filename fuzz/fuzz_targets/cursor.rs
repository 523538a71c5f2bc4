//! Cursors that a client forged: the checksum needs no secret, so any position can
//! get past it.
//!
//! The first line is the request of a list, the rest the position.
#![no_main]

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use libfuzzer_sys::{Corpus, fuzz_target};
use sha2::{Digest, Sha256};
use testbed::callers;

const CALLER: &str = "ada";

fuzz_target!(|input: &[u8]| -> Corpus {
    let end = input.iter().position(|&byte| byte == b'\n');
    let (list, position) = input.split_at(end.unwrap_or(input.len()));
    let position = position.get(1..).unwrap_or_default();
    let mut event = fuzz::event(list);
    let Some(function) = fuzz::routed(&event) else {
        return Corpus::Reject;
    };
    event["requestContext"]["http"]["method"] = "GET".into();
    let path = event["rawPath"].as_str().unwrap_or_default().to_owned();
    let query = event["rawQueryString"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    // A public list has no caller.
    let has_caller = input.len() % 2 == 0;
    if has_caller {
        event["headers"]["authorization"] = callers::bearer(CALLER, "").into();
    }
    let cursor = seal(&path, &query, has_caller.then_some(CALLER), position);
    event["rawQueryString"] = format!("{query}&cursor={cursor}").into();
    fuzz::invoke(function, &event);
    Corpus::Keep
});

/// The cursor of a position, as `chassis` seals it.
fn seal(path: &str, query: &str, caller: Option<&str>, position: &[u8]) -> String {
    let mut filters: Vec<_> = query
        .split('&')
        .filter(|pair| !pair.is_empty() && !pair.starts_with("limit="))
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .collect();
    filters.sort_unstable();
    let mut hash = Sha256::new();
    let mut add = |part: Option<&[u8]>| {
        hash.update(
            part.map_or(u64::MAX, |part| part.len() as u64)
                .to_be_bytes(),
        );
        hash.update(part.unwrap_or_default());
    };
    add(Some(path.as_bytes()));
    add(caller.map(str::as_bytes));
    for (name, value) in filters {
        add(Some(name.as_bytes()));
        add(Some(value.as_bytes()));
    }
    add(Some(position));
    let checksum = hash.finalize();
    URL_SAFE_NO_PAD.encode([&checksum[..12], position].concat())
}
