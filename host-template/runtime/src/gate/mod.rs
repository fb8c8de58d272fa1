//! The gate before each handler: who asks, and whether the route's plugin is on for them.
//!
//! A caller that is known already is let through without waiting; only one that has to be read costs a boxed future.

mod watch;

use std::future::ready;
use std::sync::Arc;

use axum::extract::Request;
use axum::handler::Handler;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use hyper::upgrade::OnUpgrade;

use crate::access::{Caller, Credentials, not_signed_in};
use crate::ctx::Ctx;
use crate::host::Hub;
use crate::problem::Problem;
use crate::router::{Answer, Endpoint};
pub(crate) use watch::Watch;

/// A route's handler behind its gate.
#[derive(Clone, Copy)]
pub(crate) struct Guard {
    pub(crate) target: Target,
    /// Whether it answers anybody, whatever is enabled.
    pub(crate) public: bool,
    /// Place in the registry of the plugin that has to be on.
    pub(crate) plugin: Option<usize>,
}

/// What answers behind the gate.
#[derive(Clone, Copy)]
pub(crate) enum Target {
    /// The handler.
    Endpoint(Endpoint),
    /// The plugin cannot work: the problem that says why.
    Unavailable,
}

/// Tells axum's `Handler` for [`Guard`] apart from those for functions.
pub(crate) enum Guarded {}

impl Handler<Guarded, Ctx> for Guard {
    type Future = Answer;

    fn call(self, request: Request, ctx: Ctx) -> Answer {
        let Some(credentials) = Credentials::of_request(&request, &ctx.hub().proxies, &ctx.hub().base) else {
            return self.anonymous(request, ctx, not_signed_in);
        };
        if let Err(foreign) = credentials.acceptable(&request, &ctx.hub().proxies) {
            return self.anonymous(request, ctx, || foreign.problem());
        }
        let epoch = ctx.hub().live.epoch();
        match ctx.hub().sessions.known(credentials.token(), epoch) {
            Some(caller) => self.admit(request, ctx, caller),
            None => Box::pin(async move {
                match read(ctx.hub(), &credentials).await {
                    Ok(Some(caller)) => self.admit(request, ctx, caller).await,
                    Ok(None) => self.anonymous(request, ctx, not_signed_in).await,
                    // What answers anybody does so without a database too.
                    Err(_) if self.public => self.answer(request, ctx).await,
                    Err(problem) => problem.into_response(),
                }
            }),
        }
    }
}

async fn read(hub: &Arc<Hub>, credentials: &Credentials) -> Result<Option<Caller>, Problem> {
    Ok(hub.sessions.read(hub, credentials.token()).await?)
}

impl Guard {
    /// Nobody whom we know: only for public routes.
    fn anonymous(self, request: Request, ctx: Ctx, refusal: impl FnOnce() -> Problem) -> Answer {
        if self.public { self.answer(request, ctx) } else { refuse(refusal()) }
    }

    fn admit(self, mut request: Request, ctx: Ctx, caller: Caller) -> Answer {
        if let Some(plugin) = self.plugin
            && !self.public
            && !caller.view().has(plugin)
        {
            return refuse(not_enabled(ctx.plugin()));
        }
        request.extensions_mut().insert(caller);
        self.answer(request, ctx)
    }

    fn answer(self, request: Request, ctx: Ctx) -> Answer {
        // The platform's own handlers only answer.
        if self.plugin.is_some() && request.extensions().get::<OnUpgrade>().is_some() {
            return self.upgrade(request, ctx);
        }
        self.go_on(request, ctx)
    }

    /// Answers one that asks for another protocol, such as a WebSocket, where there is a place for it. Asked before the handler: what
    /// that has been given of the connection, nobody can take from it again.
    fn upgrade(self, request: Request, ctx: Ctx) -> Answer {
        let (hub, caller) = (ctx.hub(), request.extensions().get::<Caller>());
        let open = match hub.streams.upgrade(caller, &hub.limits) {
            Ok(open) => open,
            Err(full) => return refuse(full),
        };
        let answer = self.go_on(request, ctx);
        Box::pin(async move {
            let mut response = answer.await;
            if response.status() == StatusCode::SWITCHING_PROTOCOLS {
                open.go_with(&mut response);
            }
            response
        })
    }

    fn go_on(self, request: Request, ctx: Ctx) -> Answer {
        match self.target {
            Target::Endpoint(endpoint) => endpoint.answer(request, ctx),
            Target::Unavailable => refuse(ctx.hub().why_unavailable(ctx.plugin())),
        }
    }
}

fn refuse(problem: Problem) -> Answer {
    let response: Response = problem.into_response();
    Box::pin(ready(response))
}

fn not_enabled(slug: &str) -> Problem {
    Problem::new(StatusCode::NOT_FOUND)
        .code("plugin-not-enabled")
        .detail(format!("vertical plugin `{slug}` is not enabled here"))
}
