//! Switching a plugin on and off: the rules, and the one transaction in which it all happens.

mod rules;
mod seeds;

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::access::{OrgState, TenantState};
use crate::args;
use crate::audit::{self, Actor, Event};
use crate::db::migrate::{self, Migration, Owner};
use crate::db::{Db, Error, Tx};
use crate::host::Hub;
use crate::live::Snapshot;
use crate::problem::Problem;
use crate::registry::{Plugin, Registry};

pub(crate) use rules::{Change, Scope};

/// What a change came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Changed {
    pub(crate) from: &'static str,
    pub(crate) to: &'static str,
}

/// The switches of one organisation, as the transaction sees them.
pub(crate) struct OrgSwitches {
    org: Vec<(String, OrgState)>,
    tenant: Vec<(String, TenantState)>,
    /// What is on for another plugin than the one that has the name now, and so is off.
    others: BTreeSet<String>,
}

impl OrgSwitches {
    async fn read(
        tx: &mut Tx,
        registry: &Registry,
        org: &str,
        tenant: Option<&str>,
    ) -> Result<OrgSwitches, Error> {
        #[derive(Deserialize)]
        struct OrgRow {
            plugin: String,
            state: OrgState,
            origin: Option<String>,
        }
        #[derive(Deserialize)]
        struct TenantRow {
            plugin: String,
            state: TenantState,
        }
        let rows: Vec<OrgRow> =
            tx.all("SELECT plugin, state, origin FROM hub_org_plugins WHERE org_id = $1", args![org]).await?;
        let (meant, others): (Vec<OrgRow>, Vec<OrgRow>) =
            rows.into_iter().partition(|row| registry.is_meant(&row.plugin, row.origin.as_deref()));
        let of_tenant: Vec<TenantRow> = match tenant {
            Some(tenant) => {
                let sql = "SELECT plugin, state FROM hub_tenant_plugins WHERE tenant_id = $1";
                tx.all(sql, args![tenant]).await?
            }
            None => Vec::new(),
        };
        Ok(OrgSwitches {
            org: meant.into_iter().map(|row| (row.plugin, row.state)).collect(),
            tenant: of_tenant.into_iter().map(|row| (row.plugin, row.state)).collect(),
            others: others
                .into_iter()
                .filter(|row| row.state != OrgState::Disabled)
                .map(|row| row.plugin)
                .collect(),
        })
    }

    fn of_org(&self, plugin: &str) -> OrgState {
        self.org.iter().find(|(name, _)| name == plugin).map(|(_, state)| *state).unwrap_or_default()
    }

    fn of_tenant(&self, plugin: &str) -> Option<TenantState> {
        self.tenant.iter().find(|(name, _)| name == plugin).map(|(_, state)| *state)
    }
}

/// Switches a plugin on or off for an organisation or one of its tenants, and tells every host.
///
/// The rules, the plugin's first migrations, its seeds, the state and the audit event are one transaction: after a kill
/// at any moment all of it is there, or nothing.
pub(crate) async fn change(
    hub: &Hub,
    org: &str,
    actor: &Actor,
    slug: &str,
    change: &Change,
) -> Result<Changed, Problem> {
    let snapshot = hub.live.snapshot();
    let plugin = snapshot.registry.find(slug).ok_or_else(|| {
        Problem::not_found(format!("there is no vertical plugin `{slug}`")).code("plugin-unknown")
    })?;
    // Read before the transaction: a slow disk must not hold up the database.
    let migrations = if change.on { migrations_of(hub, plugin).await? } else { Vec::new() };

    let cannot = |error: String| {
        Problem::conflict(format!("vertical plugin `{slug}` cannot be enabled: {error}"))
            .code("migration-failed")
    };
    let owner = Owner::Plugin(slug);
    let changed = if migrate::is_pending(&hub.db, owner, &migrations).await.map_err(cannot)? {
        let unreferenced = hub.db.for_migrations().await?;
        let changed = change_on(&unreferenced.db, &snapshot, org, actor, plugin, change, &migrations).await;
        unreferenced.end().await?;
        changed?
    } else {
        change_on(&hub.db, &snapshot, org, actor, plugin, change, &migrations).await?
    };
    hub.live.refresh(&hub.db).await?;
    Ok(changed)
}

/// The transaction.
async fn change_on(
    db: &Db,
    snapshot: &Snapshot,
    org: &str,
    actor: &Actor,
    plugin: &Plugin,
    change: &Change,
    migrations: &[Migration],
) -> Result<Changed, Problem> {
    let slug = plugin.name();
    let mut tx = db.begin().await?;
    // Changes of one organisation come one after the other, on however many hosts.
    tx.execute("UPDATE hub_orgs SET revision = revision + 1 WHERE id = $1", args![org]).await?;
    let tenant = change.scope.tenant();
    if let Some(tenant) = tenant {
        let sql = "SELECT count(*) FROM hub_tenants WHERE org_id = $1 AND id = $2";
        let found: i64 = tx.value(sql, args![org, tenant]).await?;
        if found == 0 {
            return Err(Problem::invalid_field(
                "tenant",
                format!("there is no tenant `{tenant}` in this organisation"),
            ));
        }
    }
    let switches = OrgSwitches::read(&mut tx, &snapshot.registry, org, tenant).await?;
    let step = rules::step(&snapshot.registry, plugin, &switches, change)?;
    let Some(step) = step else {
        let state = rules::state(&switches, slug, &change.scope);
        return Ok(Changed { from: state, to: state });
    };
    if change.on {
        let ran = migrate::run_in(&mut tx, Owner::Plugin(slug), migrations).await.map_err(|error| {
            Problem::conflict(format!("vertical plugin `{slug}` cannot be enabled: {error}"))
                .code("migration-failed")
        })?;
        if ran > 0 {
            tracing::info!(plugin = slug, ran, "ran migrations");
        }
        seeds::plant(&mut tx, org, plugin).await?;
    }
    write(&mut tx, org, plugin, &step).await?;
    let event = Event {
        plugin: Some(slug),
        scope: Some(change.scope.as_str()),
        tenant,
        from: Some(step.from),
        to: Some(step.to),
        ..Event::new("plugin_state_change")
    };
    audit::record(&mut tx, org, actor, event).await?;
    tx.announce().await?;
    tx.commit().await?;
    Ok(Changed { from: step.from, to: step.to })
}

async fn migrations_of(hub: &Hub, plugin: &Plugin) -> Result<Vec<migrate::Migration>, Problem> {
    let Some(folder) = plugin.migrations() else { return Ok(Vec::new()) };
    let slug = plugin.name().to_owned();
    let read = hub.aside(move || migrate::read_folder(&folder)).await?;
    read.and_then(|all| plugin.own_migrations(all)).map_err(|error| {
        Problem::conflict(format!("vertical plugin `{slug}` cannot be enabled: {error}"))
            .code("migration-failed")
    })
}

async fn write(tx: &mut Tx, org: &str, plugin: &Plugin, step: &rules::Step) -> Result<(), Error> {
    let slug = plugin.name();
    if let Some(state) = step.org {
        tx.execute(
            "INSERT INTO hub_org_plugins (org_id, plugin, state, changed_at) VALUES ($1, $2, $3, $4)
             ON CONFLICT (org_id, plugin) DO UPDATE SET state = excluded.state, changed_at = excluded.changed_at",
            args![org, slug, state.as_str(), crate::now()],
        )
        .await?;
        // By a statement of its own: with another state the database forgets it, for the sake of releases that do not know of it.
        let sql = "UPDATE hub_org_plugins SET origin = $1 WHERE org_id = $2 AND plugin = $3";
        tx.execute(sql, args![plugin.origin.as_str(), org, slug]).await?;
    }
    if step.forget_chosen {
        tx.execute(
            "DELETE FROM hub_tenant_plugins WHERE plugin = $1 AND state = 'enabled'
             AND tenant_id IN (SELECT id FROM hub_tenants WHERE org_id = $2)",
            args![slug, org],
        )
        .await?;
    }
    if let Some((tenant, state)) = &step.tenant {
        tx.execute(
            "INSERT INTO hub_tenant_plugins (tenant_id, plugin, state, changed_at) VALUES ($1, $2, $3, $4)
             ON CONFLICT (tenant_id, plugin) DO UPDATE SET state = excluded.state, changed_at = excluded.changed_at",
            args![tenant, slug, state.as_str(), crate::now()],
        )
        .await?;
    }
    Ok(())
}
