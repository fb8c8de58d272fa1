//! What a handler knows of where it runs: its plugin, the database, the plugin's settings.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde_json::Value;

use crate::db::Db;
use crate::registry::Hub;

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

/// A plugin's settings: what the environment says, else the declared default.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Config(pub(crate) BTreeMap<String, Value>);

impl Config {
    /// The value of a key, where it is set or has a default.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key)
    }

    /// The value of a key of type string, password or enum.
    pub fn str(&self, key: &str) -> Option<&str> {
        self.get(key).and_then(Value::as_str)
    }

    /// The value of a key of type integer.
    pub fn int(&self, key: &str) -> Option<i64> {
        self.get(key).and_then(Value::as_i64)
    }

    /// The value of a key of type boolean.
    pub fn bool(&self, key: &str) -> Option<bool> {
        self.get(key).and_then(Value::as_bool)
    }
}
