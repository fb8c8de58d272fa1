//! The queue and the history in the database: one function a question.

use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use utoipa::ToSchema;

use super::options::Options;
use super::{Kept, Kind, Lineage, State};
use crate::args;
use crate::db::{AssertSqlSafe, Db, Error, Tx, Value};
use crate::rows::{Rows, Span};

/// A run as it is kept.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub(crate) struct Run {
    pub(crate) id: String,
    pub(crate) kind: Kind,
    /// Slug of the dbt workspace, or of the script.
    pub(crate) slug: String,
    /// Slug of the plugin; none for the platform's own workspace.
    pub(crate) plugin: Option<String>,
    /// What no two runs use at the same time.
    pub(crate) workspace: String,
    pub(crate) state: State,
    /// E-mail address of who asked for it.
    pub(crate) requested_by: String,
    /// RFC 3339, in UTC.
    pub(crate) created_at: String,
    /// RFC 3339, in UTC.
    pub(crate) started_at: Option<String>,
    /// RFC 3339, in UTC.
    pub(crate) finished_at: Option<String>,
    /// One sentence where it did not succeed.
    pub(crate) error: Option<String>,
    /// What it was asked to do beyond a plain build.
    #[serde(default, deserialize_with = "kept_options")]
    #[schema(value_type = Option<Options>)]
    pub(crate) options: Option<Box<RawValue>>,
    /// What it waits for, where that is one host.
    #[serde(default)]
    pub(crate) waiting: Option<String>,
    /// The tenant that it was asked for in.
    #[serde(default)]
    pub(crate) tenant_id: Option<String>,
    #[serde(skip_serializing)]
    #[schema(ignore)]
    pub(crate) org_id: String,
}

const COLUMNS: &str =
    "id, kind, slug, plugin, workspace, state, requested_by, created_at, started_at, finished_at,
                       error, options, tenant_id, org_id";

/// The database keeps text. What another release wrote is shown as it is.
fn kept_options<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Box<RawValue>>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
    match serde_json::from_str(&text) {
        Ok(options) => Ok(Some(options)),
        Err(_) => to_raw_value(&text).map(Some).map_err(serde::de::Error::custom),
    }
}

/// Puts a run at the end of the queue.
pub(crate) async fn enqueue(tx: &mut Tx, run: &Run) -> Result<(), Error> {
    let kind = match run.kind {
        Kind::Dbt => "dbt",
        Kind::Script => "script",
    };
    tx.execute(
        "INSERT INTO hub_runs (id, org_id, kind, slug, plugin, workspace, state, requested_by, created_at, options, tenant_id)
         VALUES ($1, $2, $3, $4, $5, $6, 'queued', $7, $8, $9, $10)",
        args![
            &run.id,
            &run.org_id,
            kind,
            &run.slug,
            run.plugin.as_ref(),
            &run.workspace,
            &run.requested_by,
            &run.created_at,
            run.options.as_ref().map(|options| options.get()),
            run.tenant_id.as_ref()
        ],
    )
    .await
    .map(drop)
}

/// How many runs of an organisation wait.
/// Whoever else asks waits for the end of the transaction, so that many at once do not all count the same.
pub(crate) async fn waiting(tx: &mut Tx, org: &str) -> Result<u64, Error> {
    // SQLite has one writer anyhow.
    if !matches!(tx, Tx::Sqlite(_)) {
        tx.one::<(String,)>("SELECT id FROM hub_orgs WHERE id = $1 FOR NO KEY UPDATE", args![org]).await?;
    }
    tx.value("SELECT count(*) FROM hub_runs WHERE state = 'queued' AND org_id = $1", args![org]).await
}

/// One run of an organisation.
pub(crate) async fn find(db: &Db, org: &str, id: &str) -> Result<Option<Run>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM hub_runs WHERE org_id = $1 AND id = $2");
    db.one(AssertSqlSafe(sql), args![org, id]).await
}

/// The newest runs of an organisation, of one workspace where it is named.
pub(crate) async fn newest(
    db: &Db,
    org: &str,
    workspace: Option<&str>,
    rows: Rows<'_>,
) -> Result<Vec<Run>, Error> {
    select(db, COLUMNS, org, workspace, None, rows).await
}

/// Those that come before one of them, so many at most and of no more than so many bytes; none where there is none.
pub(crate) async fn span(
    db: &Db,
    org: &str,
    workspace: Option<&str>,
    before: Option<&str>,
    rows: u32,
    bytes: u64,
) -> Result<Option<Span>, Error> {
    let columns = "id, octet_length(coalesce(options, '')) + octet_length(coalesce(error, '')) + 1024";
    let found: Vec<(String, i64)> =
        select(db, columns, org, workspace, before, Rows::Newest(rows + 1)).await?;
    Ok(Span::of(&found, rows, bytes))
}

async fn select<T: DeserializeOwned>(
    db: &Db,
    columns: &'static str,
    org: &str,
    workspace: Option<&str>,
    before: Option<&str>,
    rows: Rows<'_>,
) -> Result<Vec<T>, Error> {
    let mut values: Vec<Value> = args![org];
    let mut conditions = String::new();
    for (condition, value) in [("workspace =", workspace), ("id <", before)] {
        if let Some(value) = value {
            values.push(value.into());
            conditions += &format!(" AND {condition} ${}", values.len());
        }
    }
    let end = rows.sql(&mut values);
    let sql = format!("SELECT {columns} FROM hub_runs WHERE org_id = $1{conditions}{end}");
    db.all(AssertSqlSafe(sql), values).await
}

/// Takes the next run whose workspace is free and has its data here or on a server; none where there is nothing to do. The
/// next one is the oldest of the organisation that has the fewest runs under way and, among those, has waited longest for
/// one to begin: whoever asks for eighty is not served eighty times before somebody else. Of the places of a host, `at_once`,
/// the last is never one organisation's that has all others, where there is another one: that one's run would wait for as long as a run
/// may take.
pub(crate) async fn claim(db: &Db, host: &str, at_once: usize) -> Result<Option<Run>, Error> {
    // A host's only place is whoever's turn it is.
    let share = if at_once < 2 { i64::MAX } else { i64::try_from(at_once - 1).unwrap_or(i64::MAX) };
    let next: Option<(String,)> = db
        .one(
            "SELECT q.id FROM hub_runs q WHERE q.state = 'queued' AND NOT EXISTS (
                 SELECT 1 FROM hub_runs r
                 WHERE r.state = 'running' AND r.org_id = q.org_id AND r.workspace = q.workspace)
               AND NOT EXISTS (
                 SELECT 1 FROM hub_warehouses w
                 WHERE w.org_id = q.org_id AND w.workspace = q.workspace AND w.host <> $1)
               AND (NOT EXISTS (SELECT 1 FROM hub_orgs o WHERE o.id <> q.org_id)
                 OR (SELECT count(*) FROM hub_runs r
                     WHERE r.state = 'running' AND r.host = $1 AND r.org_id = q.org_id) < $2)
             ORDER BY
               (SELECT count(*) FROM hub_runs r WHERE r.state = 'running' AND r.org_id = q.org_id),
               (SELECT coalesce(max(r.started_at), '') FROM hub_runs r WHERE r.org_id = q.org_id),
               q.id
             LIMIT 1",
            args![host, share],
        )
        .await?;
    let Some((id,)) = next else { return Ok(None) };
    let sql = format!(
        "UPDATE hub_runs SET state = 'running', host = $2, started_at = $3, seen_at = {}
         WHERE id = $1 AND state = 'queued'",
        db.moment(Duration::ZERO)
    );
    let claimed = db.execute(AssertSqlSafe(sql), args![&id, host, crate::now()]).await;
    match claimed {
        Ok(0) => Ok(None),
        Ok(_) => {
            let sql = format!("SELECT {COLUMNS} FROM hub_runs WHERE id = $1");
            db.one(AssertSqlSafe(sql), args![&id]).await
        }
        // Another host was faster, with another run of the same workspace.
        Err(error) if error.is_unique_violation() => Ok(None),
        Err(error) => Err(error),
    }
}

/// What a run's host hears when it says that the run is still under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Beat {
    GoOn,
    /// Somebody wants it to end.
    Cancel,
    /// It is not this host's any more: the host was silent for so long that others count it as dead.
    NotOurs,
}

/// Says that the run is still under way on this host.
pub(crate) async fn alive(db: &Db, id: &str, host: &str) -> Result<Beat, Error> {
    let sql = format!(
        "UPDATE hub_runs SET seen_at = {} WHERE id = $1 AND host = $2 AND state = 'running'",
        db.moment(Duration::ZERO)
    );
    let ours = db.execute(AssertSqlSafe(sql), args![id, host]).await?;
    if ours == 0 {
        return Ok(Beat::NotOurs);
    }
    let cancel: bool = db.value("SELECT cancel FROM hub_runs WHERE id = $1", args![id]).await?;
    Ok(if cancel { Beat::Cancel } else { Beat::GoOn })
}

/// Writes how a run ended.
pub(crate) async fn finish(
    db: &Db,
    id: &str,
    state: State,
    error: Option<&str>,
    lineage: Option<&Lineage>,
) -> Result<(), Error> {
    let lineage = lineage.and_then(|lineage| serde_json::to_string(lineage).ok());
    db.execute(
        "UPDATE hub_runs SET state = $2, error = $3, lineage = $4, finished_at = $5 WHERE id = $1 AND state = 'running'",
        args![id, state.as_str(), error, lineage, crate::now()],
    )
    .await
    .map(drop)
}

/// Ends a run that waits, and asks for the end of one that is under way. False where it had ended already.
pub(crate) async fn cancel(tx: &mut Tx, id: &str) -> Result<bool, Error> {
    let waited = tx
        .execute(
            "UPDATE hub_runs SET state = 'cancelled', finished_at = $2 WHERE id = $1 AND state = 'queued'",
            args![id, crate::now()],
        )
        .await?;
    let asked = tx
        .execute("UPDATE hub_runs SET cancel = TRUE WHERE id = $1 AND state = 'running'", args![id])
        .await?;
    Ok(waited + asked > 0)
}

/// Marks runs as lost that this host began in an earlier life, and those of hosts that have been silent for too long.
pub(crate) async fn lose(db: &Db, host: Option<&str>, silent: Duration) -> Result<u64, Error> {
    let sql = format!(
        "UPDATE hub_runs SET state = 'lost', finished_at = $1, error = 'the host that ran it died'
         WHERE state = 'running' AND (seen_at < {} OR host = $2)",
        db.moment(silent)
    );
    db.execute(AssertSqlSafe(sql), args![crate::now(), host]).await
}

/// The newest run of a workspace's builds that has ended, of those that succeeded where that is asked.
pub(crate) async fn newest_build(
    db: &Db,
    org: &str,
    workspace: &str,
    good: bool,
) -> Result<Option<Run>, Error> {
    let state = if good { "= 'succeeded'" } else { "NOT IN ('queued', 'running')" };
    let sql = format!(
        "SELECT {COLUMNS} FROM hub_runs WHERE org_id = $1 AND workspace = $2 AND kind = 'dbt' AND state {state}
         ORDER BY id DESC LIMIT 1"
    );
    db.one(AssertSqlSafe(sql), args![org, workspace]).await
}

/// How many bytes [`lineage`] gives.
pub(crate) async fn lineage_bytes(db: &Db, org: &str, workspace: &str) -> Result<u64, Error> {
    let size: Option<(i64,)> = db
        .one(
            "SELECT octet_length(lineage) FROM hub_runs
             WHERE org_id = $1 AND workspace = $2 AND kind = 'dbt' AND lineage IS NOT NULL ORDER BY id DESC LIMIT 1",
            args![org, workspace],
        )
        .await?;
    Ok(size.map_or(0, |(size,)| size.unsigned_abs()))
}

/// The lineage of the last run of a workspace that told one, and that run's identifier.
pub(crate) async fn lineage(db: &Db, org: &str, workspace: &str) -> Result<Option<(String, Kept)>, Error> {
    #[derive(Deserialize)]
    struct Row {
        id: String,
        #[serde(with = "crate::db::json")]
        lineage: Kept,
    }
    let row: Option<Row> = db
        .one(
            "SELECT id, lineage FROM hub_runs
             WHERE org_id = $1 AND workspace = $2 AND kind = 'dbt' AND lineage IS NOT NULL ORDER BY id DESC LIMIT 1",
            args![org, workspace],
        )
        .await?;
    Ok(row.map(|row| (row.id, row.lineage)))
}

/// Adds to the log.
pub(crate) async fn log(db: &Db, id: &str, seq: u64, text: &str) -> Result<(), Error> {
    db.execute("INSERT INTO hub_run_logs (run_id, seq, text) VALUES ($1, $2, $3)", args![id, seq, text])
        .await
        .map(drop)
}

/// A part of a log.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub(crate) struct Chunk {
    /// Counts the chunks of a run from 1.
    pub(crate) seq: u64,
    /// Whole lines.
    pub(crate) text: String,
}

/// How many bytes each of the chunks after one has, of 200 at most.
pub(crate) async fn log_sizes(db: &Db, id: &str, seq: u64) -> Result<Vec<u64>, Error> {
    let sql =
        "SELECT octet_length(text) FROM hub_run_logs WHERE run_id = $1 AND seq > $2 ORDER BY seq LIMIT 200";
    let sizes: Vec<(i64,)> = db.all(sql, args![id, seq]).await?;
    Ok(sizes.into_iter().map(|(size,)| size.unsigned_abs()).collect())
}

/// So many chunks of the log, after one.
pub(crate) async fn log_after(db: &Db, id: &str, seq: u64, chunks: u32) -> Result<Vec<Chunk>, Error> {
    let sql = "SELECT seq, text FROM hub_run_logs WHERE run_id = $1 AND seq > $2 ORDER BY seq LIMIT $3";
    db.all(sql, args![id, seq, chunks]).await
}
