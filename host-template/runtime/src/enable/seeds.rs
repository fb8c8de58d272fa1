//! What a plugin brings when an organisation enables it for the first time: groups and dashboards. Never twice.

use hub_manifest::plan::{DashboardSeed, SeedGroup};
use serde_json::json;

use crate::args;
use crate::db::{Error, Tx};
use crate::registry::Plugin;

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

/// A group of that name that is there already is the organisation's own, and is left alone.
async fn add_group(tx: &mut Tx, org: &str, plugin: &str, group: &SeedGroup) -> Result<(), Error> {
    let id = crate::new_id();
    let made = tx
        .execute(
            "INSERT INTO hub_groups (id, org_id, name, plugin, created_at) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (org_id, name) DO NOTHING",
            args![&id, org, &group.name, plugin, crate::now()],
        )
        .await?;
    if made == 0 {
        return Ok(());
    }
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
