//! A token: its header and its claims as JSON, a line each, rightly signed; anything
//! else is sent as it is. Whatever is accepted follows the rules of docs/security.md.
//!
//! `KID` stands for the id of the key.
#![no_main]

use std::time::{SystemTime, UNIX_EPOCH};

use libfuzzer_sys::{Corpus, fuzz_target};
use serde_json::Value;
use testbed::callers;

fuzz_target!(|input: &[u8]| -> Corpus {
    let text = String::from_utf8_lossy(input);
    let key = callers::signing_key();
    let (header, claims) = text.split_once('\n').unwrap_or((&text, ""));
    let header = header.replace("KID", key.id());
    let parsed = (serde_json::from_str(&header), serde_json::from_str(claims));
    let mut event = fuzz::event(b"GET /health/health");
    let token = match &parsed {
        (Ok(header), Ok(claims)) => key.sign(header, claims),
        _ => text.chars().filter(|c| !c.is_control()).collect(),
    };
    event["headers"]["authorization"] = format!("Bearer {token}").into();
    let response = fuzz::invoke("health", &event);
    match fuzz::status(&response) {
        401 => {}
        200 => {
            let (Ok(header), Ok(claims)) = parsed else {
                panic!("a token without a signature is accepted");
            };
            check(&header, &claims, key.id());
        }
        // A gateway and a service limit the headers.
        status => assert_eq!((status, token.len() > 10_000), (400, true)),
    }
    Corpus::Keep
});

/// Fails if a token must not be accepted.
fn check(header: &Value, claims: &Value, kid: &str) {
    assert_eq!(
        (&header["alg"], &header["kid"]),
        (&"EdDSA".into(), &kid.into())
    );
    assert!(header.get("crit").is_none());
    assert_eq!(claims["iss"], tokens::ISSUER);
    let is_ours = |audience: &Value| audience == tokens::AUDIENCE;
    let several = claims["aud"]
        .as_array()
        .is_some_and(|all| all.iter().any(is_ours));
    assert!(several || is_ours(&claims["aud"]) || is_ours(&claims["client_id"]));
    assert!(claims["token_use"].is_null() || claims["token_use"] == "access");
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970");
    assert!(claims["exp"].as_f64().expect("a time") > now.as_secs_f64() - 62.0);
    assert!(claims["nbf"].as_f64().unwrap_or_default() < now.as_secs_f64() + 62.0);
    let subject = claims["sub"].as_str().expect("a subject");
    assert!((1..=255).contains(&subject.len()) && !subject.chars().any(char::is_control));
}
