//! Callers with tokens, and the keys that the system trusts.

use std::{path::Path, sync::OnceLock};

use regex::{Captures, Regex};
use ring::{
    hmac,
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
        RsaPublicKeyComponents,
    },
};
use serde_json::{Value, json};
use tokens::{SigningKey, encode, message, scopes};

/// The caller of the tests that concern no caller: it may do everything.
pub const TESTER: &str = "tester";

/// An RSA key of the tests alone: RS256 is what Amazon Cognito signs with.
const RSA_KEY: &[u8] = include_bytes!("rsa_test_key.der");

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

/// A key of another algorithm than the signing key's.
pub enum OtherKey {
    /// For RS256.
    Rsa(Box<RsaKeyPair>),
    /// For ES256.
    Ec(Box<EcdsaKeyPair>),
}

impl OtherKey {
    /// The RSA key.
    pub fn rsa() -> Self {
        Self::Rsa(Box::new(RsaKeyPair::from_der(RSA_KEY).expect("a key")))
    }

    /// The key for ES256.
    pub fn ec() -> Self {
        static PKCS8: OnceLock<Vec<u8>> = OnceLock::new();
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let pkcs8 = PKCS8.get_or_init(|| {
            let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random);
            pkcs8.expect("a key").as_ref().to_vec()
        });
        let key = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8, &random);
        Self::Ec(Box::new(key.expect("a key")))
    }

    /// The public key as a JSON Web Key.
    pub fn jwk(&self) -> Value {
        match self {
            Self::Rsa(key) => {
                let RsaPublicKeyComponents::<Vec<u8>> { n, e } = key.public().into();
                json!({
                    "kty": "RSA", "use": "sig", "alg": "RS256", "kid": "rsa",
                    "n": encode(&n), "e": encode(&e),
                })
            }
            Self::Ec(key) => {
                let (x, y) = key.public_key().as_ref()[1..].split_at(32);
                json!({
                    "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": "ec",
                    "x": encode(x), "y": encode(y),
                })
            }
        }
    }

    /// The token with these claims.
    pub fn sign(&self, claims: &Value) -> String {
        let jwk = self.jwk();
        let message = message(&json!({ "alg": jwk["alg"], "kid": jwk["kid"] }), claims);
        let random = SystemRandom::new();
        let signature = match self {
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public().modulus_len()];
                let signed = key.sign(
                    &RSA_PKCS1_SHA256,
                    &random,
                    message.as_bytes(),
                    &mut signature,
                );
                signed.expect("a signature");
                signature
            }
            Self::Ec(key) => {
                let signed = key.sign(&random, message.as_bytes());
                signed.expect("a signature").as_ref().to_vec()
            }
        };
        format!("{message}.{}", encode(&signature))
    }
}

/// The environment variables by which a function trusts the keys of the tests.
pub fn environment() -> Vec<(&'static str, String)> {
    let keys = [
        signing_key().jwk(),
        OtherKey::rsa().jwk(),
        OtherKey::ec().jwk(),
    ];
    tokens::environment(&keys)
}
