//! Callers with tokens, and the key that the system trusts.

use std::{path::Path, sync::OnceLock};

use regex::{Captures, Regex};
use ring::hmac;
use tokens::{SigningKey, scopes};

/// The caller of the tests that concern no caller: it may do everything.
pub const TESTER: &str = "tester";

/// The key that signs the tokens of the tests: that of `KEA_SIGNING_KEY`, which a
/// running system trusts, or else a new one.
pub fn signing_key() -> &'static SigningKey {
    static KEY: OnceLock<SigningKey> = OnceLock::new();
    KEY.get_or_init(|| {
        let key = match std::env::var_os("KEA_SIGNING_KEY") {
            Some(path) => SigningKey::open(Path::new(&path)),
            None => SigningKey::generate(),
        };
        key.expect("a signing key")
    })
}

/// The value of `Authorization` for a caller with these scopes, separated by
/// blanks.
pub fn bearer(subject: &str, scope: &str) -> String {
    format!("Bearer {}", signing_key().token(subject, scope))
}

/// The value of `Authorization` for a caller who may do everything.
pub(crate) fn tester() -> &'static str {
    static TOKEN: OnceLock<String> = OnceLock::new();
    TOKEN.get_or_init(|| bearer(TESTER, &scopes().expect("the template")))
}

/// The text of an event with its tokens signed: `Bearer token(ada, orders:write)`
/// becomes the token of the caller `ada` with the scope `orders:write`. A committed
/// token would expire.
pub fn signed(event: &str) -> String {
    let placeholder = Regex::new(r"Bearer token\(([^,)]*),([^)]*)\)").expect("a pattern");
    let token = |found: &Captures<'_>| bearer(found[1].trim(), found[2].trim());
    placeholder.replace_all(event, token).into_owned()
}

/// The HMAC-SHA-256 of a message, as HS256 signs.
pub fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::sign(&key, message).as_ref().to_vec()
}

/// The environment variables by which a function trusts the key of the tests.
pub fn environment() -> Vec<(&'static str, String)> {
    tokens::environment(&[signing_key().jwk()])
}
