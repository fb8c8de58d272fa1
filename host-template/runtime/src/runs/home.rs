//! The home of a workspace's data. Where they lie on one host's disk, its runs are taken by that host alone, so that there
//! are never two truths; where a server has them, by any host. A home is taken by the first run and changed by an operator
//! (`hub-platform warehouses`) only.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::args;
use crate::db::{AssertSqlSafe, Db, Error, Tx};

/// After how much silence a host counts as absent.
pub(super) const SILENCE: Duration = Duration::from_secs(30);

/// What a run writes its data to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Warehouse {
    /// dbt's adapter; [`FILES`] for a script.
    pub(super) adapter: String,
    /// Whether a profile of the customer's names it.
    pub(super) own_profile: bool,
    /// Whether the data lies on the host's disk.
    pub(super) local: bool,
}

/// Stands for the adapter where a script writes what it likes.
pub(super) const FILES: &str = "files";

/// A workspace's home.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Home {
    pub(crate) org: String,
    pub(crate) workspace: String,
    pub(crate) adapter: String,
    pub(crate) own_profile: bool,
    /// Identifier of the host on whose disk the data lies.
    pub(crate) host: Option<String>,
    /// What that host is called, where it has ever said so.
    pub(crate) name: Option<String>,
    /// When it last said that it is there.
    pub(crate) seen_at: Option<String>,
    pub(crate) since: String,
}

const SELECT: &str =
    "SELECT o.name AS org, w.workspace, w.adapter, w.own_profile, w.host, h.name, h.seen_at, w.since
     FROM hub_warehouses w JOIN hub_orgs o ON o.id = w.org_id LEFT JOIN hub_hosts h ON h.id = w.host";

/// Makes this host the home, or sees that the run may work here. The inner error says why it may not.
pub(super) async fn settle(
    db: &Db,
    org: &str,
    workspace: &str,
    host: &str,
    warehouse: &Warehouse,
) -> Result<Result<(), String>, Error> {
    let here = warehouse.local.then_some(host);
    let mut tx = db.begin().await?;
    tx.execute(
        "INSERT INTO hub_warehouses (org_id, workspace, adapter, own_profile, host, since)
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (org_id, workspace) DO NOTHING",
        args![org, workspace, &warehouse.adapter, warehouse.own_profile, here, crate::now()],
    )
    .await?;
    #[derive(Deserialize)]
    struct Row {
        adapter: String,
        own_profile: bool,
        host: Option<String>,
    }
    let row: Option<Row> = tx
        .one(
            "SELECT adapter, own_profile, host FROM hub_warehouses WHERE org_id = $1 AND workspace = $2",
            args![org, workspace],
        )
        .await?;
    let Some(row) = row else {
        return Ok(Err("the home of the workspace was taken away at this moment; run it again".to_owned()));
    };
    if row.host.as_deref().is_some_and(|home| home != host) {
        return Ok(Err(
            "the data of the workspace was moved to another host at this moment; run it again".to_owned()
        ));
    }
    let script = warehouse.adapter == FILES;
    if row.own_profile && !warehouse.own_profile && !script {
        return Ok(Err(format!(
            "the data of the workspace is where a profile of profiles.yml says ({}), which this host does not have, and a \
             second one in a DuckDB file would be another truth: put the same profiles.yml into the data folder of every \
             host, or begin anew with `hub-platform warehouses forget --org … --workspace {workspace}`",
            row.adapter
        )));
    }
    let (adapter, own) = match script {
        true => (row.adapter.as_str(), row.own_profile),
        false => (warehouse.adapter.as_str(), warehouse.own_profile),
    };
    tx.execute(
        "UPDATE hub_warehouses SET adapter = $3, own_profile = $4, host = COALESCE(host, $5)
         WHERE org_id = $1 AND workspace = $2",
        args![org, workspace, adapter, own, here],
    )
    .await?;
    tx.commit().await?;
    Ok(Ok(()))
}

/// For each workspace of an organisation whose runs wait for one host, an absent one or one of several, the sentence that says so.
pub(crate) async fn awaited(db: &Db, org: &str) -> Result<BTreeMap<String, String>, Error> {
    let of = format!("{SELECT} WHERE w.org_id = $1 AND w.host IS NOT NULL");
    let lately = db.moment(SILENCE);
    let sql = format!("{of} AND (h.seen_at IS NULL OR h.seen_at < {lately})");
    let absent: Vec<Home> = db.all(AssertSqlSafe(sql), args![org]).await?;
    // Of a host that is alone nobody has to be told.
    let sql = format!(
        "{of} AND h.seen_at >= {lately}
         AND EXISTS (SELECT 1 FROM hub_hosts e WHERE e.id <> w.host AND e.seen_at >= {lately})"
    );
    let there: Vec<Home> = db.all(AssertSqlSafe(sql), args![org]).await?;
    let absent = absent.iter().map(|home| (home.workspace.clone(), sentence(home)));
    let there = there.iter().map(|home| (home.workspace.clone(), turn(home)));
    Ok(absent.chain(there).collect())
}

/// What the host of a home is called.
fn called(home: &Home) -> &str {
    home.name.as_deref().or(home.host.as_deref()).unwrap_or_default()
}

fn turn(home: &Home) -> String {
    let host = called(home);
    format!("waits for its turn on the host `{host}`, on whose disk the data of this workspace lies")
}

fn sentence(home: &Home) -> String {
    let host = called(home);
    let seen = match &home.seen_at {
        Some(seen) => format!("was last seen at {seen}"),
        None => "has not been seen".to_owned(),
    };
    format!(
        "waits for the host `{host}`, on whose disk the data of this workspace lies and which {seen}: start it, or move the \
         workspace with `hub-platform warehouses move --org '{}' --workspace {}` on another host",
        home.org, home.workspace
    )
}

/// Who else has the workspace's data, by the identifiers of organisations.
pub(super) async fn others(db: &Db, org: &str, workspace: &str) -> Result<Vec<String>, Error> {
    let rows: Vec<(String,)> = db
        .all("SELECT org_id FROM hub_warehouses WHERE workspace = $1 AND org_id <> $2", args![workspace, org])
        .await?;
    Ok(rows.into_iter().map(|(org,)| org).collect())
}

/// The identifiers of all organisations.
pub(super) async fn orgs(db: &Db) -> Result<Vec<String>, Error> {
    let rows: Vec<(String,)> = db.all("SELECT id FROM hub_orgs", args![]).await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// All homes, by organisation and workspace.
pub(crate) async fn all(db: &Db) -> Result<Vec<Home>, Error> {
    let sql = format!("{SELECT} ORDER BY o.name, w.workspace");
    db.all(crate::db::AssertSqlSafe(sql), args![]).await
}

/// Makes another host the home; false where the workspace has none, or has a run under way.
pub(crate) async fn relocate(tx: &mut Tx, org: &str, workspace: &str, host: &str) -> Result<bool, Error> {
    let sql = "UPDATE hub_warehouses SET host = $3, since = $4 WHERE org_id = $1 AND workspace = $2 AND NOT EXISTS (
                   SELECT 1 FROM hub_runs r WHERE r.org_id = $1 AND r.workspace = $2 AND r.state = 'running')";
    tx.execute(sql, args![org, workspace, host, crate::now()]).await.map(|rows| rows > 0)
}

/// Forgets the home: the next run takes one anew. False where there is none, or a run is under way.
pub(crate) async fn forget(tx: &mut Tx, org: &str, workspace: &str) -> Result<bool, Error> {
    let sql = "DELETE FROM hub_warehouses WHERE org_id = $1 AND workspace = $2 AND NOT EXISTS (
                   SELECT 1 FROM hub_runs r WHERE r.org_id = $1 AND r.workspace = $2 AND r.state = 'running')";
    tx.execute(sql, args![org, workspace]).await.map(|rows| rows > 0)
}
