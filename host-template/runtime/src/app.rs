//! The whole application as one axum router: all routes with their plugins' contexts, the page, the middleware.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Request};
use hub_manifest::limits::{Limit, Limits};

use crate::access::Proxies;
use crate::api;
use crate::base::Base;
use crate::config::Config;
use crate::connectors::Tests;
use crate::ctx::Ctx;
use crate::db::{Db, Error};
use crate::drivers::{Alias, Importable};
use crate::host::{ApiDescription, Hub};
use crate::identity::mail::Mailer;
use crate::identity::{Attempts, Passwords, Sessions};
use crate::life::Stage;
use crate::live::{Live, Marks};
use crate::metrics::Metrics;
use crate::middleware;
use crate::mount::{self, Mounted};
use crate::probes;
use crate::purse::Purse;
use crate::reach::Reach;
use crate::registry::Registry;
use crate::runs::Runs;
use crate::streams::Streams;
use crate::web::{self, Web};

/// What the application is made of.
pub(crate) struct Parts {
    pub(crate) version: String,
    pub(crate) registry: Registry,
    /// What the database told of changes before the registry was looked for.
    pub(crate) marks: Marks,
    pub(crate) routes: Vec<Mounted>,
    pub(crate) db: Db,
    pub(crate) install: PathBuf,
    pub(crate) aliases: Vec<Alias>,
    pub(crate) data: PathBuf,
    pub(crate) runs: Runs,
    pub(crate) proxies: Proxies,
    pub(crate) web: Web,
    pub(crate) base: Base,
    pub(crate) limits: Arc<Limits>,
    pub(crate) mailer: Option<Mailer>,
    /// Where tests of connections may go.
    pub(crate) reach: Reach,
    pub(crate) metrics: Metrics,
}

/// Puts it together: what all requests share, and the router that answers them.
pub(crate) async fn assemble(parts: Parts) -> Result<(Arc<Hub>, axum::Router), Error> {
    let Parts {
        version,
        registry,
        marks,
        routes,
        db,
        install,
        aliases,
        data,
        runs,
        proxies,
        web,
        base,
        limits,
        mailer,
        reach,
        metrics,
    } = parts;
    let web_folder: Option<PathBuf> = match &web {
        Web::Disk(folder, _) => Some(folder.clone()),
        Web::Loaded(_) | Web::Absent => None,
    };
    let routes: Arc<[Mounted]> = routes.into();
    let description = {
        let (version, routes, base) = (version.clone(), routes.clone(), base.clone());
        ApiDescription::new(move |registry| api::describe(&version, &routes, &base, registry))
    };
    let hub = Arc::new(Hub {
        version,
        live: Live::start(&db, marks, registry).await?,
        db,
        sessions: Sessions::default(),
        attempts: Attempts::new(&limits),
        mailer,
        proxies,
        passwords: Passwords::new(&limits),
        connector_tests: Tests::new(reach, &limits),
        base,
        answers: Purse::new(limits.get(Limit::AnswersMemory)),
        limits,
        install,
        aliases,
        importable: Importable::default(),
        data,
        runs,
        streams: Streams::default(),
        stage: Stage::default(),
        web_folder,
        metrics,
        started: crate::new_id(),
        description,
    });
    let registry = hub.live.snapshot().registry.clone();
    let configs: BTreeMap<&str, &Config> =
        registry.plugins.iter().rev().map(|plugin| (plugin.name(), &plugin.config)).collect();
    let ctx_of = |owner: &str| {
        let config = configs.get(owner).copied().cloned().unwrap_or_default();
        Ctx::new(owner, config, hub.clone())
    };
    let pages = registry.pages.clone();
    let router = mount::build(&routes, &ctx_of, &registry)
        .fallback(move |request: Request| std::future::ready(web::answer(&web, &pages, &request)));
    let router = probes::mount(router, &hub);
    // axum's own limit of a body; another one costs every request a little.
    let most = hub.limits.size(Limit::BodyBytes);
    let router = if most == Limit::BodyBytes.about().default as usize {
        router
    } else {
        router.layer(DefaultBodyLimit::max(most))
    };
    Ok((hub, middleware::wrap(router)))
}
