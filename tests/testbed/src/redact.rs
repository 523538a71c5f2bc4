//! Replaces values that differ from run to run by placeholders.
//!
//! A value is replaced only where it has its proper form, so a snapshot still
//! shows that it is there and well-formed.

use std::collections::BTreeSet;

use regex::{Captures, Regex};

/// The rules: what precedes a value, its form, and its placeholder.
const RULES: [(&str, &str, &str); 10] = [
    (
        "",
        r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}",
        "[uuid v7]",
    ),
    (
        "",
        r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z",
        "[time]",
    ),
    (r#""observedValue": "#, "[0-9]{1,4}", "[ms]"),
    (r#""release": ""#, r#"[^"]+"#, "[release]"),
    (r#""architecture": ""#, r#"[^"]+"#, "[architecture]"),
    // An asset of the documentation has its hash in its name and its tag.
    (r"/docs/[a-z.-]+-", "[0-9a-f]{12}", "[hash]"),
    ("etag: \"", "[0-9a-f]{32}", "[hash]"),
    ("content-length: ", "[0-9]{5,}", "[length]"),
    ("", "[0-9]+ bytes, in base64", "[bytes], in base64"),
    (
        "traceresponse: ",
        "00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]",
        "[trace]",
    ),
];

/// Replaces what differs from run to run in `text`, except values that occur in
/// `known`: the sample data and the event itself are the same every time.
pub fn redact(text: &str, known: &str) -> String {
    RULES
        .iter()
        .fold(text.to_owned(), |text, (before, pattern, name)| {
            let rule = Regex::new(&format!("({before})({pattern})")).expect("a rule");
            let same: BTreeSet<_> = rule.find_iter(known).map(|found| found.as_str()).collect();
            let replaced = rule.replace_all(&text, |found: &Captures<'_>| {
                if same.contains(&found[0]) {
                    found[0].to_owned()
                } else {
                    format!("{}{name}", &found[1])
                }
            });
            replaced.into_owned()
        })
}
