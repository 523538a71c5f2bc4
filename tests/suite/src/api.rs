//! A surface as a client sees it, and what it answered.

use std::{
    fmt,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{Method, header::ALLOW};
use serde_json::Value;

use super::{Emulator, Kind};
use crate::{Client, Response};

/// Longer than a function may take, and its cold start.
const PATIENCE: Duration = Duration::from_secs(40);

/// How much of a body is shown.
const SHOWN: usize = 400;

/// What a check comes to.
pub type Outcome<T = ()> = Result<T, Failure>;

/// An answer that is not as it should be.
#[derive(Debug, Clone)]
pub struct Failure {
    /// The request.
    pub sent: String,
    /// What should have come.
    pub expected: String,
    /// What came.
    pub got: String,
}

/// A surface.
pub struct Api {
    kind: Kind,
    client: Client,
    emulator: Option<Emulator>,
    /// Nothing else on the surface has a name with this in it.
    mark: String,
    names: AtomicUsize,
    /// The paths of what is to be deleted.
    made: Mutex<Vec<String>>,
}

impl Api {
    /// The surface at `url`.
    pub fn new(kind: Kind, url: &str, emulator: Option<Emulator>) -> Self {
        Self {
            kind,
            client: Client::new(url.trim_end_matches('/').to_owned()),
            emulator,
            mark: uuid::Uuid::now_v7().simple().to_string(),
            names: AtomicUsize::new(0),
            made: Mutex::new(Vec::new()),
        }
    }

    /// Which one it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The emulator, on its surface.
    pub fn emulator(&self) -> &Emulator {
        self.emulator
            .as_ref()
            .expect("a case of the emulator's runs there alone")
    }

    /// A name that nothing has, and that can be an id.
    pub fn unique(&self) -> String {
        let count = self.names.fetch_add(1, Ordering::Relaxed);
        format!("s-{}-{count}", self.mark)
    }

    /// Sends a request.
    ///
    /// # Errors
    /// No answer comes.
    pub async fn send(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Outcome<Answer> {
        let body = body.into();
        let mut sent = format!("{method} {target}");
        for (name, value) in headers {
            sent = format!("{sent}\n{name}: {}", shown(value.as_bytes()));
        }
        if !body.is_empty() {
            sent = format!("{sent}\n\n{}", shown(&body));
        }
        let known: Method = method.parse().expect("a method");
        let answer = self
            .client
            .try_send(known, target, headers, body, PATIENCE)
            .await;
        let Some(response) = answer else {
            return Err(Failure {
                sent,
                expected: "an answer".to_owned(),
                got: format!("none within {} s", PATIENCE.as_secs()),
            });
        };
        let location = response.header("location");
        if method != "PATCH" && location.starts_with("/nosqldata/") {
            self.made.lock().unwrap().push(location.to_owned());
        }
        Ok(Answer { sent, response })
    }

    /// `GET`.
    ///
    /// # Errors
    /// No answer comes.
    pub async fn get(&self, target: &str) -> Outcome<Answer> {
        self.send("GET", target, &[], "").await
    }

    /// `GET` with headers.
    ///
    /// # Errors
    /// No answer comes.
    pub async fn get_with(&self, target: &str, headers: &[(&str, &str)]) -> Outcome<Answer> {
        self.send("GET", target, headers, "").await
    }

    /// Any method with JSON and further headers.
    ///
    /// # Errors
    /// No answer comes.
    pub async fn json(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> Outcome<Answer> {
        if method == "PUT" && target.starts_with("/nosqldata/") {
            self.made.lock().unwrap().push(target.to_owned());
        }
        let all = [&[("content-type", "application/json")], headers].concat();
        self.send(method, target, &all, body.to_string()).await
    }

    /// Deletes the products that the suite made. There is no way to delete an
    /// order.
    pub async fn clean_up(&self) {
        let made = std::mem::take(&mut *self.made.lock().unwrap());
        for path in made {
            // One that a case deleted is gone already.
            let _ = self.send("DELETE", &path, &[], "").await;
        }
    }
}

/// What came back, and what for.
#[derive(Debug, Clone)]
pub struct Answer {
    sent: String,
    response: Response,
}

impl Answer {
    /// The body.
    pub fn body(&self) -> &Bytes {
        &self.response.body
    }

    /// A header's value; empty where it is absent or no ASCII.
    pub fn value(&self, name: &str) -> &str {
        let value = self.response.headers.get(name);
        value
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// The status.
    pub fn code(&self) -> u16 {
        self.response.status.as_u16()
    }

    /// The failure to be what was `expected`.
    pub fn failure(&self, expected: impl fmt::Display) -> Failure {
        let mut got = self.response.status.to_string();
        for (name, value) in &self.response.headers {
            got = format!("{got}\n{name}: {}", shown(value.as_bytes()));
        }
        if !self.response.body.is_empty() {
            got = format!("{got}\n\n{}", shown(&self.response.body));
        }
        Failure {
            sent: self.sent.clone(),
            expected: expected.to_string(),
            got,
        }
    }

    /// That something is so.
    ///
    /// # Errors
    /// It is not.
    pub fn that(&self, holds: bool, expected: impl fmt::Display) -> Outcome<&Self> {
        if holds {
            Ok(self)
        } else {
            Err(self.failure(expected))
        }
    }

    /// That it has this status.
    ///
    /// # Errors
    /// It has another.
    pub fn status(&self, status: u16) -> Outcome<&Self> {
        self.that(self.code() == status, status)
    }

    /// That it has a header with this value.
    ///
    /// # Errors
    /// It has not.
    pub fn header(&self, name: &str, value: &str) -> Outcome<&Self> {
        self.that(self.value(name) == value, format_args!("{name}: {value}"))
    }

    /// That its body is this text.
    ///
    /// # Errors
    /// It is another.
    pub fn text(&self, text: &str) -> Outcome<&Self> {
        self.that(
            *self.body() == text.as_bytes(),
            format_args!("the body {text:?}"),
        )
    }

    /// That it has no body.
    ///
    /// # Errors
    /// It has one.
    pub fn empty(&self) -> Outcome<&Self> {
        self.that(self.body().is_empty(), "no body")
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// It is none.
    pub fn value_of_json(&self) -> Outcome<Value> {
        serde_json::from_slice(self.body()).map_err(|_| self.failure("JSON"))
    }

    /// That a member of the JSON body, named by its pointer, has this value.
    ///
    /// # Errors
    /// It has another, or there is none.
    pub fn member(&self, pointer: &str, value: impl Into<Value>) -> Outcome<&Self> {
        let (json, value) = (self.value_of_json()?, value.into());
        self.that(
            json.pointer(pointer) == Some(&value),
            format_args!("{pointer} of the body to be {value}"),
        )
    }

    /// A text in the JSON body, named by its pointer.
    ///
    /// # Errors
    /// There is none.
    pub fn text_at(&self, pointer: &str) -> Outcome<String> {
        let json = self.value_of_json()?;
        let text = json.pointer(pointer).and_then(Value::as_str);
        text.map(str::to_owned)
            .ok_or_else(|| self.failure(format_args!("a text at {pointer} of the body")))
    }

    /// That it is a well-formed problem (RFC 9457) of this status and type.
    ///
    /// # Errors
    /// It is not.
    pub fn problem(&self, status: u16, kind: &str) -> Outcome<&Self> {
        self.status(status)?
            .header("content-type", "application/problem+json")?
            .member("/status", status)?
            .member("/type", format!("/problems/{kind}"))?;
        for member in ["/title", "/detail", "/instance", "/requestId"] {
            self.that(
                !self.text_at(member)?.is_empty(),
                format_args!("a text at {member}"),
            )?;
        }
        Ok(self)
    }

    /// That it is a problem of this status and type with just these faults.
    ///
    /// # Errors
    /// It is not.
    pub fn faults(&self, status: u16, kind: &str, places: &[&str]) -> Outcome<&Self> {
        self.problem(status, kind)?;
        let json = self.value_of_json()?;
        let errors = json["errors"].as_array().cloned().unwrap_or_default();
        let place = |error: &Value| {
            let names = ["pointer", "parameter", "header"];
            let at = names.into_iter().find_map(|name| error[name].as_str());
            at.unwrap_or_default().to_owned()
        };
        let found: Vec<_> = errors.iter().map(place).collect();
        self.that(found == places, format_args!("faults at {places:?}"))
    }

    /// That `Allow` lists just these methods, in any order.
    ///
    /// # Errors
    /// It does not.
    pub fn allow(&self, methods: &str) -> Outcome<&Self> {
        let sorted = |list: &str| {
            let mut methods: Vec<_> = list.split(',').map(|it| it.trim().to_owned()).collect();
            methods.sort();
            methods
        };
        let allowed = self.value(ALLOW.as_str());
        self.that(
            sorted(allowed) == sorted(methods),
            format_args!("allow: {methods}"),
        )
    }
}

/// So much of it as one reads.
fn shown(bytes: &[u8]) -> String {
    let start = bytes.get(..SHOWN).unwrap_or(bytes);
    let text = match std::str::from_utf8(start) {
        Err(error) if error.error_len().is_some() => return format!("{} bytes", bytes.len()),
        _ => String::from_utf8_lossy(start),
    };
    if bytes.len() > SHOWN {
        format!("{text}… ({} bytes)", bytes.len())
    } else {
        text.into_owned()
    }
}
