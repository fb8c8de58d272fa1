//! What one organisation or tenant sees of the platform: computed once a change, shared by all its callers.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

use hub_manifest::grammar::PLATFORM_PERMISSIONS;

use super::Switches;
use crate::overrides::Active;
use crate::registry::Registry;

/// The plugins, permissions and overrides of one organisation or tenant.
pub(crate) struct View {
    /// By the plugin's place in the registry.
    enabled: Vec<bool>,
    /// Slugs, in plugin order.
    pub(crate) plugins: Vec<String>,
    /// Every permission that there is here, sorted: the platform's and those of the plugins that are on.
    pub(crate) permissions: BTreeSet<String>,
    /// For each override key the claim that wins.
    pub(crate) overrides: BTreeMap<String, Active>,
}

impl View {
    /// The view of a tenant, or of an organisation at large.
    pub(crate) fn of(registry: &Registry, switches: &Switches, org: &str, tenant: Option<&str>) -> View {
        let enabled: Vec<bool> = registry
            .plugins
            .iter()
            .map(|plugin| plugin.ok() && switches.enabled(org, tenant, plugin.name()))
            .collect();
        let on = || registry.plugins.iter().zip(&enabled).filter(|(_, on)| **on).map(|(plugin, _)| plugin);
        let plugins: Vec<String> = on().map(|plugin| plugin.name().to_owned()).collect();
        let of_plugins = on().flat_map(|plugin| plugin.about.permissions.iter().cloned());
        let permissions =
            PLATFORM_PERMISSIONS.iter().map(|&name| name.to_owned()).chain(of_plugins).collect();
        let names: BTreeSet<&str> = plugins.iter().map(String::as_str).collect();
        let overrides = registry.chains.active(&|slug| names.contains(slug));
        let overrides = overrides.into_iter().map(|(key, claim)| (key.to_owned(), claim)).collect();
        View { enabled, plugins, permissions, overrides }
    }

    /// Whether the plugin at this place of the registry is on.
    pub(crate) fn has(&self, plugin: usize) -> bool {
        self.enabled.get(plugin).copied().unwrap_or(false)
    }
}

/// The views that somebody has asked for since the last change: by organisation, then by tenant.
#[derive(Default)]
pub(crate) struct Views(RwLock<HashMap<String, HashMap<Option<String>, Arc<View>>>>);

impl Views {
    /// The view, computed where it is not there yet.
    pub(crate) fn get(
        &self,
        registry: &Registry,
        switches: &Switches,
        org: &str,
        tenant: Option<&str>,
    ) -> Arc<View> {
        let key = tenant.map(str::to_owned);
        {
            let views = self.0.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(view) = views.get(org).and_then(|tenants| tenants.get(&key)) {
                return view.clone();
            }
        }
        let view = Arc::new(View::of(registry, switches, org, tenant));
        let mut views = self.0.write().unwrap_or_else(PoisonError::into_inner);
        views.entry(org.to_owned()).or_default().entry(key).or_insert(view).clone()
    }
}
