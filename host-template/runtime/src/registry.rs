//! The plugins that there are, with their routes and state, and the override chains and pages of the build.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use hub_manifest::plan::HostPlugin;
use hub_manifest::rules::platform;
use serde::Serialize;
use utoipa::ToSchema;

use crate::config::Config;
use crate::db::migrate::Migration;
use crate::discover::{Found, Release, customer_plugins};
use crate::listing::Listing;
use crate::overrides::Chains;
use crate::page_paths::Pages;
use crate::settings::Env;

/// The plugins that there are, and the override chains and pages of the build.
pub(crate) struct Registry {
    /// Those of the build first, in plugin order: their places never change while the host runs.
    pub(crate) plugins: Vec<Arc<Plugin>>,
    pub(crate) chains: Arc<Chains>,
    pub(crate) pages: Arc<Pages>,
    /// What of the customer's could not be looked at, in a sentence each.
    pub(crate) trouble: Vec<String>,
}

impl Registry {
    /// The build's plugins, in plugin order.
    pub(crate) fn new(plugins: Vec<Plugin>, chains: Chains, pages: Pages) -> Registry {
        let plugins = plugins.into_iter().map(Arc::new).collect();
        Registry { plugins, chains: Arc::new(chains), pages: Arc::new(pages), trouble: Vec::new() }
    }

    /// The same of an installed release; the second value says what is wrong with the file that lists overrides and pages.
    pub(crate) fn of_release(install: &Path, plugins: Vec<Plugin>) -> (Registry, Option<String>) {
        let (chains, trouble) = Chains::read(install);
        let pages = Pages::read(install, plugins.iter().map(|plugin| plugin.name()));
        (Registry::new(plugins, chains, pages), trouble)
    }

    /// The plugin of this name.
    pub(crate) fn find(&self, slug: &str) -> Option<&Arc<Plugin>> {
        self.plugins.iter().find(|plugin| plugin.name() == slug && !plugin.shadowed)
    }

    /// Whether a switch of this name is the plugin's that has the name now; `origin` is where that comes from for which it was
    /// switched. None is a switch of a release that did not keep it: it means what it has always meant.
    pub(crate) fn is_meant(&self, slug: &str, origin: Option<&str>) -> bool {
        match (origin, self.find(slug)) {
            (Some(origin), Some(plugin)) => origin == plugin.origin.as_str(),
            _ => true,
        }
    }

    /// The plugin of the build that has this name, and its place.
    pub(crate) fn of_build(&self, slug: &str) -> Option<(usize, &Plugin)> {
        let mut all = self.plugins.iter().enumerate();
        let (place, plugin) =
            all.find(|(_, plugin)| plugin.origin == Origin::Install && plugin.name() == slug)?;
        Some((place, &**plugin))
    }

    /// The same with the customer's plugins as they are on disk now.
    pub(crate) fn rescanned(&self, data: &Path, env: Env<'_>) -> Registry {
        let mut plugins: Vec<Arc<Plugin>> =
            self.plugins.iter().filter(|plugin| plugin.origin == Origin::Install).cloned().collect();
        let release = Release {
            plugins: &plugins,
            chains: &self.chains,
            pages: &self.pages,
            version: platform::version(),
            env,
        };
        let Found { plugins: found, trouble } = customer_plugins(data, &release);
        plugins.extend(found.into_iter().map(Arc::new));
        Registry { plugins, chains: self.chains.clone(), pages: self.pages.clone(), trouble }
    }

    /// A line for each thing that is wrong with a plugin of the customer's, or means nothing in it: at a start, and whenever
    /// they are looked for anew.
    pub(crate) fn report_customers(&self) {
        for trouble in &self.trouble {
            tracing::warn!("{trouble}");
        }
        for plugin in self.plugins.iter().filter(|plugin| plugin.origin == Origin::Data) {
            let name = plugin.name();
            for error in &plugin.errors {
                tracing::warn!(
                    plugin = name,
                    "vertical plugin in {} is invalid: {error}",
                    plugin.root.display()
                );
            }
            for text in plugin.unset.iter() {
                tracing::warn!(plugin = name, "vertical plugin is not configured: {text}");
            }
            for text in plugin.warnings.iter() {
                tracing::warn!(plugin = name, "vertical plugin in {}: {text}", plugin.root.display());
            }
        }
    }
}

/// One vertical plugin, in whatever state.
#[derive(Clone)]
pub(crate) struct Plugin {
    pub(crate) about: HostPlugin,
    pub(crate) origin: Origin,
    /// Its folder, where its files are at run time.
    pub(crate) root: PathBuf,
    pub(crate) config: Config,
    pub(crate) routes: Vec<PluginRoute>,
    /// What keeps it from working at all.
    pub(crate) errors: Vec<String>,
    /// Settings that it lacks.
    pub(crate) unset: Vec<String>,
    pub(crate) warnings: Vec<String>,
    /// Whether another plugin of the same name is used in its place.
    pub(crate) shadowed: bool,
    /// What belongs to the release that it is part of.
    pub(crate) listing: Listing,
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

impl Origin {
    /// As the database and lists write it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Origin::Install => "install",
            Origin::Data => "data",
        }
    }

    /// Whose a plugin is that comes from there, of what the database has written.
    pub(crate) fn whose(written: &str) -> &'static str {
        match written {
            "install" => "the release's",
            "data" => "the customer's own",
            // A later release may know more.
            _ => "another one",
        }
    }
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
        routes: Vec<PluginRoute>,
        config: Config,
        unset: Vec<String>,
    ) -> Plugin {
        let warnings = about.warnings.clone();
        Plugin {
            about,
            origin: Origin::Install,
            root: PathBuf::new(),
            config,
            routes,
            errors: Vec::new(),
            unset,
            warnings,
            shadowed: false,
            listing: Listing::default(),
        }
    }

    /// Slug.
    pub(crate) fn name(&self) -> &str {
        &self.about.name
    }

    /// Whether it is in use and has no errors.
    pub(crate) fn ok(&self) -> bool {
        self.errors.is_empty() && !self.shadowed
    }

    /// Folder of its SQL migrations.
    pub(crate) fn migrations(&self) -> Option<PathBuf> {
        self.about.migrations.as_ref().map(|folder| self.root.join(folder))
    }

    /// Of the migrations that were found in its folder, those that are the release's; the error names one that was changed.
    pub(crate) fn own_migrations(&self, found: Vec<Migration>) -> Result<Vec<Migration>, String> {
        let Some(folder) = &self.about.migrations else { return Ok(found) };
        let folder: Vec<&str> = folder.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
        let path = |name: &str| format!("plugins/{}/{}/{name}", self.name(), folder.join("/"));
        let (any, mut own) = (!found.is_empty(), Vec::new());
        for migration in found {
            let path = path(&migration.name);
            if !self.listing.holds(&path) {
                continue;
            }
            if !self.listing.is_own(&path, migration.sql.as_bytes()) {
                return Err(format!("migration {} is not as the release's list says", migration.name));
            }
            own.push(migration);
        }
        match any && own.is_empty() {
            true => Err("none of its migrations is part of the release".to_owned()),
            false => Ok(own),
        }
    }

    /// Whether its API can answer.
    pub(crate) fn works(&self) -> bool {
        self.ok() && self.unset.is_empty()
    }
}

/// How many there are, with and without errors; those that are not used do not count.
pub(crate) fn count<'a>(plugins: impl IntoIterator<Item = &'a Plugin>) -> Counts {
    let (mut total, mut ok) = (0, 0);
    for plugin in plugins.into_iter().filter(|plugin| !plugin.shadowed) {
        total += 1;
        ok += usize::from(plugin.ok());
    }
    Counts { total, ok, invalid: total - ok }
}
