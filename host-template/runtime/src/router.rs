//! What a plugin's router function gives: a list of routes, each with the place it was written at.
//!
//! A [`Router`] never panics and holds nothing of axum's generic types: a handler is put behind one plain type at once
//! ([`Endpoint`]), which keeps a plugin crate quick to compile. [`crate::mount`] checks all routers together and makes
//! axum's router of them.

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;

use axum::extract::Request;
use axum::handler::Handler;
use axum::http::Method;
use axum::response::Response;
use utoipa::openapi::path::Operation;
use utoipa::openapi::schema::Schema;
use utoipa::openapi::{HttpMethod, RefOr};

use crate::ctx::Ctx;

/// A handler's future.
pub type Answer = Pin<Box<dyn Future<Output = Response> + Send>>;

/// What may answer a request: an `async` function of [`Ctx`], extractors, and at most one body, which comes last.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a handler",
    label = "not a handler",
    note = "a handler is `async`; it takes `Ctx`, `Path<_>`, `Query<_>`, `Page` and, last of all, a body such as \
            `Json<_>`; it returns an answer such as `Json<_>`, `Created<_>` or `Result<Json<_>>`"
)]
pub trait Handles<T>: Handler<T, Ctx, Future = Answer> {}

#[diagnostic::do_not_recommend]
impl<T, H: Handler<T, Ctx, Future = Answer>> Handles<T> for H {}

/// Says at the place itself that a router function returns something else; `#[hub::router]` asks for it.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "a router function returns hub's `Router`, not `{Self}`",
    label = "not hub's `Router`",
    note = "write `use hub::prelude::*;` and `-> Router`"
)]
pub trait IsRouter {}

impl IsRouter for Router {}

/// A handler behind one plain type: calling it costs what calling the handler costs, since axum boxes a handler's
/// future anyway.
#[derive(Clone, Copy)]
pub(crate) struct Endpoint(&'static (dyn Fn(Request, Ctx) -> Answer + Send + Sync));

impl Endpoint {
    fn new<H, T>(handler: H) -> Endpoint
    where
        H: Handles<T>,
        T: 'static,
    {
        // Routes live as long as the process. A plain function takes no memory at all; a closure keeps what it holds.
        Endpoint(Box::leak(Box::new(move |request, ctx| handler.clone().call(request, ctx))))
    }
}

impl Endpoint {
    /// Calls the handler.
    pub(crate) fn answer(self, request: Request, ctx: Ctx) -> Answer {
        (self.0)(request, ctx)
    }
}

/// Named schemas that an operation refers to.
pub(crate) type Schemas = Vec<(String, RefOr<Schema>)>;

/// How to get an operation's description; called only when somebody asks for the API's description.
#[derive(Clone, Copy)]
pub(crate) struct Description {
    pub(crate) operation: fn() -> Operation,
    pub(crate) schemas: fn(&mut Schemas),
}

/// One method of one path.
#[derive(Clone)]
pub(crate) struct Route {
    pub(crate) method: Method,
    /// Relative to the plugin's `/api/<slug>`.
    pub(crate) path: String,
    pub(crate) endpoint: Endpoint,
    pub(crate) description: Option<Description>,
    /// Where the author wrote it.
    pub(crate) place: &'static Location<'static>,
}

/// The routes of one router function; paths are relative to `/api/<slug>`.
///
/// ```
/// use hub::prelude::*;
///
/// async fn ping() -> &'static str { "pong" }
///
/// pub fn router() -> Router {
///     Router::new().route("/ping", get(ping))
/// }
/// ```
#[derive(Default, Clone)]
#[must_use]
pub struct Router {
    routes: Vec<Route>,
}

impl Router {
    /// A router without routes.
    pub fn new() -> Router {
        Router::default()
    }

    /// Adds a path with its handlers: `route("/records", get(list).post(create))`.
    #[track_caller]
    pub fn route(mut self, path: &str, methods: Methods) -> Router {
        let place = Location::caller();
        self.routes.extend(methods.0.into_iter().map(|(method, endpoint)| Route {
            method,
            path: path.to_owned(),
            endpoint,
            description: None,
            place,
        }));
        self
    }

    /// Adds handlers that carry `#[utoipa::path]`, which gives their method, path and description:
    /// `routes(routes!(list, create))`.
    pub fn routes(mut self, described: Routes) -> Router {
        self.routes.extend(described.0);
        self
    }

    /// Adds all routes of another router.
    pub fn merge(mut self, other: Router) -> Router {
        self.routes.extend(other.routes);
        self
    }

    pub(crate) fn into_routes(self) -> Vec<Route> {
        self.routes
    }
}

/// Handlers by method, for [`Router::route`]; begin with [`get`], [`post`] and so on.
#[derive(Clone)]
#[must_use]
pub struct Methods(Vec<(Method, Endpoint)>);

macro_rules! methods {
    ($($name:ident $method:ident $doc:literal),* $(,)?) => {
        impl Methods {
            $(
                #[doc = concat!("Answers ", $doc, " too.")]
                pub fn $name<H, T>(mut self, handler: H) -> Methods
                where
                    H: Handles<T>,
                    T: 'static,
                {
                    self.0.push((Method::$method, Endpoint::new(handler)));
                    self
                }
            )*
        }
        $(
            #[doc = concat!("Answers ", $doc, " with this handler.")]
            pub fn $name<H, T>(handler: H) -> Methods
            where
                H: Handles<T>,
                T: 'static,
            {
                Methods(Vec::new()).$name(handler)
            }
        )*
    };
}

methods! {
    get GET "`GET` (and `HEAD`)",
    post POST "`POST`",
    put PUT "`PUT`",
    patch PATCH "`PATCH`",
    delete DELETE "`DELETE`",
}

/// What `routes!` makes.
#[derive(Default, Clone)]
#[must_use]
pub struct Routes(Vec<Route>);

impl Routes {
    /// Adds a handler with the type that `#[utoipa::path]` made for it; `routes!` writes this call.
    #[doc(hidden)]
    #[track_caller]
    pub fn with<P, H, T>(mut self, handler: H) -> Routes
    where
        P: utoipa::Path + utoipa::__dev::SchemaReferences,
        H: Handles<T>,
        T: 'static,
    {
        let place = Location::caller();
        let endpoint = Endpoint::new(handler);
        let path = P::path();
        let description = Description { operation: P::operation, schemas: P::schemas };
        self.0.extend(P::methods().into_iter().map(|method| Route {
            method: http_method(method),
            path: path.clone(),
            endpoint,
            description: Some(description),
            place,
        }));
        self
    }
}

fn http_method(method: HttpMethod) -> Method {
    match method {
        HttpMethod::Get => Method::GET,
        HttpMethod::Put => Method::PUT,
        HttpMethod::Post => Method::POST,
        HttpMethod::Delete => Method::DELETE,
        HttpMethod::Options => Method::OPTIONS,
        HttpMethod::Head => Method::HEAD,
        HttpMethod::Patch => Method::PATCH,
        HttpMethod::Trace => Method::TRACE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn one() -> &'static str {
        "one"
    }

    #[test]
    fn a_route_knows_where_it_was_written() {
        let line = line!() + 1;
        let routes = Router::new().route("/a", get(one).post(one)).into_routes();
        let seen: Vec<_> =
            routes.iter().map(|r| (r.method.as_str(), r.path.as_str(), r.place.line())).collect();
        assert_eq!(seen, [("GET", "/a", line), ("POST", "/a", line)]);
        assert!(routes[0].place.file().ends_with("router.rs"));
    }
}
