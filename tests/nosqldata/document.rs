//! The document describes the catalogue as the function reads it.

use std::time::Duration;

use bytes::Bytes;
use chassis::runtime::Handler;
use proptest::prelude::*;
use testbed::{callers, document::pattern, event};

/// A key that the document forbids is a 400, which precedes the 422 of the body.
#[test]
fn document_and_reader_agree_on_idempotency_keys() {
    let pattern = pattern("/nosqldata", "post", "Idempotency-Key");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let functions = runtime.block_on(testbed::functions());
    let mut functions = functions.into_iter().map(|function| function.service);
    let catalogue = functions.find(|service| service.name() == "nosqldata");
    let handler = Handler::new(catalogue.unwrap(), String::new());
    let token = callers::bearer("tester", "catalogue:write");
    let keys = r#"[!-~]([ -~]{0,8}[!-~])?|"[ !a\\,-]{0,6}"|[a,"\\]{250,260}"#;
    proptest!(ProptestConfig::with_cases(2_000), |(key in keys)| {
        let request = http::Request::post("/nosqldata")
            .header("content-type", "application/json")
            .header("idempotency-key", &key)
            .header("authorization", &token)
            .body(Bytes::from("{}"))
            .unwrap();
        let invoked = testbed::invoke(&handler, event::of(&request), Duration::from_secs(10));
        let status = runtime.block_on(invoked)["statusCode"].clone();
        let expected = if pattern.is_match(&key) { 422 } else { 400 };
        prop_assert_eq!(status, expected, "{}", key);
    });
}
