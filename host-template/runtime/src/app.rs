//! The whole application as one axum router: all routes with their plugins' contexts, the page, the middleware.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use axum::extract::Request;
use hub_manifest::limits::Limits;

use crate::access::Proxies;
use crate::connectors::{Reach, Tests};
use crate::ctx::{Config, Ctx};
use crate::db::{Db, Error};
use crate::drivers::{Alias, Importable};
use crate::identity::mail::Mailer;
use crate::identity::{Attempts, Passwords, Sessions};
use crate::life::Stage;
use crate::live::Live;
use crate::middleware;
use crate::mount::{self, Mounted};
use crate::registry::{Hub, Registry};
use crate::runs::Runs;
use crate::web::{self, Web};

/// What the application is made of.
pub(crate) struct Parts {
    pub(crate) version: String,
    pub(crate) registry: Registry,
    pub(crate) routes: Vec<Mounted>,
    pub(crate) db: Db,
    pub(crate) install: PathBuf,
    pub(crate) aliases: Vec<Alias>,
    pub(crate) data: PathBuf,
    pub(crate) runs: Runs,
    pub(crate) proxies: Proxies,
    pub(crate) web: Web,
    pub(crate) limits: Arc<Limits>,
    pub(crate) mailer: Option<Mailer>,
    /// Where tests of connections may go.
    pub(crate) reach: Reach,
}

/// Puts it together: what all requests share, and the router that answers them.
pub(crate) async fn assemble(parts: Parts) -> Result<(Arc<Hub>, axum::Router), Error> {
    let Parts {
        version,
        registry,
        routes,
        db,
        install,
        aliases,
        data,
        runs,
        proxies,
        web,
        limits,
        mailer,
        reach,
    } = parts;
    let web_folder: Option<PathBuf> = match &web {
        Web::Disk(folder) => Some(folder.clone()),
        Web::Loaded(_) | Web::Absent => None,
    };
    let hub = Arc::new(Hub {
        version,
        routes,
        live: Live::start(&db, registry).await?,
        db,
        sessions: Sessions::default(),
        attempts: Attempts::new(&limits),
        mailer,
        proxies,
        passwords: Passwords::new(&limits),
        connector_tests: Tests::new(reach, &limits),
        limits,
        install,
        aliases,
        importable: Importable::default(),
        data,
        runs,
        stage: Stage::default(),
        web_folder,
        started: crate::new_id(),
        description: OnceLock::new(),
    });
    let registry = hub.live.snapshot().registry.clone();
    let configs: BTreeMap<&str, &Config> =
        registry.plugins.iter().rev().map(|plugin| (plugin.name(), &plugin.config)).collect();
    let ctx_of = |owner: &str| {
        let config = configs.get(owner).copied().cloned().unwrap_or_default();
        Ctx::new(owner, config, hub.clone())
    };
    let router = mount::build(&hub.routes, &ctx_of, &registry)
        .fallback(move |request: Request| std::future::ready(web::answer(&web, &request)));
    Ok((hub, middleware::wrap(router)))
}
