//! What a plugin brings when an organisation enables it for the first time: groups and dashboards. Never twice.

use hub_manifest::plan::{DashboardSeed, SeedGroup};
use serde_json::json;

use crate::args;
use crate::db::{Error, Tx};
use crate::identity::store;
use crate::registry::Plugin;
use crate::validate::tidy;

/// Makes what has not been made before. What somebody has changed or deleted since stays as they left it.
pub(super) async fn plant(tx: &mut Tx, org: &str, plugin: &Plugin) -> Result<(), Error> {
    let slug = plugin.name();
    for group in &plugin.about.seed_groups {
        if first_time(tx, org, slug, "group", &group.name).await? {
            add_group(tx, org, slug, group).await?;
        }
    }
    for dashboard in &plugin.about.dashboard_seeds {
        if first_time(tx, org, slug, "dashboard", &dashboard.slug).await? {
            add_dashboard(tx, org, slug, dashboard).await?;
        }
    }
    Ok(())
}

async fn first_time(tx: &mut Tx, org: &str, plugin: &str, kind: &str, slug: &str) -> Result<bool, Error> {
    let made = tx
        .execute(
            "INSERT INTO hub_seeds (org_id, plugin, kind, slug, seeded_at) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT DO NOTHING",
            args![org, plugin, kind, slug, crate::now()],
        )
        .await?;
    Ok(made > 0)
}

/// A group that is there already under that name, or under one that people take for it, is the organisation's own, and is
/// left alone. Whoever plants holds the organisation, as every other does that gives a group a name.
async fn add_group(tx: &mut Tx, org: &str, plugin: &str, group: &SeedGroup) -> Result<(), Error> {
    let name = tidy(&group.name);
    if let Some(there) = store::group_like(tx, org, None, &name).await? {
        tracing::info!(
            plugin,
            group = name,
            there,
            "a group is not created: the organisation has one of that name"
        );
        return Ok(());
    }
    let id = crate::new_id();
    tx.execute(
        "INSERT INTO hub_groups (id, org_id, name, plugin, created_at) VALUES ($1, $2, $3, $4, $5)",
        args![&id, org, name, plugin, crate::now()],
    )
    .await?;
    for permission in &group.permissions {
        let sql =
            "INSERT INTO hub_group_permissions (group_id, permission) VALUES ($1, $2) ON CONFLICT DO NOTHING";
        tx.execute(sql, args![&id, permission]).await?;
    }
    Ok(())
}

async fn add_dashboard(tx: &mut Tx, org: &str, plugin: &str, seed: &DashboardSeed) -> Result<(), Error> {
    let now = crate::now();
    tx.execute(
        "INSERT INTO hub_dashboards (id, org_id, plugin, slug, title, widgets, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        args![crate::new_id(), org, plugin, &seed.slug, &seed.title, json!(seed.widgets), &now, &now],
    )
    .await
    .map(drop)
}
