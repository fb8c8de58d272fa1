//! What a handler knows of where it runs: its plugin, the database, the plugin's settings.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use crate::config::Config;
use crate::db::Db;
use crate::host::Hub;

/// The plugin's context; a handler takes it as an argument. Cloning it is cheap.
#[derive(Clone)]
pub struct Ctx(Arc<Inner>);

struct Inner {
    plugin: String,
    config: Config,
    hub: Arc<Hub>,
}

impl Ctx {
    pub(crate) fn new(plugin: &str, config: Config, hub: Arc<Hub>) -> Ctx {
        Ctx(Arc::new(Inner { plugin: plugin.to_owned(), config, hub }))
    }

    /// Slug of the plugin that the handler belongs to.
    pub fn plugin(&self) -> &str {
        &self.0.plugin
    }

    /// The host's database; the plugin's tables are named `plugin_<slug>_*`.
    pub fn db(&self) -> &Db {
        &self.0.hub.db
    }

    /// The plugin's settings, as `config` in its `plugin.yaml` declares them.
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// The platform, for its own handlers.
    pub(crate) fn hub(&self) -> &Arc<Hub> {
        &self.0.hub
    }
}

impl FromRequestParts<Ctx> for Ctx {
    type Rejection = Infallible;

    async fn from_request_parts(_parts: &mut Parts, ctx: &Ctx) -> Result<Ctx, Infallible> {
        Ok(ctx.clone())
    }
}
