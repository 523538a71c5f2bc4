//! An event to the response of a function: that of `KEA_FUZZ_FUNCTION`, or else the
//! one that the event's path is routed to.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::{Corpus, fuzz_target};

static FUNCTION: LazyLock<Option<String>> =
    LazyLock::new(|| std::env::var("KEA_FUZZ_FUNCTION").ok());

fuzz_target!(|input: &[u8]| -> Corpus {
    let event = fuzz::event(input);
    let Some(function) = FUNCTION.as_deref().or_else(|| fuzz::routed(&event)) else {
        return Corpus::Reject;
    };
    fuzz::invoke(function, &event);
    Corpus::Keep
});
