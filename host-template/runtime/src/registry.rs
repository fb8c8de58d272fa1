//! What the running host knows: its plugins and their state, the routes, the override chains.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::OnceLock;

use axum::body::Bytes;
use axum::http::StatusCode;
use hub_manifest::plan::{HostPlugin, Visibility};
use hub_manifest::public::is_public;
use serde::Serialize;
use utoipa::ToSchema;

use crate::ctx::Config;
use crate::mount::Mounted;
use crate::overrides::{Active, Chains};
use crate::problem::{FieldError, Problem};

/// The state that all requests share.
pub(crate) struct Hub {
    pub(crate) version: String,
    pub(crate) plugins: Vec<Plugin>,
    pub(crate) chains: Chains,
    pub(crate) routes: Vec<Mounted>,
    /// The page's folder, while it is being worked on.
    pub(crate) web_folder: Option<PathBuf>,
    /// A word that no other run of the host has.
    pub(crate) started: String,
    /// The API's description, once somebody has asked for it.
    pub(crate) description: OnceLock<Bytes>,
}

/// One vertical plugin, in whatever state.
pub(crate) struct Plugin {
    pub(crate) about: HostPlugin,
    pub(crate) origin: Origin,
    pub(crate) config: Config,
    pub(crate) routes: Vec<PluginRoute>,
    /// What keeps it from working at all.
    pub(crate) errors: Vec<String>,
    /// Settings that it lacks.
    pub(crate) unset: Vec<String>,
    pub(crate) warnings: Vec<String>,
}

/// Where a plugin comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Origin {
    /// Part of the release.
    Install,
    /// A customer's own, in the data folder.
    Data,
}

/// One method of one path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct PluginRoute {
    /// HTTP method.
    pub(crate) method: String,
    /// Absolute path with its parameters.
    pub(crate) path: String,
    /// Whether it answers anonymous callers.
    pub(crate) public: bool,
}

/// How many plugins there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Counts {
    /// All that were found.
    pub(crate) total: usize,
    /// Those without errors.
    pub(crate) ok: usize,
    /// Those with errors.
    pub(crate) invalid: usize,
}

impl Plugin {
    /// A plugin of the build, with its routes.
    pub(crate) fn of_build(
        about: HostPlugin,
        routes: &[Mounted],
        config: Config,
        unset: Vec<String>,
    ) -> Plugin {
        let routes = routes
            .iter()
            .filter(|route| route.owner == about.name)
            .map(|route| PluginRoute {
                method: route.method.to_string(),
                path: route.path.clone(),
                public: is_public(&about, route.method.as_str(), &route.path),
            })
            .collect();
        let warnings = about.warnings.clone();
        Plugin { about, origin: Origin::Install, config, routes, errors: Vec::new(), unset, warnings }
    }

    /// Slug.
    pub(crate) fn name(&self) -> &str {
        &self.about.name
    }

    /// Whether it has no errors.
    pub(crate) fn ok(&self) -> bool {
        self.errors.is_empty()
    }

    /// Whether its API can answer.
    pub(crate) fn works(&self) -> bool {
        self.ok() && self.unset.is_empty()
    }

    /// Whether it shows in the navigation.
    pub(crate) fn in_nav(&self) -> bool {
        self.ok() && self.about.visibility != Visibility::Internal
    }
}

/// How many there are, with and without errors.
pub(crate) fn count(plugins: &[Plugin]) -> Counts {
    let total = plugins.len();
    let ok = plugins.iter().filter(|plugin| plugin.ok()).count();
    Counts { total, ok, invalid: total - ok }
}

impl Hub {
    pub(crate) fn counts(&self) -> Counts {
        count(&self.plugins)
    }

    /// Slugs of the plugins that are on. All that are sound are: who may turn them off comes with sign-in.
    pub(crate) fn enabled(&self) -> BTreeSet<&str> {
        self.plugins.iter().filter(|plugin| plugin.ok()).map(Plugin::name).collect()
    }

    /// For each override key the claim that wins.
    pub(crate) fn active_overrides(&self) -> BTreeMap<&str, Active> {
        let enabled = self.enabled();
        self.chains.active(&|plugin| enabled.contains(plugin))
    }

    /// The answer in place of a plugin that cannot work.
    pub(crate) fn why_unavailable(&self, slug: &str) -> Problem {
        let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE);
        match self.plugins.iter().find(|plugin| plugin.name() == slug) {
            Some(plugin) if plugin.ok() => {
                let errors = plugin
                    .unset
                    .iter()
                    .map(|text| FieldError { field: slug.to_owned(), message: text.clone() });
                problem
                    .code("plugin-not-configured")
                    .detail(format!("vertical plugin `{slug}` lacks settings: {}", plugin.unset.join("; ")))
                    .errors(errors.collect())
            }
            _ => problem
                .code("plugin-invalid")
                .detail(format!("vertical plugin `{slug}` has errors; the list of plugins tells them")),
        }
    }
}
