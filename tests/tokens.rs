//! Tokens of every kind of key and issuer, and where the keys come from.

use std::{
    slice,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{extract::State, routing::get as route};
use chassis::{
    auth::{Access, Authenticator, Caller, Config, KeySource},
    http::{NoContent, Router, Service, doc, get},
};
use http::{Request, StatusCode, Uri};
use ring::{
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
        RsaPublicKeyComponents,
    },
};
use serde_json::{Value, json};
use testbed::callers::signing_key;
use tokens::{AUDIENCE, ISSUER, SigningKey, claims, encode, message};

/// An RSA key of these tests alone: RS256 is what Amazon Cognito signs with.
const RSA_KEY: &[u8] = include_bytes!("rsa_test_key.der");

/// The signature of a message.
type Sign = Box<dyn Fn(&[u8]) -> Vec<u8>>;

/// A key of another algorithm than the signing key's.
struct OtherKey {
    /// The public key as a JSON Web Key.
    jwk: Value,
    sign: Sign,
}

impl OtherKey {
    /// The RSA key, for RS256.
    fn rsa() -> Self {
        let key = RsaKeyPair::from_der(RSA_KEY).expect("a key");
        let RsaPublicKeyComponents::<Vec<u8>> { n, e } = key.public().into();
        let jwk = json!({
            "kty": "RSA", "use": "sig", "alg": "RS256", "kid": "rsa",
            "n": encode(&n), "e": encode(&e),
        });
        let sign = move |message: &[u8]| {
            let mut signature = vec![0; key.public().modulus_len()];
            let random = SystemRandom::new();
            let signed = key.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature);
            signed.expect("a signature");
            signature
        };
        let sign = Box::new(sign);
        Self { jwk, sign }
    }

    /// A new key, for ES256.
    fn ec() -> Self {
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).expect("a key");
        let key = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).expect("a key");
        let (x, y) = key.public_key().as_ref()[1..].split_at(32);
        let jwk = json!({
            "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": "ec",
            "x": encode(x), "y": encode(y),
        });
        let sign = move |message: &[u8]| {
            let signed = key.sign(&random, message);
            signed.expect("a signature").as_ref().to_vec()
        };
        let sign = Box::new(sign);
        Self { jwk, sign }
    }

    /// The token with these claims.
    fn token(&self, claims: &Value) -> String {
        let header = json!({ "alg": self.jwk["alg"], "kid": self.jwk["kid"] });
        let message = message(&header, claims);
        let signature = (self.sign)(message.as_bytes());
        format!("{message}.{}", encode(&signature))
    }
}

/// A service with one protected route and one public one.
async fn service(config: impl Into<Option<Config>>) -> Service {
    async fn handle(_: Caller) -> NoContent {
        NoContent
    }
    async fn anyone() -> NoContent {
        NoContent
    }
    Router::new("things", ())
        .authenticate(Authenticator::open(config.into()).await)
        .route("/protected", get(doc("get", "Get", Access::Caller), handle))
        .route("/public", get(doc("see", "See", Access::Public), anyone))
        .into_service()
}

fn config(keys: KeySource) -> Config {
    Config {
        issuer: ISSUER.to_owned(),
        audiences: vec![AUDIENCE.to_owned(), "another".to_owned()],
        scope_prefix: String::new(),
        keys,
    }
}

fn inline(keys: &[Value]) -> Config {
    let keys = json!({ "keys": keys }).to_string();
    config(KeySource::Inline(keys.parse().unwrap()))
}

/// The status of a request with this token; without one if it is empty.
async fn status(service: &Service, path: &str, token: &str) -> u16 {
    let mut request = Request::get(path);
    if !token.is_empty() {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let response = service.call(request.body(axum::body::Body::empty()).unwrap());
    response.await.status().as_u16()
}

/// The statuses of the protected and the public route with this token.
async fn statuses(service: &Service, token: &str) -> [u16; 2] {
    [
        status(service, "/protected", token).await,
        status(service, "/public", token).await,
    ]
}

#[tokio::test]
async fn tokens_of_each_algorithm_are_accepted() {
    let (rsa, ec) = (OtherKey::rsa(), OtherKey::ec());
    let service = service(inline(&[
        signing_key().jwk(),
        rsa.jwk.clone(),
        ec.jwk.clone(),
    ]))
    .await;
    let claims = claims("ada", "");
    for token in [
        signing_key().token("ada", ""),
        rsa.token(&claims),
        ec.token(&claims),
    ] {
        assert_eq!(statuses(&service, &token).await, [204, 204]);
        let (cut, _) = token.rsplit_once('.').unwrap();
        assert_eq!(statuses(&service, &format!("{cut}.AAAA")).await, [401, 401]);
    }
}

#[tokio::test]
async fn token_must_have_the_algorithm_of_its_key() {
    let (rsa, ec) = (OtherKey::rsa(), OtherKey::ec());
    let service = service(inline(&[rsa.jwk.clone(), ec.jwk.clone()])).await;
    for (key, algorithm) in [
        ("rsa", "ES256"),
        ("rsa", "PS256"),
        ("ec", "RS256"),
        ("ec", "EdDSA"),
    ] {
        let header = json!({ "alg": algorithm, "kid": key });
        let token = signing_key().sign(&header, &claims("ada", ""));
        assert_eq!(
            statuses(&service, &token).await,
            [401, 401],
            "{key} {algorithm}"
        );
    }
}

/// Cognito writes the client's id in place of an audience, and the resource server
/// before each scope.
#[tokio::test]
async fn access_token_of_cognito_is_accepted() {
    let rsa = OtherKey::rsa();
    let mut config = inline(slice::from_ref(&rsa.jwk));
    config.scope_prefix = "kea/".to_owned();
    let authenticator = Authenticator::open(Some(config)).await;
    let mut claims = claims("ada", "openid kea/orders:write other/orders:manage");
    claims.as_object_mut().unwrap().remove("aud");
    claims["client_id"] = AUDIENCE.into();
    claims["token_use"] = "access".into();
    let caller = async |claims: &Value| {
        let mut headers = http::HeaderMap::new();
        let token = format!("Bearer {}", rsa.token(claims));
        headers.insert("authorization", token.parse().unwrap());
        let ctx =
            chassis::RequestContext::at_start(chassis::Deadline::within(Duration::from_secs(5)));
        authenticator.caller(&headers, &ctx).await
    };
    let accepted = caller(&claims).await.unwrap().unwrap();
    assert_eq!(accepted.subject(), "ada");
    assert!(accepted.has_scope("orders:write"));
    assert!(!accepted.has_scope("orders:manage") && !accepted.has_scope("openid"));

    for (name, value) in [("client_id", "other"), ("token_use", "id")] {
        let mut changed = claims.clone();
        changed[name] = value.into();
        assert_eq!(caller(&changed).await.unwrap_err().status(), 401, "{name}");
    }
}

#[tokio::test]
async fn malformed_claims_are_refused() {
    let service = service(inline(&[signing_key().jwk()])).await;
    let header = json!({ "alg": "EdDSA", "kid": signing_key().id() });
    for (name, value) in [
        ("sub", json!("")),
        ("sub", json!("a".repeat(256))),
        ("sub", json!("a\nb")),
        ("sub", json!(7)),
        ("sub", Value::Null),
        ("iss", json!([ISSUER])),
        ("aud", json!(7)),
        ("aud", json!([])),
        ("exp", json!("tomorrow")),
        ("exp", json!(-1)),
        ("nbf", json!("yesterday")),
        ("scope", json!(["orders:write"])),
    ] {
        let mut claims = claims("ada", "");
        claims[name] = value.clone();
        let token = signing_key().sign(&header, &claims);
        assert_eq!(
            statuses(&service, &token).await,
            [401, 401],
            "{name}: {value}"
        );
    }
    let critical = json!({ "alg": "EdDSA", "kid": signing_key().id(), "crit": ["exp"] });
    let token = signing_key().sign(&critical, &claims("ada", ""));
    assert_eq!(statuses(&service, &token).await, [401, 401]);
    let long = signing_key().token("ada", &"s ".repeat(8_000));
    assert_eq!(statuses(&service, &long).await, [401, 401]);
}

#[tokio::test]
async fn without_keys_every_protected_route_returns_401() {
    let service = service(None).await;
    assert_eq!(statuses(&service, "").await, [401, 204]);
    let token = signing_key().token("ada", "");
    assert_eq!(statuses(&service, &token).await, [401, 401]);
}

/// An issuer: the keys that it publishes, and how often they were fetched.
#[derive(Clone, Default)]
struct Issuer {
    keys: Arc<Mutex<Vec<Value>>>,
    fetches: Arc<AtomicUsize>,
    /// While this is locked, it does not respond.
    responding: Arc<tokio::sync::Mutex<()>>,
}

impl Issuer {
    /// Publishes the keys; their URL.
    async fn publish(&self) -> String {
        let keys = |State(issuer): State<Self>, uri: Uri| async move {
            assert_eq!(uri.query(), Some("of=these"));
            issuer.fetches.fetch_add(1, Ordering::Relaxed);
            let _ = issuer.responding.lock().await;
            let keys = issuer.keys.lock().unwrap().clone();
            if keys.is_empty() {
                (StatusCode::SERVICE_UNAVAILABLE, String::new())
            } else {
                (StatusCode::OK, json!({ "keys": keys }).to_string())
            }
        };
        let issuer = axum::Router::new()
            .route("/keys", route(keys))
            .with_state(self.clone());
        format!("{}/keys?of=these", testbed::serve(issuer).await)
    }

    /// A service that accepts its tokens.
    async fn service(&self) -> Service {
        let url = self.publish().await.parse().unwrap();
        service(config(KeySource::Url(url))).await
    }

    fn fetches(&self) -> usize {
        self.fetches.load(Ordering::Relaxed)
    }
}

#[tokio::test]
async fn keys_are_fetched_at_start_and_once_for_unknown_ids() {
    let issuer = Issuer::default();
    issuer.keys.lock().unwrap().push(signing_key().jwk());
    let service = issuer.service().await;
    assert_eq!(issuer.fetches(), 1);
    let token = signing_key().token("ada", "");
    assert_eq!(statuses(&service, &token).await, [204, 204]);
    assert_eq!(issuer.fetches(), 1);

    // The issuer adds a key; then comes a flood of ids that nobody has.
    let added = SigningKey::generate().unwrap();
    issuer.keys.lock().unwrap().push(added.jwk());
    assert_eq!(
        statuses(&service, &added.token("ada", "")).await,
        [204, 204]
    );
    assert_eq!(issuer.fetches(), 2);
    for _ in 0..50 {
        let unknown = SigningKey::generate().unwrap().token("ada", "");
        assert_eq!(status(&service, "/protected", &unknown).await, 401);
    }
    assert_eq!(issuer.fetches(), 2);
}

#[tokio::test]
async fn keys_that_cannot_be_used_replace_none() {
    let issuer = Issuer::default();
    issuer.keys.lock().unwrap().push(signing_key().jwk());
    let service = issuer.service().await;
    *issuer.keys.lock().unwrap() = vec![json!({"kty": "oct", "kid": "secret", "k": "AQAB"})];
    let unknown = SigningKey::generate().unwrap().token("ada", "");
    assert_eq!(status(&service, "/protected", &unknown).await, 503);
    assert_eq!(issuer.fetches(), 2);
    let token = signing_key().token("ada", "");
    assert_eq!(statuses(&service, &token).await, [204, 204]);
}

#[tokio::test]
async fn withdrawn_key_is_accepted_for_an_hour_at_most() {
    let issuer = Issuer::default();
    let other = SigningKey::generate().unwrap();
    issuer.keys.lock().unwrap().push(signing_key().jwk());
    let service = issuer.service().await;
    let token = signing_key().token("ada", "");
    *issuer.keys.lock().unwrap() = vec![other.jwk()];
    assert_eq!(statuses(&service, &token).await, [204, 204]);
    tokio::time::pause();
    tokio::time::advance(Duration::from_mins(61)).await;
    tokio::time::resume();
    assert_eq!(statuses(&service, &token).await, [401, 401]);
}

#[tokio::test]
async fn caller_with_little_time_cannot_choose_a_withdrawn_key() {
    let issuer = Issuer::default();
    issuer.keys.lock().unwrap().push(signing_key().jwk());
    let service = issuer.service().await;
    let token = signing_key().token("ada", "");
    *issuer.keys.lock().unwrap() = vec![SigningKey::generate().unwrap().jwk()];
    tokio::time::pause();
    tokio::time::advance(Duration::from_mins(61)).await;
    tokio::time::resume();

    let slow = issuer.responding.lock().await;
    let request = Request::get("/protected").header("x-request-deadline", "50");
    let request = request.header("authorization", format!("Bearer {token}"));
    let response = service.call(request.body(axum::body::Body::empty()).unwrap());
    assert_eq!(response.await.status(), 503);
    drop(slow);
    assert_eq!(status(&service, "/protected", &token).await, 401);
}

#[tokio::test]
async fn unreachable_keys_are_a_503_until_they_are_reachable() {
    let issuer = Issuer::default();
    let service = issuer.service().await;
    let token = signing_key().token("ada", "");
    assert_eq!(statuses(&service, &token).await, [503, 503]);
    // A request without a token needs no keys.
    assert_eq!(statuses(&service, "").await, [401, 204]);
    issuer.keys.lock().unwrap().push(signing_key().jwk());
    testbed::eventually(async || {
        (status(&service, "/protected", &token).await == 204).then_some(())
    })
    .await;
}
