//! The issuer's keys (a JSON Web Key Set, RFC 7517).

use std::{
    collections::HashMap,
    str::FromStr,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use http::Uri;
use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse},
};
use serde::Deserialize;
use serde_json::Value;
use tokio::{
    sync::Mutex,
    time::{Instant, timeout},
};
use tracing::Instrument;

use crate::{
    Deadline, RequestContext,
    outbound::{Client, SUSPENDED},
};

/// The timeout of fetching the keys, during init and later.
const FETCH_TIMEOUT: Duration = Duration::from_secs(2);

/// The minimum time between two fetches, so that unknown key ids cannot cause more.
const REFRESH_INTERVAL: Duration = Duration::from_mins(1);

/// The minimum time between two fetches while there are no keys.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// The age at which keys are fetched again, because the issuer may have withdrawn one.
/// While it cannot be reached, they remain in use.
const MAX_AGE: Duration = Duration::from_hours(1);

/// A key with the one algorithm that it is for.
#[derive(Debug, Clone)]
pub(super) struct Key {
    pub(super) algorithm: Algorithm,
    pub(super) decoding: DecodingKey,
}

/// The keys that can verify a signature here, by their ids.
#[derive(Debug, Clone, Default)]
pub struct KeySet(HashMap<String, Key>);

/// Parses a key set. Keys that cannot verify a signature here are left out: those
/// of other types, without an id, or for encryption.
impl FromStr for KeySet {
    type Err = String;

    fn from_str(json: &str) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Jwks {
            keys: Vec<Value>,
        }
        let set: Jwks =
            serde_json::from_str(json).map_err(|error| format!("it is not a key set: {error}"))?;
        let keys = set.keys.into_iter().filter_map(|key| {
            let key: Jwk = serde_json::from_value(key).ok()?;
            let id = key.common.key_id.clone()?;
            let algorithm = algorithm(&key)?;
            let decoding = DecodingKey::from_jwk(&key).ok()?;
            Some((
                id,
                Key {
                    algorithm,
                    decoding,
                },
            ))
        });
        Ok(Self(keys.collect()))
    }
}

/// The algorithm that a key is for: its type decides, never the token.
fn algorithm(key: &Jwk) -> Option<Algorithm> {
    if !matches!(
        key.common.public_key_use,
        None | Some(PublicKeyUse::Signature)
    ) {
        return None;
    }
    let operations = key.common.key_operations.as_ref();
    if operations.is_some_and(|all| !all.contains(&KeyOperations::Verify)) {
        return None;
    }
    let (algorithm, named) = match &key.algorithm {
        AlgorithmParameters::RSA(_) => (Algorithm::RS256, KeyAlgorithm::RS256),
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => {
            (Algorithm::ES256, KeyAlgorithm::ES256)
        }
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
            (Algorithm::EdDSA, KeyAlgorithm::EdDSA)
        }
        _ => return None,
    };
    let declared = key.common.key_algorithm.unwrap_or(named);
    (declared == named).then_some(algorithm)
}

/// Where the issuer's keys come from (a JSON Web Key Set, RFC 7517).
#[derive(Debug, Clone)]
pub enum KeySource {
    /// The key set itself.
    Inline(KeySet),
    /// The URL of the key set, or its path in this API.
    Url(Uri),
}

/// The keys, fetched where they come from a URL.
#[derive(Clone)]
pub(super) struct Keys(Arc<Inner>);

struct Inner {
    current: RwLock<Arc<Current>>,
    source: Option<Source>,
}

/// The keys in use, and when they were fetched.
struct Current {
    set: KeySet,
    since: Instant,
}

/// The URL of the keys.
struct Source {
    client: Client,
    url: Uri,
    last: Mutex<Option<Fetch>>,
}

/// A fetch that has ended.
struct Fetch {
    at: Instant,
    /// Why it failed, if it did.
    error: Option<String>,
}

/// The issuer's keys cannot be fetched.
#[derive(Debug, thiserror::Error)]
#[error("the issuer's keys cannot be fetched: {cause}")]
pub(super) struct Unavailable {
    cause: String,
    /// They are fetched again after this time.
    pub(super) retry_after: Duration,
}

impl Unavailable {
    /// Without a fetch, so that the next request may make one.
    fn now(cause: &str) -> Self {
        Self {
            cause: cause.to_owned(),
            retry_after: Duration::ZERO,
        }
    }
}

impl Keys {
    /// The keys from `source`. Those at a URL are fetched at once, but a failure
    /// is not an error: they are fetched again when a token needs them.
    pub(super) async fn open(source: KeySource) -> Self {
        let (set, source) = match source {
            KeySource::Inline(set) => (set, None),
            KeySource::Url(url) => {
                let source = Source {
                    client: Client::new("keys", None, FETCH_TIMEOUT),
                    url,
                    last: Mutex::new(None),
                };
                (KeySet::default(), Some(source))
            }
        };
        let keys = Self(Arc::new(Inner {
            current: RwLock::new(Current::now(set)),
            source,
        }));
        let ctx = RequestContext::at_start(Deadline::within(FETCH_TIMEOUT));
        let fetched = keys.refresh(&ctx).await;
        if let (Ok(()), Some(source)) = (fetched, &keys.0.source) {
            // The fetch at start does not count, so that the first unknown key id is
            // fetched at once: the issuer may have changed its keys.
            *source.last.lock().await = None;
        }
        keys
    }

    /// The key with this id, if the issuer has one.
    ///
    /// # Errors
    ///
    /// If the issuer's keys cannot be fetched.
    pub(super) async fn find(
        &self,
        id: &str,
        ctx: &RequestContext,
    ) -> Result<Option<Key>, Unavailable> {
        let current = self.current();
        let is_old = self.0.source.is_some() && current.since.elapsed() > MAX_AGE;
        if let Some(key) = current.set.0.get(id).filter(|_| !is_old) {
            return Ok(Some(key.clone()));
        }
        // A task of its own: a request that ends early must not cut it short. A request
        // waits until it has ended, and gets a 503 if it has less time than that: its
        // caller could otherwise keep a withdrawn key in use.
        let (keys, ctx) = (self.clone(), ctx.clone());
        let refresh = async move { keys.refresh(&ctx).await };
        let refresh = tokio::spawn(refresh.in_current_span());
        let refreshed = timeout(FETCH_TIMEOUT + SUSPENDED, refresh).await;
        if let Some(key) = self.current().set.0.get(id) {
            return Ok(Some(key.clone()));
        }
        match refreshed {
            Ok(Ok(refreshed)) => refreshed.map(|()| None),
            Ok(Err(_panic)) => Err(Unavailable::now("the fetch panicked")),
            Err(_elapsed) => Err(Unavailable::now("the fetch has not ended")),
        }
    }

    fn current(&self) -> Arc<Current> {
        let current = self.0.current.read();
        current.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Fetches the keys unless they were fetched lately.
    async fn refresh(&self, ctx: &RequestContext) -> Result<(), Unavailable> {
        let Some(source) = &self.0.source else {
            return Ok(());
        };
        // A path of this API has no address before there is a request.
        if source.url.authority().is_none() && ctx.api().is_none() {
            return Err(Unavailable::now("the address of the API is unknown"));
        }
        let mut last = source.last.lock().await;
        let interval = if self.current().set.0.is_empty() {
            RETRY_INTERVAL
        } else {
            REFRESH_INTERVAL
        };
        if let Some(fetch) = &*last
            && let Some(left) = interval.checked_sub(fetch.at.elapsed())
        {
            return fetch.result(left);
        }
        let started = Instant::now();
        let fetched = source.fetch(ctx).await;
        // A fetch that was suspended with the process shows nothing about the issuer, and
        // its keys may be old.
        if started.elapsed() > FETCH_TIMEOUT + SUSPENDED {
            return Err(Unavailable::now("the process was suspended"));
        }
        let error = match fetched {
            Ok(set) => {
                let current = self.0.current.write();
                *current.unwrap_or_else(PoisonError::into_inner) = Current::now(set);
                None
            }
            Err(error) => {
                tracing::warn!(error, "the issuer's keys cannot be fetched");
                Some(error)
            }
        };
        let at = Instant::now();
        last.insert(Fetch { at, error }).result(interval)
    }
}

impl Fetch {
    /// Its result, where the next fetch is made after this time.
    fn result(&self, retry_after: Duration) -> Result<(), Unavailable> {
        let unavailable = |cause: &String| Unavailable {
            cause: cause.clone(),
            retry_after,
        };
        self.error.as_ref().map(unavailable).map_or(Ok(()), Err)
    }
}

impl Current {
    fn now(set: KeySet) -> Arc<Self> {
        let since = Instant::now();
        Arc::new(Self { set, since })
    }
}

impl Source {
    async fn fetch(&self, ctx: &RequestContext) -> Result<KeySet, String> {
        let ctx = ctx.with_deadline(Deadline::within(FETCH_TIMEOUT));
        let reply = match self.url.authority() {
            Some(_) => self.client.get_url(&ctx, &self.url).await,
            None => self.client.get(&ctx, &self.url.to_string()).await,
        };
        let reply = reply.map_err(|error| crate::error_chain(&error))?;
        if !reply.status.is_success() {
            return Err(format!("the response has status {}", reply.status));
        }
        let json = std::str::from_utf8(&reply.body);
        let json = json.map_err(|_| "the response is not UTF-8".to_owned())?;
        let set: KeySet = json.parse()?;
        // It must not replace keys that are in use.
        if set.0.is_empty() {
            return Err("the response has no key that can be used".to_owned());
        }
        Ok(set)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Examples of RFC 7517 and RFC 8037, shortened where nothing is verified.
    const KEYS: &str = r#"{"keys":[
        {"kty":"OKP","crv":"Ed25519","kid":"ed","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
        {"kty":"EC","crv":"P-256","kid":"ec","use":"sig","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"},
        {"kty":"RSA","kid":"rsa","alg":"RS256","n":"AQAB","e":"AQAB"},
        {"kty":"RSA","kid":"another algorithm","alg":"PS256","n":"AQAB","e":"AQAB"},
        {"kty":"RSA","kid":"encryption","use":"enc","n":"AQAB","e":"AQAB"},
        {"kty":"RSA","kid":"other operations","key_ops":["encrypt"],"n":"AQAB","e":"AQAB"},
        {"kty":"RSA","n":"AQAB","e":"AQAB"},
        {"kty":"oct","kid":"secret","k":"AQAB"},
        {"kty":"EC","crv":"P-384","kid":"another curve","x":"AQAB","y":"AQAB"},
        {"kty":"new","kid":"another type"}
    ]}"#;

    #[test]
    fn a_key_has_one_algorithm_and_other_keys_are_left_out() {
        let set: KeySet = KEYS.parse().unwrap();
        let mut algorithms: Vec<_> = set
            .0
            .iter()
            .map(|(id, key)| (id.as_str(), key.algorithm))
            .collect();
        algorithms.sort_by_key(|(id, _)| *id);
        assert_eq!(
            algorithms,
            [
                ("ec", Algorithm::ES256),
                ("ed", Algorithm::EdDSA),
                ("rsa", Algorithm::RS256),
            ]
        );
        for bad in ["", "{}", r#"{"keys":{}}"#, "[]"] {
            assert!(bad.parse::<KeySet>().is_err(), "{bad}");
        }
    }

    #[tokio::test]
    async fn an_inline_set_is_never_fetched() {
        let keys = Keys::open(KeySource::Inline(KEYS.parse().unwrap())).await;
        let ctx = RequestContext::at_start(Deadline::within(FETCH_TIMEOUT));
        assert!(keys.find("ed", &ctx).await.unwrap().is_some());
        assert!(keys.find("none", &ctx).await.unwrap().is_none());
    }
}
