//! A `POST` with an `Idempotency-Key`, sent twice: the second is a replay of the
//! first, or both are refused.
#![no_main]

use libfuzzer_sys::{Corpus, fuzz_target};

fuzz_target!(|input: &[u8]| -> Corpus {
    let mut event = fuzz::event(input);
    event["requestContext"]["http"]["method"] = "POST".into();
    if event["headers"]["idempotency-key"].is_null() {
        return Corpus::Reject;
    }
    let Some(function) = fuzz::routed(&event) else {
        return Corpus::Reject;
    };
    let [first, second] = [(); 2].map(|()| fuzz::invoke(function, &event));
    assert_eq!(fuzz::status(&first), fuzz::status(&second));
    if fuzz::status(&first) == 201 {
        assert_eq!(first["body"], second["body"]);
        assert_eq!(second["headers"]["idempotency-replayed"], "true");
    }
    Corpus::Keep
});
