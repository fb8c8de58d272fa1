//! Which plugins are switched on: per organisation, with exceptions per tenant. Pure values, read from the database.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::args;
use crate::db::{Db, Error};

/// The state of a plugin for an organisation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum OrgState {
    /// For all tenants that have not opted out.
    Enabled,
    /// For those tenants that were chosen.
    Chosen,
    /// For nobody. A new organisation starts with every plugin in this state.
    #[default]
    Disabled,
}

/// What was said of a plugin for one tenant; most tenants follow their organisation without a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum TenantState {
    /// Chosen, or back in.
    Enabled,
    /// Opted out.
    Disabled,
}

impl OrgState {
    /// As the database writes it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            OrgState::Enabled => "enabled",
            OrgState::Chosen => "chosen",
            OrgState::Disabled => "disabled",
        }
    }

    /// Whether the plugin is on for a tenant of which this was said; without a tenant, for the organisation at large.
    pub(crate) fn holds_for(self, tenant: Option<Option<TenantState>>) -> bool {
        match (self, tenant) {
            (OrgState::Disabled, _) | (OrgState::Chosen, None) => false,
            (OrgState::Enabled, None) => true,
            (OrgState::Enabled, Some(said)) => said != Some(TenantState::Disabled),
            (OrgState::Chosen, Some(said)) => said == Some(TenantState::Enabled),
        }
    }
}

impl TenantState {
    /// As the database writes it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            TenantState::Enabled => "enabled",
            TenantState::Disabled => "disabled",
        }
    }
}

/// All switches of the platform: by organisation or tenant, then by plugin.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Switches {
    orgs: HashMap<String, HashMap<String, OrgState>>,
    tenants: HashMap<String, HashMap<String, TenantState>>,
}

#[derive(Deserialize)]
struct Row<S> {
    id: String,
    plugin: String,
    state: S,
}

#[derive(Deserialize)]
struct State<S> {
    state: S,
}

impl Switches {
    /// Reads them all.
    pub(crate) async fn load(db: &Db) -> Result<Switches, Error> {
        let mut switches = Switches::default();
        let orgs: Vec<Row<OrgState>> =
            db.all("SELECT org_id AS id, plugin, state FROM hub_org_plugins", args![]).await?;
        for Row { id, plugin, state } in orgs {
            switches.orgs.entry(id).or_default().insert(plugin, state);
        }
        let tenants: Vec<Row<TenantState>> =
            db.all("SELECT tenant_id AS id, plugin, state FROM hub_tenant_plugins", args![]).await?;
        for Row { id, plugin, state } in tenants {
            switches.tenants.entry(id).or_default().insert(plugin, state);
        }
        Ok(switches)
    }

    /// Whether a plugin is on at this very moment, whatever this host has heard of: for a tenant, or the organisation at large.
    pub(crate) async fn is_on(db: &Db, org: &str, tenant: Option<&str>, plugin: &str) -> Result<bool, Error> {
        let sql = "SELECT state FROM hub_org_plugins WHERE org_id = $1 AND plugin = $2";
        let of_org: Option<State<OrgState>> = db.one(sql, args![org, plugin]).await?;
        let said = match tenant {
            Some(tenant) => {
                let sql = "SELECT state FROM hub_tenant_plugins WHERE tenant_id = $1 AND plugin = $2";
                let said: Option<State<TenantState>> = db.one(sql, args![tenant, plugin]).await?;
                Some(said.map(|said| said.state))
            }
            None => None,
        };
        Ok(of_org.map(|of_org| of_org.state).unwrap_or_default().holds_for(said))
    }

    /// The state for the organisation.
    pub(crate) fn of_org(&self, org: &str, plugin: &str) -> OrgState {
        self.orgs.get(org).and_then(|plugins| plugins.get(plugin)).copied().unwrap_or_default()
    }

    /// The organisations that have the plugin on, at large or for some tenant.
    pub(crate) fn orgs_with(&self, plugin: &str) -> Vec<String> {
        let on = |plugins: &HashMap<String, OrgState>| {
            plugins.get(plugin).is_some_and(|state| *state != OrgState::Disabled)
        };
        self.orgs.iter().filter(|(_, plugins)| on(plugins)).map(|(org, _)| org.clone()).collect()
    }

    /// What was said for the tenant.
    pub(crate) fn of_tenant(&self, tenant: &str, plugin: &str) -> Option<TenantState> {
        self.tenants.get(tenant).and_then(|plugins| plugins.get(plugin)).copied()
    }

    /// Whether the plugin is on for a tenant of the organisation, or for the organisation at large.
    pub(crate) fn enabled(&self, org: &str, tenant: Option<&str>, plugin: &str) -> bool {
        let said = tenant.map(|tenant| self.of_tenant(tenant, plugin));
        self.of_org(org, plugin).holds_for(said)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_follows_its_organisation_unless_it_was_said_otherwise() {
        use {OrgState as O, TenantState as T};
        let on = |org: O, said: Option<T>| org.holds_for(Some(said));
        assert!(
            on(O::Enabled, None) && on(O::Enabled, Some(T::Enabled)) && !on(O::Enabled, Some(T::Disabled))
        );
        assert!(!on(O::Chosen, None) && on(O::Chosen, Some(T::Enabled)) && !on(O::Chosen, Some(T::Disabled)));
        assert!(!on(O::Disabled, None) && !on(O::Disabled, Some(T::Enabled)));
        // Without a tenant: what is on for the organisation as a whole.
        assert!(O::Enabled.holds_for(None) && !O::Chosen.holds_for(None) && !O::Disabled.holds_for(None));
    }

    #[test]
    fn what_nobody_switched_on_is_off() {
        let switches = Switches::default();
        assert!(!switches.enabled("o", None, "crm"));
    }
}
