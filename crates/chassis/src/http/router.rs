//! The routes of a service.

use std::{future::ready, sync::Arc};

use axum::{
    extract::Request,
    handler::Handler,
    middleware::{Next, from_fn},
    response::IntoResponse,
    routing::MethodRouter,
};
use dto::problem::ProblemType;
use http::HeaderValue;
use tower::util::MapRequestLayer;

use super::{
    Service, health,
    health::Check,
    openapi::{DescribeHandler, Doc, Document, Operations, doc},
};
use crate::{
    Problem, RequestContext,
    auth::{Access, Caller},
};

/// The handlers of the methods of a path, and who may call each.
type Handlers<S> = Vec<(MethodRouter<S>, Access)>;

/// The methods that a path supports, with a handler each.
#[must_use]
pub struct Methods<S> {
    handlers: Handlers<S>,
    operations: Operations,
}

/// A path that supports `GET`.
pub fn get<H, T, S>(doc: Doc, handler: H) -> Methods<S>
where
    H: Handler<T, S> + DescribeHandler<T>,
    T: 'static,
    S: Clone + Send + Sync + 'static,
{
    Methods {
        handlers: Vec::new(),
        operations: Operations::default(),
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
        let handler = add(MethodRouter::new(), handler);
        self.handlers.push((handler, doc.access));
        self.operations.push::<T, H>(method, doc);
        self
    }
}

/// Adds what admits callers before the handler of a method with this access.
type AdmitLayer<S> = Box<dyn Fn(MethodRouter<S>, Access) -> MethodRouter<S>>;

/// The routes of a service, each declared once.
///
/// Beyond what is declared, a service answers `GET /health/{name}`, `HEAD`
/// wherever it answers `GET`, `OPTIONS` with 204 and `Allow`, an unknown path
/// with 404 and a wrong method with 405.
pub struct Router<S = ()> {
    name: &'static str,
    state: S,
    routes: Vec<(String, Handlers<S>)>,
    admit: Option<AdmitLayer<S>>,
    checks: Vec<Check>,
    calls: Vec<String>,
    cache_control: Option<HeaderValue>,
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
            admit: None,
            checks: Vec::new(),
            calls: Vec::new(),
            cache_control: None,
            document: Document::default(),
        }
    }

    /// Adds a path and the methods that it supports.
    #[must_use]
    pub fn route(mut self, path: &str, methods: Methods<S>) -> Self {
        self.routes.push((path.to_owned(), methods.handlers));
        (methods.operations).add_to(&mut self.document, self.name, path);
        self
    }

    /// Verifies the token of every request to a declared path and method. Without
    /// this, no caller is known, and only routes whose access is public or optional
    /// can be called.
    #[cfg(feature = "auth")]
    #[must_use]
    pub fn authenticate(self, authenticator: crate::auth::Authenticator) -> Self {
        let admit = move |method: MethodRouter<S>, access| {
            let authenticator = authenticator.clone();
            method.route_layer(from_fn(move |request, next| {
                authenticator.clone().admit(access, request, next)
            }))
        };
        // A closure, so that a service without it links none of it.
        Self {
            admit: Some(Box::new(admit)),
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
        let admit = service.admit.as_deref().unwrap_or(&admit_anonymous);
        let layered = |path: &str, methods: Handlers<S>| {
            let methods = methods
                .into_iter()
                .map(|(method, access)| admit(method, access))
                .fold(MethodRouter::new(), MethodRouter::merge);
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
        let document = if cfg!(feature = "openapi") && service.admit.is_some() {
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
            telemetry: Arc::default(),
            document: Arc::new(document),
        }
    }
}

/// Admits what needs no caller.
fn admit_anonymous<S: Clone + Send + Sync + 'static>(
    method: MethodRouter<S>,
    access: Access,
) -> MethodRouter<S> {
    match access.admit(None) {
        Ok(()) => method,
        Err(problem) => method.route_layer(from_fn(move |_: Request, _: Next| {
            ready(problem.clone().into_response())
        })),
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
