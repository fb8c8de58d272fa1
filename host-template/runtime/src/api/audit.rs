//! `GET /api/audit/events`: who did what in the caller's organisation.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use futures_util::StreamExt;
use hub_manifest::limits::Limit;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};

use crate::access::{Allowed, Permission};
use crate::args;
use crate::ctx::Ctx;
use crate::db::{AssertSqlSafe, Db, Error};
use crate::extract::{Json, Query};
use crate::gate::Watch;
use crate::identity::Address;
use crate::page::{Part, checked_limit};
use crate::problem::{Problem, Result};
use crate::purse::{Held, Purse};
use crate::router::Router;
use crate::rows::{Rows, Span};

crate::permission!(Read = "audit.read");

pub(super) fn router() -> Router {
    Router::new().routes(crate::routes!(events)).routes(crate::routes!(export))
}

/// Rows of an export that are read at a time, and their bytes, about.
const CHUNK: u32 = 1_000;
const CHUNK_BYTES: u64 = 256 << 10;

/// An event of the audit log.
#[derive(Serialize, ToSchema)]
struct AuditEvent {
    id: String,
    /// RFC 3339, in UTC.
    time: String,
    /// Such as `plugin_state_change`.
    event_type: String,
    actor: ActorView,
    /// Slug of the plugin.
    plugin: Option<String>,
    /// `org` or `tenant`.
    scope: Option<String>,
    /// Identifier of the tenant.
    tenant: Option<String>,
    from: Option<String>,
    to: Option<String>,
    /// Whatever else there is to say.
    #[schema(value_type = serde_json::Map<String, serde_json::Value>)]
    details: Box<RawValue>,
}

/// Who did it.
#[derive(Serialize, ToSchema)]
struct ActorView {
    /// Empty where the platform itself acted.
    id: String,
    email: String,
}

#[derive(Deserialize)]
struct Row {
    id: String,
    time: String,
    event_type: String,
    actor_id: String,
    actor_email: String,
    plugin: Option<String>,
    scope: Option<String>,
    tenant_id: Option<String>,
    from_state: Option<String>,
    to_state: Option<String>,
    #[serde(with = "crate::db::json")]
    details: Box<RawValue>,
}

impl From<Row> for AuditEvent {
    fn from(row: Row) -> AuditEvent {
        AuditEvent {
            id: row.id,
            time: row.time,
            event_type: row.event_type,
            actor: ActorView { id: row.actor_id, email: row.actor_email },
            plugin: row.plugin,
            scope: row.scope,
            tenant: row.tenant_id,
            from: row.from_state,
            to: row.to_state,
            details: row.details,
        }
    }
}

/// Which events are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// Such as `plugin_state_change`.
    event_type: Option<String>,
    /// Slug of a plugin.
    plugin: Option<String>,
    /// E-mail address of the actor, however it is written.
    actor: Option<String>,
    /// Only events before this one, which the page before names as `next`.
    before: Option<String>,
    /// Rows at most.
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: Option<u32>,
}

/// The newest events of the caller's organisation first.
#[utoipa::path(
    get,
    path = "/audit/events",
    operation_id = "audit_events",
    params(Filter),
    responses((status = 200, body = Part<AuditEvent>)),
)]
async fn events(
    ctx: Ctx,
    caller: Allowed<Read>,
    Query(filter): Query<Filter>,
) -> Result<Json<Part<AuditEvent>>> {
    let limit = checked_limit(filter.limit)?;
    let (db, org) = (ctx.db(), &caller.org().id);
    let span = find(db, org, &filter, limit, ctx.hub().limits.get(Limit::PageBytes)).await?;
    let rows = match &span {
        Some(span) => read(db, org, &filter, span).await?,
        None => Vec::new(),
    };
    Ok(Json(Part::of(rows, span.as_ref())))
}

/// The events that come next, so many at most and of no more than so many bytes; none where there is none.
async fn find(db: &Db, org: &str, filter: &Filter, rows: u32, bytes: u64) -> Result<Option<Span>, Error> {
    let columns = "id, octet_length(details) + 512";
    let found: Vec<(String, i64)> = select(db, columns, org, filter, Rows::Newest(rows + 1)).await?;
    Ok(Span::of(&found, rows, bytes))
}

/// The events that were found so.
async fn read(db: &Db, org: &str, filter: &Filter, span: &Span) -> Result<Vec<Row>, Error> {
    let columns = "id, time, event_type, actor_id, actor_email, plugin, scope, tenant_id, from_state, to_state, details";
    select(db, columns, org, filter, Rows::Within(span)).await
}

/// These columns of events before `filter.before`, the newest first. Only the conditions that are asked for stand in the
/// SQL: each has its index, which an `OR` with a parameter would keep the database from using.
async fn select<T: DeserializeOwned>(
    db: &Db,
    columns: &'static str,
    org: &str,
    filter: &Filter,
    rows: Rows<'_>,
) -> Result<Vec<T>, Error> {
    let mut args = args![org];
    let mut conditions = String::new();
    let wanted =
        [("event_type =", &filter.event_type), ("plugin =", &filter.plugin), ("id <", &filter.before)];
    for (condition, value) in wanted {
        if let Some(value) = value {
            args.push(value.into());
            conditions += &format!(" AND {condition} ${}", args.len());
        }
    }
    if let Some(actor) = &filter.actor {
        let address = Address::of(actor);
        let mut forms: Vec<&String> = address.forms().iter().collect();
        forms.sort();
        forms.dedup();
        let mut places = Vec::new();
        for form in forms {
            args.push(form.into());
            places.push(format!("${}", args.len()));
        }
        // Nearly always one: then the index gives the newest first.
        conditions += &format!(" AND actor_email IN ({})", places.join(", "));
    }
    let end = rows.sql(&mut args);
    let sql = format!("SELECT {columns} FROM hub_audit_events WHERE org_id = $1{conditions}{end}");
    db.all(AssertSqlSafe(sql), args).await
}

/// The same events, all of them, as CSV.
#[utoipa::path(
    get,
    path = "/audit/export",
    operation_id = "audit_export",
    params(Filter),
    responses((status = 200, content_type = "text/csv", body = String)),
)]
async fn export(ctx: Ctx, caller: Allowed<Read>, Query(filter): Query<Filter>) -> Result<Response> {
    let watch = Watch::new(&ctx, &caller, Some(<Read as Permission>::NAME));
    let org = caller.org().id.clone();
    let mut export = Export { ctx, org, watch, next: Some(filter), held: None };
    // The first part before the answer begins: what is wrong can still be said then.
    let head = "time,event_type,actor,plugin,scope,tenant,from,to,details\r\n";
    let first = export.part().await?.unwrap_or_default();
    let begin = Bytes::from(head.to_owned() + &first);
    let more = futures_util::stream::unfold(Some(export), |export| async move {
        let mut export = export?;
        match export.part().await {
            Ok(part) => part.map(|text| (Ok(Bytes::from(text)), Some(export))),
            // Cutting the answer off is all that can still be said.
            Err(why) => Some((Err(why), None)),
        }
    });
    let whole = futures_util::stream::once(std::future::ready(Ok(begin))).chain(more);
    let mut response = Response::new(Body::from_stream(whole));
    let set = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8")),
        (header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"audit-log.csv\"")),
    ];
    response.headers_mut().extend(set);
    Ok(response)
}

/// An export on its way.
struct Export {
    ctx: Ctx,
    org: String,
    watch: Watch,
    /// The filter for what comes next, where there may be more.
    next: Option<Filter>,
    /// What the part that is being sent holds.
    held: Option<Held>,
}

impl Export {
    /// The next lines; none at the end. An error where whoever reads them may not read on, as far as anybody can tell: a file
    /// that ends early must not look like a whole one.
    async fn part(&mut self) -> Result<Option<String>> {
        // Whoever asks for the next part has taken the last one.
        self.held = None;
        let Some(filter) = self.next.take() else { return Ok(None) };
        let ended = || {
            Problem::new(StatusCode::FORBIDDEN).detail("whoever exports the audit log may no longer read it")
        };
        if !self.watch.holds().await {
            return Err(ended());
        }
        let (db, answers): (&Db, &Arc<Purse>) = (self.ctx.db(), &self.ctx.hub().answers);
        let Some(span) = find(db, &self.org, &filter, CHUNK, CHUNK_BYTES).await? else { return Ok(None) };
        // As it is kept, and as it is sent.
        let mut held = tokio::select! {
            held = answers.wait(2 * span.bytes) => held,
            () = self.watch.ended() => return Err(ended()),
        };
        let rows = read(db, &self.org, &filter, &span).await?;
        let text: String = rows.iter().map(csv).collect();
        // More than was asked for only where somebody doubles quotes in what is large already.
        held.settle(text.len());
        self.next = span.next().map(|last| Filter { before: Some(last.to_owned()), ..filter });
        self.held = Some(held);
        Ok(Some(text))
    }
}

/// One line. A value that a spreadsheet would take for a formula gets an apostrophe in front.
fn csv(row: &Row) -> String {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let cells = [
        row.time.clone(),
        row.event_type.clone(),
        row.actor_email.clone(),
        text(&row.plugin),
        text(&row.scope),
        text(&row.tenant_id),
        text(&row.from_state),
        text(&row.to_state),
        row.details.get().to_owned(),
    ];
    let quoted = cells.map(|cell| {
        let guard = if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
        format!("\"{guard}{}\"", cell.replace('"', "\"\""))
    });
    quoted.join(",") + "\r\n"
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;

    use super::*;
    use crate::testing::{App, Running};

    /// A host whose log has so many events besides its own, with a detail of so many bytes each.
    fn filled(events: u32, bytes: u32) -> Running {
        let app = App::new("demo").start();
        app.wait(async {
            let org: String = app.db().value("SELECT id FROM hub_orgs", args![]).await.unwrap();
            let sql = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)
                       INSERT INTO hub_audit_events (id, time, org_id, event_type, actor_id, actor_email, details)
                       SELECT printf('a-%08d', i), '2026-01-01T00:00:00Z', $2, 'filled', '', 'platform',
                              '{\"a\":\"' || printf('%.*c', $3, 'x') || '\"}' FROM n";
            app.db().execute(sql, args![events, org, bytes]).await.unwrap();
        });
        app
    }

    // S14
    #[test]
    fn s14_a_page_of_large_events_ends_at_its_bytes() {
        let app = filled(7, 900_000);
        let (mut seen, mut pages, mut before) = (0, 0, String::new());
        loop {
            let answer = app.begin(&format!("/api/audit/events?limit=500&event_type=filled{before}"));
            let bytes = app.wait(to_bytes(answer.into_body(), 3 << 20)).expect("no more than a page");
            let page: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
            let items = page["items"].as_array().unwrap();
            assert_eq!(items[0]["details"]["a"].as_str().map(str::len), Some(900_000));
            (seen, pages) = (seen + items.len(), pages + 1);
            match page["next"].as_str() {
                Some(next) => before = format!("&before={next}"),
                None => break,
            }
        }
        assert_eq!((seen, pages), (7, 4));
    }

    // S14
    #[test]
    fn s14_an_event_that_is_written_before_the_page_is_read_takes_no_others_place() {
        let app = filled(3, 10);
        app.wait(async {
            let db = app.db();
            let org: String = db.value("SELECT id FROM hub_orgs", args![]).await.unwrap();
            let event_type = Some("filled".to_owned());
            let filter = Filter { event_type, plugin: None, actor: None, before: None, limit: None };
            let span = find(db, &org, &filter, 10, 1 << 20).await.unwrap().unwrap();
            let newer =
                "INSERT INTO hub_audit_events (id, time, org_id, event_type, actor_id, actor_email, details)
                         VALUES ('a-00000004', '2026-01-01T00:00:00Z', $1, 'filled', '', 'platform', '{}')";
            db.execute(newer, args![&org]).await.unwrap();
            let rows = read(db, &org, &filter, &span).await.unwrap();
            let ids: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
            assert_eq!(ids, ["a-00000003", "a-00000002", "a-00000001"]);
            assert_eq!(span.next(), None);
        });
    }

    // S8
    #[test]
    fn s8_an_export_ends_with_the_session_of_whoever_reads_it() {
        let app = filled(2_000, 10);
        let path = "/api/audit/export?event_type=filled";
        let begin = || app.begin(path).into_body().into_data_stream();
        let mut whole = begin();
        let mut lines = 0;
        while let Some(part) = app.wait(whole.next()) {
            let part = part.unwrap();
            assert!(part.len() < 1 << 20, "{}", part.len());
            lines += part.iter().filter(|byte| **byte == b'\n').count();
        }
        assert_eq!(lines, 2_001);
        let mut broken_off = begin();
        assert!(app.wait(broken_off.next()).unwrap().is_ok());
        app.wait(async {
            let mut tx = app.db().begin().await.unwrap();
            tx.execute("DELETE FROM hub_sessions", args![]).await.unwrap();
            tx.announce().await.unwrap();
            tx.commit().await.unwrap();
            app.hub().live.refresh(app.db()).await.unwrap();
        });
        assert!(app.wait(broken_off.next()).unwrap().is_err(), "it is no whole file");
        assert!(app.wait(broken_off.next()).is_none());
    }

    // S14
    #[test]
    fn s14_exports_hold_their_part_of_the_memory() {
        let app = filled(2_000, 10);
        let free = || {
            let answers = &app.hub().answers;
            (0..).take_while(|parts| answers.take(parts * (64 << 10)).is_some()).last().unwrap_or_default()
        };
        let all = free();
        let mut parts = app.begin("/api/audit/export?event_type=filled").into_body().into_data_stream();
        assert!(app.wait(parts.next()).unwrap().is_ok());
        assert!(free() < all);
        drop(parts);
        assert_eq!(free(), all);
    }
}
