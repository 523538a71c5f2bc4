//! The routes of a service.

use std::sync::Arc;

use axum::{
    extract::Request,
    handler::Handler,
    middleware::{Next, from_fn},
    response::{IntoResponse, Response},
    routing::MethodRouter,
};
use dto::problem::ProblemType;
use http::HeaderValue;
use tower::util::MapRequestLayer;

#[cfg(feature = "openapi")]
use super::openapi::Document;
use super::{Doc, Service, doc, health, health::Check, openapi::DescribeHandler};
use crate::{
    Problem, RequestContext,
    auth::{Access, Caller},
};

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

/// Calls the handler if the route's access admits the request.
async fn admit(access: Access, mut request: Request, next: Next) -> Response {
    match access.admit(&mut request) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
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
        let handlers = add(MethodRouter::new(), handler);
        self.handlers = self.handlers.merge(match doc.access {
            Access::Public => handlers,
            access => {
                handlers.route_layer(from_fn(move |request, next| admit(access, request, next)))
            }
        });
        #[cfg(feature = "openapi")]
        self.operations.push(Box::new(move |document, tag, path| {
            document.add::<T, H>(tag, path, method, &doc);
        }));
        self
    }
}

/// What runs before every handler of a path.
type Layer<S> = Box<dyn Fn(MethodRouter<S>) -> MethodRouter<S>>;

/// The routes of a service, each declared once.
///
/// Beyond what is declared, a service answers `GET /health/{name}`, `HEAD`
/// wherever it answers `GET`, `OPTIONS` with 204 and `Allow`, an unknown path
/// with 404 and a wrong method with 405.
pub struct Router<S = ()> {
    name: &'static str,
    state: S,
    routes: Vec<(String, MethodRouter<S>)>,
    layer: Option<Layer<S>>,
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
            routes: Vec::new(),
            layer: None,
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
        self.routes.push((path.to_owned(), methods.handlers));
        #[cfg(feature = "openapi")]
        for add in methods.operations {
            add(&mut self.document, self.name, path);
        }
        self
    }

    /// Verifies the token of every request to a declared path and method. Without
    /// this, no caller is known, and only routes whose access is public or optional
    /// can be called.
    #[cfg(feature = "auth")]
    #[must_use]
    pub fn authenticate(self, authenticator: crate::auth::Authenticator) -> Self {
        let layer = move |methods: MethodRouter<S>| {
            let authenticator = authenticator.clone();
            methods.route_layer(from_fn(move |request, next| {
                authenticator.clone().authenticate(request, next)
            }))
        };
        // A closure, so that a service without it links none of it.
        Self {
            layer: Some(Box::new(layer)),
            ..self
        }
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
        let health = health(self.name, std::mem::take(&mut self.checks));
        let service = self.route(&path, health);
        let paths: Vec<_> = service
            .routes
            .iter()
            .map(|(path, _)| path.clone())
            .collect();
        let routes = axum::Router::new().fallback(|| async {
            Problem::new(ProblemType::UnknownPath, "No route has this path.")
        });
        let layered = |path: &str, methods: MethodRouter<S>| {
            let methods = match &service.layer {
                Some(layer) => layer(methods),
                None => methods,
            };
            // Set before the handler runs, so that a 405, a panic and a timeout have it too.
            let route: Arc<str> = path.into();
            methods.layer(MapRequestLayer::new(move |request: Request| {
                if let Some(ctx) = request.extensions().get::<RequestContext>() {
                    ctx.record.set_route(&route);
                }
                request
            }))
        };
        let routes = service
            .routes
            .into_iter()
            .fold(routes, |routes, (path, methods)| {
                routes.route(&path, layered(&path, methods))
            });
        #[cfg(feature = "openapi")]
        let document = if service.layer.is_some() {
            service.document.authenticated()
        } else {
            service.document
        };
        Service {
            name: service.name,
            routes: routes.with_state(service.state),
            paths: paths.into(),
            calls: service.calls.into(),
            cache_control: service.cache_control,
            #[cfg(feature = "openapi")]
            document: Arc::new(document),
        }
    }
}

/// `GET /health/{service}`: the service's own health.
fn health<S: Clone + Send + Sync + 'static>(
    service: &'static str,
    checks: Vec<Check>,
) -> Methods<S> {
    let (first, rest) = service.split_at(1);
    let id = format!("get{}{rest}Health", first.to_uppercase());
    // Without dependencies the report is the same for every caller.
    let access = if checks.is_empty() {
        Access::Public
    } else {
        Access::Optional
    };
    let doc = doc(id, format!("Check the health of {service}"), access).describe(
        "Checks each dependency of the function at once. 503 on `fail`. Only with the scope \
         `ops:read` the response has the details, and `warn`, which others see as `pass`.",
    );
    let checks: Arc<[Check]> = checks.into();
    get(
        doc,
        async move |ctx: RequestContext, caller: Option<Caller>| {
            health::check_all(service, &checks, &ctx, caller.as_ref()).await
        },
    )
}
