//! The routes of a service.

use std::borrow::Cow;

use axum::{handler::Handler, routing::MethodRouter};
use dto::problem::ProblemType;
use http::HeaderValue;

#[cfg(feature = "openapi")]
use super::openapi::Document;
use super::{Problem, Service, health, health::Check, openapi::DescribeHandler};

/// The documentation of an operation beyond its types.
#[derive(Debug, Clone)]
#[cfg_attr(
    not(feature = "openapi"),
    expect(dead_code, reason = "for the document")
)]
pub struct Doc {
    pub(super) id: Cow<'static, str>,
    pub(super) summary: Cow<'static, str>,
    pub(super) description: &'static str,
    pub(super) problems: &'static [ProblemType],
}

/// The documentation of an operation: its `operationId` and its summary.
#[must_use]
pub fn doc(id: impl Into<Cow<'static, str>>, summary: impl Into<Cow<'static, str>>) -> Doc {
    Doc {
        id: id.into(),
        summary: summary.into(),
        description: "",
        problems: &[],
    }
}

impl Doc {
    /// Sets the description, in Markdown.
    #[must_use]
    pub fn describe(self, description: &'static str) -> Self {
        Self {
            description,
            ..self
        }
    }

    /// Names the problems that the types of the handler do not imply.
    #[must_use]
    pub fn problems(self, problems: &'static [ProblemType]) -> Self {
        Self { problems, ..self }
    }
}

/// The methods that a path supports, with a handler each.
#[must_use]
pub struct Methods<S> {
    handlers: MethodRouter<S>,
    #[cfg(feature = "openapi")]
    operations: Vec<AddOperation>,
}

/// Adds an operation to the document of the service called `tag`.
#[cfg(feature = "openapi")]
type AddOperation = Box<dyn FnOnce(&mut Document, &str, &str)>;

/// A path that supports `GET`.
pub fn get<H, T, S>(doc: Doc, handler: H) -> Methods<S>
where
    H: Handler<T, S> + DescribeHandler<T>,
    T: 'static,
    S: Clone + Send + Sync + 'static,
{
    Methods {
        handlers: MethodRouter::new(),
        #[cfg(feature = "openapi")]
        operations: Vec::new(),
    }
    .on("get", doc, handler, MethodRouter::get)
}

/// Declares the other methods.
macro_rules! methods {
    ($($name:ident),*) => {
        $(
            #[doc = concat!("Adds `", stringify!($name), "`.")]
            pub fn $name<H, T>(self, doc: Doc, handler: H) -> Self
            where
                H: Handler<T, S> + DescribeHandler<T>,
                T: 'static,
            {
                self.on(stringify!($name), doc, handler, MethodRouter::$name)
            }
        )*
    };
}

impl<S: Clone + Send + Sync + 'static> Methods<S> {
    methods!(post, put, patch, delete);

    #[cfg_attr(
        not(feature = "openapi"),
        expect(
            clippy::needless_pass_by_value,
            unused_variables,
            reason = "for the document"
        )
    )]
    fn on<H, T>(
        mut self,
        method: &'static str,
        doc: Doc,
        handler: H,
        add: fn(MethodRouter<S>, H) -> MethodRouter<S>,
    ) -> Self
    where
        H: Handler<T, S> + DescribeHandler<T>,
        T: 'static,
    {
        self.handlers = add(self.handlers, handler);
        #[cfg(feature = "openapi")]
        self.operations.push(Box::new(move |document, tag, path| {
            document.add::<T, H>(tag, path, method, &doc);
        }));
        self
    }
}

/// The routes of a service, each declared once.
///
/// Beyond what is declared, a service answers `GET /health/{name}`, `HEAD`
/// wherever it answers `GET`, `OPTIONS` with 204 and `Allow`, an unknown path
/// with 404 and a wrong method with 405.
pub struct Router<S = ()> {
    name: &'static str,
    state: S,
    routes: axum::Router<S>,
    paths: Vec<String>,
    checks: Vec<Check>,
    calls: Vec<String>,
    cache_control: Option<HeaderValue>,
    #[cfg(feature = "openapi")]
    document: Document,
}

impl<S: Clone + Send + Sync + 'static> Router<S> {
    /// The routes of the service called `name`, which is the name of its binary.
    /// The handlers share `state`.
    #[must_use]
    pub fn new(name: &'static str, state: S) -> Self {
        Self {
            name,
            state,
            routes: axum::Router::new(),
            paths: Vec::new(),
            checks: Vec::new(),
            calls: Vec::new(),
            cache_control: None,
            #[cfg(feature = "openapi")]
            document: Document::default(),
        }
    }

    /// Adds a path and the methods that it supports.
    #[must_use]
    pub fn route(mut self, path: &str, methods: Methods<S>) -> Self {
        self.routes = self.routes.route(path, methods.handlers);
        self.paths.push(path.to_owned());
        #[cfg(feature = "openapi")]
        for add in methods.operations {
            add(&mut self.document, self.name, path);
        }
        self
    }

    /// Adds a dependency to the service's health.
    #[must_use]
    pub fn check(mut self, check: Check) -> Self {
        self.checks.push(check);
        self
    }

    /// Sets the `Cache-Control` of every response that has none of its own.
    #[must_use]
    pub fn cache_control(mut self, value: &'static str) -> Self {
        self.cache_control = Some(HeaderValue::from_static(value));
        self
    }

    /// Declares a path of another service that this one calls.
    #[must_use]
    pub fn calls(mut self, path: impl Into<String>) -> Self {
        self.calls.push(path.into());
        self
    }

    /// The service, ready to be called.
    #[must_use]
    pub fn into_service(mut self) -> Service {
        let path = format!("/health/{}", self.name);
        let report = health::report(self.name, std::mem::take(&mut self.checks));
        let service = self.route(&path, report);
        let routes = service.routes.fallback(|| async {
            Problem::new(ProblemType::UnknownPath, "No route has this path.")
        });
        Service::new(
            service.name,
            routes.with_state(service.state),
            service.paths.into(),
            service.calls.into(),
            service.cache_control,
            #[cfg(feature = "openapi")]
            service.document,
        )
    }
}
