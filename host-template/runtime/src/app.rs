//! The whole application as one axum router: all routes with their plugins' contexts, the page, the middleware.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use axum::extract::Request;

use crate::ctx::{Config, Ctx};
use crate::db::Db;
use crate::middleware;
use crate::mount::{self, Mounted};
use crate::overrides::Chains;
use crate::registry::{Hub, Plugin};
use crate::web::{self, Web};

/// What the application is made of.
pub(crate) struct Parts {
    pub(crate) version: String,
    pub(crate) plugins: Vec<Plugin>,
    pub(crate) routes: Vec<Mounted>,
    pub(crate) chains: Chains,
    pub(crate) db: Db,
    pub(crate) web: Web,
}

/// Puts it together.
pub(crate) fn assemble(parts: Parts) -> axum::Router {
    let Parts { version, plugins, routes, chains, db, web } = parts;
    let web_folder: Option<PathBuf> = match &web {
        Web::Disk(folder) => Some(folder.clone()),
        Web::Loaded(_) | Web::Absent => None,
    };
    let hub = Arc::new(Hub {
        version,
        plugins,
        chains,
        routes,
        web_folder,
        started: crate::new_id(),
        description: OnceLock::new(),
    });
    let mut configs: BTreeMap<&str, &Config> = BTreeMap::new();
    let mut out_of_order = BTreeSet::new();
    for plugin in &hub.plugins {
        configs.entry(plugin.name()).or_insert(&plugin.config);
        if !plugin.works() {
            out_of_order.insert(plugin.name().to_owned());
        }
    }
    let ctx_of = |owner: &str| {
        let config = configs.get(owner).copied().cloned().unwrap_or_default();
        Ctx::new(owner, db.clone(), config, hub.clone())
    };
    let router = mount::build(&hub.routes, &ctx_of, &out_of_order)
        .fallback(move |request: Request| std::future::ready(web::answer(&web, &request)));
    middleware::wrap(router)
}
