//! The issuer of tokens for development and tests. A deployment trusts it only if
//! its parameters say so.

use std::{
    io::{ErrorKind, Write},
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, anyhow};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use fs_err as fs;
use ring::{
    digest,
    rand::SystemRandom,
    signature::{Ed25519KeyPair, KeyPair},
};
use serde_json::{Value, json};
use tempfile::NamedTempFile;
use template::Template;

/// The claim `iss` of the tokens.
pub const ISSUER: &str = "urn:kea:development";

/// The claim `aud` of the tokens.
pub const AUDIENCE: &str = "kea";

/// How long a token is valid: a working day.
pub const LIFETIME: Duration = Duration::from_hours(8);

/// The scopes of the API, separated by blanks: those that the template declares.
///
/// # Errors
///
/// The template cannot be read.
pub fn scopes() -> Result<String> {
    let template = Template::read(&template::path())?;
    let servers = template.of_type("AWS::Cognito::UserPoolResourceServer");
    let scopes = servers.filter_map(|(_, server)| server.properties.get("Scopes")?.as_array());
    let names = scopes.flatten();
    let names = names.filter_map(|scope| scope.get("ScopeName")?.as_str());
    Ok(names.collect::<Vec<_>>().join(" "))
}

/// A key that signs tokens, by Ed25519.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    id: String,
}

impl SigningKey {
    /// The key in this file, which is created if it does not exist. Only its owner
    /// can read it.
    ///
    /// # Errors
    ///
    /// If the file cannot be read or written, or is not a key.
    pub fn open(path: &Path) -> Result<Self> {
        if !path.exists() {
            create(path).with_context(|| format!("{} cannot be written", path.display()))?;
        }
        let pkcs8 = fs::read(path)?;
        Self::from_pkcs8(&pkcs8)
            .with_context(|| format!("{} is not a key: delete it", path.display()))
    }

    /// A new key.
    ///
    /// # Errors
    ///
    /// If the system has no random numbers.
    pub fn generate() -> Result<Self> {
        Self::from_pkcs8(&generate()?)
    }

    fn from_pkcs8(pkcs8: &[u8]) -> Result<Self> {
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8)
            .map_err(|error| anyhow!("the key is malformed: {error}"))?;
        let hash = digest::digest(&digest::SHA256, pair.public_key().as_ref());
        let id = hash.as_ref().first_chunk().copied().unwrap_or_default();
        let id = format!("{:016x}", u64::from_be_bytes(id));
        Ok(Self { pair, id })
    }

    /// The id of the key, `kid`.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The public key as a JSON Web Key (RFC 8037).
    #[must_use]
    pub fn jwk(&self) -> Value {
        json!({
            "kty": "OKP",
            "crv": "Ed25519",
            "alg": "EdDSA",
            "use": "sig",
            "kid": self.id,
            "x": encode(self.pair.public_key().as_ref()),
        })
    }

    /// The token of a caller, valid from now on for [`LIFETIME`].
    #[must_use]
    pub fn token(&self, subject: &str, scope: &str) -> String {
        let header = json!({ "alg": "EdDSA", "typ": "at+jwt", "kid": self.id });
        self.sign(&header, &claims(subject, scope))
    }

    /// The token of this header and these claims.
    #[must_use]
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        let message = message(header, claims);
        let signature = self.pair.sign(message.as_bytes());
        format!("{message}.{}", encode(signature.as_ref()))
    }
}

/// The environment variables by which a function accepts the tokens of the keys
/// in this JSON Web Key Set.
#[must_use]
pub fn environment(keys: &[Value]) -> Vec<(&'static str, String)> {
    vec![
        ("AUTH_ISSUER", ISSUER.to_owned()),
        ("AUTH_AUDIENCE", AUDIENCE.to_owned()),
        ("AUTH_SCOPE_PREFIX", String::new()),
        ("AUTH_JWKS", json!({ "keys": keys }).to_string()),
        ("AUTH_JWKS_URL", String::new()),
    ]
}

/// The parameters of `template.yaml` by which a stack accepts the tokens of the keys
/// in this JSON Web Key Set, in place of those of a user pool.
#[must_use]
pub fn parameters(keys: &[Value]) -> [(&'static str, String); 3] {
    [
        ("AuthIssuer", ISSUER.to_owned()),
        ("AuthAudience", AUDIENCE.to_owned()),
        ("AuthJwks", json!({ "keys": keys }).to_string()),
    ]
}

/// The claims of a token (RFC 9068), valid from now on for [`LIFETIME`].
#[must_use]
pub fn claims(subject: &str, scope: &str) -> Value {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.unwrap_or_default().as_secs();
    json!({
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": subject,
        "scope": scope,
        "iat": now,
        "exp": now + LIFETIME.as_secs(),
    })
}

/// What is signed of a token.
#[must_use]
pub fn message(header: &Value, claims: &Value) -> String {
    let part = |part: &Value| encode(part.to_string().as_bytes());
    format!("{}.{}", part(header), part(claims))
}

/// Base64 as in a token (RFC 7515 §2).
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn generate() -> Result<Vec<u8>> {
    let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new());
    let pkcs8 = pkcs8.map_err(|_| anyhow!("the system has no random numbers"))?;
    Ok(pkcs8.as_ref().to_vec())
}

fn create(path: &Path) -> Result<()> {
    let folder = path.parent().context("the path has no folder")?;
    fs::create_dir_all(folder)?;
    // Written aside and then moved: of two processes, one key stays. Only its owner can
    // read a temporary file.
    let mut aside = NamedTempFile::new_in(folder)?;
    aside.write_all(&generate()?)?;
    match aside.persist_noclobber(path) {
        Err(error) if error.error.kind() != ErrorKind::AlreadyExists => Err(error.into()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_is_created_once_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys/development.der");
        let created = SigningKey::open(&path).unwrap();
        let opened = SigningKey::open(&path).unwrap();
        assert_eq!(created.jwk(), opened.jwk());
        assert_ne!(created.id(), SigningKey::generate().unwrap().id());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        fs::write(&path, "not a key").unwrap();
        assert!(SigningKey::open(&path).is_err());
    }

    #[test]
    fn a_token_has_three_parts_and_the_claims() {
        let token = SigningKey::generate().unwrap().token("ada", "orders:write");
        let parts: Vec<_> = token.split('.').collect();
        let [_, claims, _] = parts[..] else {
            panic!("{token}");
        };
        let claims = URL_SAFE_NO_PAD.decode(claims).unwrap();
        let claims: Value = serde_json::from_slice(&claims).unwrap();
        assert_eq!(
            (&claims["sub"], &claims["scope"]),
            (&json!("ada"), &json!("orders:write"))
        );
        let lifetime = claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap();
        assert_eq!(lifetime, 8 * 60 * 60);
    }
}
