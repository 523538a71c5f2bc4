//! Signatures of requests: AWS Signature Version 4, for calls with JSON and for URLs.
//!
//! Source: AWS Identity and Access Management User Guide, "Create a signed AWS API
//! request". A test compares it with the crate `aws-sigv4`, which works for every
//! API and takes several times as long.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use dto::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use ring::{
    digest::{SHA256, digest},
    hmac::{self, HMAC_SHA256, Key},
};

use crate::environment::Role;

/// How an API is called.
#[derive(Debug, Clone, Copy)]
pub struct Protocol {
    /// The service's name in signatures, such as `dynamodb`.
    pub service: &'static str,
    /// The API's name in `x-amz-target`, such as `DynamoDB_20120810`.
    pub target: &'static str,
    /// The media type of requests.
    pub media_type: &'static str,
}

/// Signs the requests of one role to one endpoint.
pub(super) struct Signer {
    role: Role,
    protocol: Protocol,
    host: String,
    path: String,
    /// The signing key of a day, with that day as `YYYYMMDD`.
    key: Mutex<Option<(String, Key)>>,
}

/// It has secrets.
impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signer").finish_non_exhaustive()
    }
}

impl Signer {
    pub(super) fn new(role: Role, protocol: Protocol, host: String, path: String) -> Self {
        Self {
            role,
            protocol,
            host,
            path,
            key: Mutex::new(None),
        }
    }

    /// The value of the header `Host`, which is signed.
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// The headers that sign a request with this `x-amz-target` and this body.
    pub(super) fn sign(
        &self,
        target: &str,
        body: &[u8],
        now: Timestamp,
    ) -> impl Iterator<Item = (&'static str, String)> + use<> {
        let (day, time) = day_and_time(now);
        let (host, path) = (&self.host, &self.path);
        let Protocol {
            service,
            media_type,
            ..
        } = self.protocol;
        let (token, token_name) = match &self.role.session_token {
            Some(token) => (
                format!("x-amz-security-token:{token}\n"),
                "x-amz-security-token;",
            ),
            None => (String::new(), ""),
        };
        let names = format!("content-type;host;x-amz-date;{token_name}x-amz-target");
        let body = hex(digest(&SHA256, body).as_ref());
        let request = format!(
            "POST\n{path}\n\n\
             content-type:{media_type}\n\
             host:{host}\n\
             x-amz-date:{time}\n\
             {token}\
             x-amz-target:{target}\n\
             \n\
             {names}\n\
             {body}"
        );
        let scope = scope(&self.role, &day, service);
        let signature = signature(&self.key_of(&day), &time, &scope, &request);
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={signature}",
            self.role.access_key_id,
        );
        let token = self.role.session_token.clone();
        [("authorization", authorization), ("x-amz-date", time)]
            .into_iter()
            .chain(token.map(|token| ("x-amz-security-token", token)))
    }

    fn key_of(&self, day: &str) -> Key {
        let mut kept = self.key.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, key)) = &*kept
            && of == day
        {
            return key.clone();
        }
        let key = signing_key(&self.role, day, self.protocol.service);
        *kept = Some((day.to_owned(), key.clone()));
        key
    }
}

/// The characters that a canonical query does not encode.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Presigns `GET https://{host}/` with these query parameters for `lifetime`, and returns
/// the URL without its scheme.
#[must_use]
pub fn presign(
    role: &Role,
    service: &str,
    host: &str,
    parameters: &[(&str, &str)],
    lifetime: Duration,
    now: Timestamp,
) -> String {
    let (day, time) = day_and_time(now);
    let scope = scope(role, &day, service);
    let credential = format!("{}/{scope}", role.access_key_id);
    let lifetime = lifetime.as_secs().to_string();
    let mut parameters = parameters.to_vec();
    parameters.extend([
        ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),
        ("X-Amz-Credential", &credential),
        ("X-Amz-Date", &time),
        ("X-Amz-Expires", &lifetime),
        ("X-Amz-SignedHeaders", "host"),
    ]);
    let token = role.session_token.as_deref();
    parameters.extend(token.map(|token| ("X-Amz-Security-Token", token)));
    parameters.sort_unstable();
    let encoded = |text| utf8_percent_encode(text, UNRESERVED);
    let parameters: Vec<_> = (parameters.into_iter())
        .map(|(name, value)| format!("{}={}", encoded(name), encoded(value)))
        .collect();
    let query = parameters.join("&");
    let body = hex(digest(&SHA256, b"").as_ref());
    let request = format!("GET\n/\n{query}\nhost:{host}\n\nhost\n{body}");
    let signature = signature(&signing_key(role, &day, service), &time, &scope, &request);
    format!("{host}/?{query}&X-Amz-Signature={signature}")
}

/// A time as `YYYYMMDD` and as `YYYYMMDDThhmmssZ`.
fn day_and_time(now: Timestamp) -> (String, String) {
    let now = now.utc();
    let day = format!(
        "{:04}{:02}{:02}",
        now.year(),
        u8::from(now.month()),
        now.day()
    );
    let time = format!(
        "{day}T{:02}{:02}{:02}Z",
        now.hour(),
        now.minute(),
        now.second()
    );
    (day, time)
}

/// The scope of a credential.
fn scope(role: &Role, day: &str, service: &str) -> String {
    format!("{day}/{}/{service}/aws4_request", role.region)
}

/// The signing key of a day.
fn signing_key(role: &Role, day: &str, service: &str) -> Key {
    let secret = format!("AWS4{}", role.secret_access_key);
    let mut key = Key::new(HMAC_SHA256, secret.as_bytes());
    for part in [day, &role.region, service, "aws4_request"] {
        let derived = hmac::sign(&key, part.as_bytes());
        key = Key::new(HMAC_SHA256, derived.as_ref());
    }
    key
}

/// The signature of a canonical request.
fn signature(key: &Key, time: &str, scope: &str, request: &str) -> String {
    let request = hex(digest(&SHA256, request.as_bytes()).as_ref());
    let text = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{request}");
    hex(hmac::sign(key, text.as_bytes()).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    let halves = bytes.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
    let digits = halves.filter_map(|half| char::from_digit(half.into(), 16));
    let mut text = String::with_capacity(bytes.len() * 2);
    text.extend(digits);
    text
}

#[cfg(test)]
mod tests {
    use aws_credential_types::Credentials;
    use aws_sigv4::{
        http_request::{SignableBody, SignableRequest, SigningSettings, sign},
        sign::v4,
    };

    use super::*;

    #[test]
    fn signature_equals_that_of_the_sdk() {
        let protocol = Protocol {
            service: "dynamodb",
            target: "DynamoDB_20120810",
            media_type: "application/x-amz-json-1.0",
        };
        for token in [None, Some("token".to_owned())] {
            for (at, body) in [
                ("2026-11-26T04:05:06Z", "{}"),
                ("2026-11-26T23:59:59Z", r#"{"TableName":"å"}"#),
                ("2027-01-01T00:00:00Z", ""),
            ] {
                let role = Role {
                    region: "eu-north-1".to_owned(),
                    access_key_id: "id".to_owned(),
                    secret_access_key: "secret".to_owned(),
                    session_token: token.clone(),
                };
                let host = "dynamodb.eu-north-1.amazonaws.com";
                let signer = Signer::new(role, protocol, host.to_owned(), "/".to_owned());
                let now = Timestamp::parse_time_or_date(at).unwrap();
                let ours = signer.sign("DynamoDB_20120810.GetItem", body.as_bytes(), now);

                let credentials = Credentials::new("id", "secret", token.clone(), None, "test");
                let identity = credentials.into();
                let parameters = v4::SigningParams::builder()
                    .identity(&identity)
                    .region("eu-north-1")
                    .name("dynamodb")
                    .time(now.utc().into())
                    .settings(SigningSettings::default())
                    .build()
                    .unwrap()
                    .into();
                let headers = [
                    ("content-type", "application/x-amz-json-1.0"),
                    ("host", host),
                    ("x-amz-target", "DynamoDB_20120810.GetItem"),
                ];
                let url = format!("https://{host}/");
                let body = SignableBody::Bytes(body.as_bytes());
                let request = SignableRequest::new("POST", url, headers.into_iter(), body).unwrap();
                let (instructions, _) = sign(request, &parameters).unwrap().into_parts();
                let mut theirs: Vec<_> = (instructions.headers())
                    .map(|(name, value)| (name.to_owned(), value.to_owned()))
                    .collect();
                theirs.sort();
                let mut ours: Vec<_> = ours.map(|(name, value)| (name.to_owned(), value)).collect();
                ours.sort();
                assert_eq!(ours, theirs);
            }
        }
    }
}
