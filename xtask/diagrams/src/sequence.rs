//! The sequence diagram of a recorded request.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::{Display, Write as _},
};

use crate::style::{self, Colour, Sign, alias};

/// A request to a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The service.
    pub service: String,
    /// Its operation, such as `POST /mysqldata`.
    pub operation: String,
    /// The status of the response.
    pub status: u64,
    /// Whether the response is that of an earlier request.
    pub replayed: bool,
    /// The steps of the service, in the order of their start.
    pub steps: Vec<Step>,
}

impl Request {
    /// Whether the service makes a call with this operation.
    #[must_use]
    pub fn asks(&self, operation: &str) -> bool {
        let mut steps = self.steps.iter();
        steps.any(|step| matches!(step, Step::Asked(asked) if asked.operation == operation))
    }
}

/// A step of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A call.
    Asked(Asked),
    /// Concurrent calls.
    AtOnce(Vec<Asked>),
    /// A warning in the log.
    Warned(String),
}

/// A call of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The other side.
    pub peer: Peer,
    /// Its operation.
    pub operation: String,
    /// Its error, if it failed.
    pub error: Option<String>,
    /// The request that the other side received, if it did.
    pub request: Option<Request>,
}

/// The other side of a call.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Peer {
    /// A store, by its name in the log.
    Store(String),
    /// A function.
    Function(String),
    /// The API itself: no function has the path.
    Api,
}

/// Draws the diagram of a recorded request.
#[must_use]
pub fn draw(name: &str, title: &str, request: &Request) -> String {
    let mut text = style::begin(name, title);
    text.push_str(
        "skinparam sequenceMessageAlign left\nskinparam maxMessageSize 260\nskinparam boxPadding 8\nskinparam participantPadding 6\nhide footbox\n\
         actor client\n",
    );
    let mut drawing = Drawing::default();
    drawing.request(request, &request.operation, "client");
    for service in &drawing.services {
        let stores = drawing.stores.get(service);
        if stores.is_some() {
            let _ = writeln!(
                text,
                "box \"{service} and its data\" {}",
                Colour::Group.light()
            );
        }
        let _ = writeln!(
            text,
            "participant \"{service}\" as {} {}",
            alias("function", service),
            Colour::Function.light()
        );
        for store in stores.into_iter().flatten() {
            let product = product(store);
            let _ = writeln!(
                text,
                "database \"{product}\" as {} {}",
                alias("store", &format!("{service} {store}")),
                Colour::Store.light()
            );
        }
        if stores.is_some() {
            text.push_str("end box\n");
        }
    }
    text.push_str(&drawing.text);
    text.push_str(&style::end(&[
        (
            Sign::Box(Colour::Function),
            "a function, called over HTTP through the API",
        ),
        (
            Sign::Box(Colour::Store),
            "a store, called in its own protocol",
        ),
        (
            Sign::Line("──>"),
            "a call, from the spans of one trace; their times are left out",
        ),
        (Sign::Line("- - >"), "a response"),
    ]));
    text
}

#[derive(Default)]
struct Drawing {
    text: String,
    /// In the order of their first call.
    services: Vec<String>,
    stores: BTreeMap<String, BTreeSet<String>>,
}

impl Drawing {
    /// A request, by the operation that its caller has for it.
    fn request(&mut self, request: &Request, operation: &str, caller: &str) {
        let service = &request.service;
        self.meet(service);
        let me = alias("function", service);
        self.line(format_args!("{caller} -> {me} : {operation}"));
        self.line(format_args!("activate {me}"));
        self.steps(&request.steps, service);
        let (status, replayed) = (request.status, request.replayed);
        let replayed = if replayed {
            ", Idempotency-Replayed: true"
        } else {
            ""
        };
        self.line(format_args!("{me} --> {caller} : {status}{replayed}"));
        self.line(format_args!("deactivate {me}"));
    }

    fn steps(&mut self, steps: &[Step], service: &str) {
        let mut open = 0_usize;
        let mut rest = steps;
        while let Some((step, after)) = rest.split_first() {
            rest = after;
            match step {
                Step::Warned(what) => {
                    self.line(format_args!(
                        "note over {} : **warns**\\n{what}",
                        alias("function", service)
                    ));
                }
                Step::AtOnce(asked) => {
                    for (index, asked) in asked.iter().enumerate() {
                        let word = if index == 0 { "par at once" } else { "else" };
                        self.line(word);
                        self.asked(asked, service);
                    }
                    self.line("end");
                }
                Step::Asked(asked) => {
                    let same = |step: &&Step| **step == Step::Asked(asked.clone());
                    let again = rest.iter().take_while(same).count();
                    rest = rest.get(again..).unwrap_or_default();
                    if asked.operation == "START TRANSACTION" {
                        self.line("group one transaction");
                        open += 1;
                    }
                    if again > 0 {
                        self.line(format_args!("loop {} attempts", again + 1));
                    }
                    self.asked(asked, service);
                    if again > 0 {
                        self.line("end");
                    }
                    if matches!(asked.operation.as_str(), "COMMIT" | "ROLLBACK") {
                        open = open.saturating_sub(1);
                        self.line("end");
                    }
                }
            }
        }
        for _ in 0..open {
            self.line("end");
        }
    }

    fn asked(&mut self, asked: &Asked, service: &str) {
        let me = alias("function", service);
        let peer = match &asked.peer {
            Peer::Store(store) => {
                let stores = self.stores.entry(service.to_owned()).or_default();
                stores.insert(store.clone());
                alias("store", &format!("{service} {store}"))
            }
            Peer::Function(function) => {
                self.meet(function);
                alias("function", function)
            }
            Peer::Api => "API".to_owned(),
        };
        let operation = &asked.operation;
        match (&asked.request, &asked.error) {
            (Some(request), _) => self.request(request, operation, &me),
            (None, Some(error)) => {
                let red = Colour::Fault.light();
                self.line(format_args!(
                    "{me} -[{red}]>x {peer} : {operation}\\n<color:{red}>{error}</color>"
                ));
            }
            (None, None) => self.line(format_args!("{me} -> {peer} : {operation}")),
        }
    }

    fn meet(&mut self, service: &str) {
        if !self.services.iter().any(|it| it == service) {
            self.services.push(service.to_owned());
        }
    }

    fn line(&mut self, line: impl Display) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.text, "{line}");
    }
}

/// The product name of a store.
fn product(store: &str) -> &str {
    match store {
        "dynamodb" => "DynamoDB",
        "mysql" => "MySQL",
        other => other,
    }
}
