//! Which plugins are switched on: per organisation, with exceptions per tenant. Pure values, read from the database.
//!
//! A switch is a plugin's, not a name's: where the release's plugin comes to have the name of the customer's, or the other way
//! round, what was switched on for the one is off for the other.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::args;
use crate::db::{Db, Error};
use crate::registry::{Origin, Registry};

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
    /// What is on for another plugin than the one that has the name now: by plugin and organisation, with where that other one
    /// came from. It counts as off.
    others: BTreeMap<String, BTreeMap<String, String>>,
}

#[derive(Deserialize)]
struct OrgRow {
    org_id: String,
    plugin: String,
    state: OrgState,
    origin: Option<String>,
}

#[derive(Deserialize)]
struct TenantRow {
    tenant_id: String,
    plugin: String,
    state: TenantState,
}

#[derive(Deserialize)]
struct OfOrg {
    state: OrgState,
    origin: Option<String>,
}

#[derive(Deserialize)]
struct OfTenant {
    state: TenantState,
}

impl Switches {
    /// Reads them all, as they are for these plugins.
    pub(crate) async fn load(db: &Db, registry: &Registry) -> Result<Switches, Error> {
        let mut switches = Switches::default();
        let orgs: Vec<OrgRow> =
            db.all("SELECT org_id, plugin, state, origin FROM hub_org_plugins", args![]).await?;
        for OrgRow { org_id, plugin, state, origin } in orgs {
            match (registry.is_meant(&plugin, origin.as_deref()), origin) {
                (false, Some(origin)) if state != OrgState::Disabled => {
                    switches.others.entry(plugin).or_default().insert(org_id, origin);
                }
                (false, _) => {}
                (true, _) => {
                    switches.orgs.entry(org_id).or_default().insert(plugin, state);
                }
            }
        }
        let tenants: Vec<TenantRow> =
            db.all("SELECT tenant_id, plugin, state FROM hub_tenant_plugins", args![]).await?;
        for TenantRow { tenant_id, plugin, state } in tenants {
            switches.tenants.entry(tenant_id).or_default().insert(plugin, state);
        }
        Ok(switches)
    }

    /// Notes of switches that an earlier release has written for which plugin they are: for the one that has the name now, as
    /// they have always meant.
    pub(crate) async fn settle(db: &Db, registry: &Registry) -> Result<(), Error> {
        let names: Vec<(String,)> =
            db.all("SELECT DISTINCT plugin FROM hub_org_plugins WHERE origin IS NULL", args![]).await?;
        let found: Vec<_> = names.iter().filter_map(|(name,)| registry.find(name)).collect();
        if found.is_empty() {
            return Ok(());
        }
        let mut tx = db.begin().await?;
        for plugin in found {
            let sql = "UPDATE hub_org_plugins SET origin = $1 WHERE plugin = $2 AND origin IS NULL";
            tx.execute(sql, args![plugin.origin.as_str(), plugin.name()]).await?;
        }
        // To the other hosts these may be another's.
        tx.announce().await?;
        tx.commit().await
    }

    /// Whether a plugin is on at this very moment, whatever this host has heard of: for a tenant, or the organisation at large.
    pub(crate) async fn is_on(
        db: &Db,
        registry: &Registry,
        org: &str,
        tenant: Option<&str>,
        plugin: &str,
    ) -> Result<bool, Error> {
        let sql = "SELECT state, origin FROM hub_org_plugins WHERE org_id = $1 AND plugin = $2";
        let of_org: Option<OfOrg> = db.one(sql, args![org, plugin]).await?;
        let of_org = of_org.filter(|of_org| registry.is_meant(plugin, of_org.origin.as_deref()));
        let said = match tenant {
            Some(tenant) => {
                let sql = "SELECT state FROM hub_tenant_plugins WHERE tenant_id = $1 AND plugin = $2";
                let said: Option<OfTenant> = db.one(sql, args![tenant, plugin]).await?;
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

    /// Where the plugin came from that the organisation has on, where that is not the one that has the name now.
    pub(crate) fn of_another(&self, org: &str, plugin: &str) -> Option<&str> {
        self.others.get(plugin).and_then(|orgs| orgs.get(org)).map(String::as_str)
    }

    /// A sentence for each plugin that is off because another one was switched on under its name.
    pub(crate) fn of_others(&self) -> Vec<String> {
        let sentence = |(plugin, orgs): (&String, &BTreeMap<String, String>)| {
            let origins: BTreeSet<&str> = orgs.values().map(|origin| Origin::whose(origin)).collect();
            let origins: Vec<&str> = origins.into_iter().collect();
            format!(
                "vertical plugin `{plugin}` is off for {}, having been enabled as {}: another one has its name now; an admin \
                 who wants that one enables it anew",
                orgs_told(orgs.len()),
                origins.join(" or ")
            )
        };
        self.others.iter().map(sentence).collect()
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

/// So many organisations.
pub(crate) fn orgs_told(count: usize) -> String {
    if count == 1 { "1 organisation".to_owned() } else { format!("{count} organisations") }
}

#[cfg(test)]
mod tests {
    use hub_manifest::plan::HostPlugin;

    use super::*;
    use crate::config::Config;
    use crate::overrides::Chains;
    use crate::page_paths::Pages;
    use crate::registry::Plugin;
    use crate::testing;

    fn registry(slug: &str, origin: Origin) -> Registry {
        let about = HostPlugin { name: slug.to_owned(), ..HostPlugin::default() };
        let plugin = Plugin { origin, ..Plugin::of_build(about, Vec::new(), Config::default(), Vec::new()) };
        Registry::new(vec![plugin], Chains::default(), Pages::default())
    }

    // O6
    #[tokio::test]
    async fn o6_a_switch_is_a_plugins_and_not_a_names() {
        let db = Db::open_memory().await.unwrap();
        testing::make_tables(&db).await;
        let put = async |sql: &'static str| db.execute(sql, args![]).await.unwrap();
        put("INSERT INTO hub_orgs (id, name, created_at) VALUES ('o', 'O', ''), ('p', 'P', '')").await;
        put("INSERT INTO hub_tenants (id, org_id, name, created_at) VALUES ('t', 'o', 'T', '')").await;
        put("INSERT INTO hub_tenant_plugins (tenant_id, plugin, state, changed_at) VALUES ('t', 'crm', 'enabled', '')")
            .await;
        // As a release has written them that did not keep where the plugin came from.
        put("INSERT INTO hub_org_plugins (org_id, plugin, state, changed_at)
             VALUES ('o', 'crm', 'chosen', ''), ('p', 'crm', 'disabled', '')")
        .await;
        let (ours, theirs) = (registry("crm", Origin::Install), registry("crm", Origin::Data));
        let on = async |registry: &Registry| {
            let switches = Switches::load(&db, registry).await.unwrap();
            let now = Switches::is_on(&db, registry, "o", Some("t"), "crm").await.unwrap();
            assert_eq!(switches.enabled("o", Some("t"), "crm"), now);
            assert_eq!(switches.orgs_with("crm").is_empty(), !now);
            (now, switches.of_another("o", "crm").map(str::to_owned), switches.of_others().len())
        };
        let (mine, off) = ((true, None, 0), |origin: &str| (false, Some(origin.to_owned()), 1));
        assert_eq!((on(&ours).await, on(&theirs).await), (mine.clone(), mine.clone()));
        // Nobody has that name: nothing is settled.
        Switches::settle(&db, &registry("other", Origin::Data)).await.unwrap();
        assert_eq!(on(&ours).await, mine);
        Switches::settle(&db, &theirs).await.unwrap();
        assert_eq!((on(&theirs).await, on(&ours).await), (mine.clone(), off("data")));
        // Settled once for all.
        Switches::settle(&db, &ours).await.unwrap();
        assert_eq!((on(&theirs).await, on(&ours).await), (mine.clone(), off("data")));
        let said = Switches::load(&db, &ours).await.unwrap().of_others();
        assert!(
            said[0].starts_with(
                "vertical plugin `crm` is off for 1 organisation, having been enabled as the customer's own"
            ),
            "{said:?}"
        );
        put("UPDATE hub_org_plugins SET origin = 'install'").await;
        assert_eq!((on(&ours).await, on(&theirs).await), (mine.clone(), off("install")));
        // What a later release may write breaks nothing.
        put("UPDATE hub_org_plugins SET origin = 'catalog'").await;
        assert_eq!(on(&ours).await, off("catalog"));
        // What an earlier release switches, which does not know the column, is the plugin's that has the name: as it has always meant.
        let earlier = "INSERT INTO hub_org_plugins (org_id, plugin, state, changed_at) VALUES ('o', 'crm', $1, '')
             ON CONFLICT (org_id, plugin) DO UPDATE SET state = excluded.state, changed_at = excluded.changed_at";
        for state in ["disabled", "enabled"] {
            put("UPDATE hub_org_plugins SET origin = 'install'").await;
            db.execute(earlier, args![state]).await.unwrap();
            let sql = "SELECT count(*) FROM hub_org_plugins WHERE org_id = 'o' AND origin IS NULL";
            let forgotten: i64 = db.value(sql, args![]).await.unwrap();
            assert_eq!(forgotten, 1, "{state}");
        }
        Switches::settle(&db, &theirs).await.unwrap();
        assert_eq!((on(&theirs).await, on(&ours).await), (mine.clone(), off("data")));
        // The same state again says nothing new, and no other row is touched.
        db.execute(earlier, args!["enabled"]).await.unwrap();
        assert_eq!(on(&ours).await, off("data"));
        let sql = "SELECT count(*) FROM hub_org_plugins WHERE org_id = 'p' AND origin = 'install'";
        let others: i64 = db.value(sql, args![]).await.unwrap();
        assert_eq!(others, 1);
    }

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
