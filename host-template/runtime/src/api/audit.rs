//! `GET /api/audit/events`: who did what in the caller's organisation.

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use crate::access::Allowed;
use crate::args;
use crate::ctx::Ctx;
use crate::db::{AssertSqlSafe, Db, Error};
use crate::extract::{Json, Query};
use crate::identity::Address;
use crate::page::{Part, checked_limit};
use crate::problem::Result;
use crate::router::Router;

crate::permission!(Read = "audit.read");

pub(super) fn router() -> Router {
    Router::new().routes(crate::routes!(events)).routes(crate::routes!(export))
}

/// Rows of an export that are read at a time.
const CHUNK: u32 = 1_000;

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
    details: Map<String, Value>,
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
    details: Map<String, Value>,
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
    let rows = read(ctx.db(), &caller.org().id, &filter, limit + 1).await?;
    Ok(Json(Part::of(rows, limit, |row| &row.id)))
}

/// So many events before `filter.before`. Only the conditions that are asked for stand in the SQL: each has its index,
/// which an `OR` with a parameter would keep the database from using.
async fn read(db: &Db, org: &str, filter: &Filter, limit: u32) -> Result<Vec<Row>, Error> {
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
    args.push(limit.into());
    let sql = format!(
        "SELECT id, time, event_type, actor_id, actor_email, plugin, scope, tenant_id, from_state, to_state, details
         FROM hub_audit_events WHERE org_id = $1{conditions} ORDER BY id DESC LIMIT ${}",
        args.len()
    );
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
    let (db, org) = (ctx.db().clone(), caller.org().id.clone());
    // The first part before the answer begins: what is wrong can still be said then.
    let first = read(&db, &org, &filter, CHUNK).await?;
    let head = "time,event_type,actor,plugin,scope,tenant,from,to,details\r\n".to_owned();
    let begin = first.iter().fold(head, |text, row| text + &csv(row));
    let next = rest(&first, filter);
    let more = futures_util::stream::unfold(next, move |filter| {
        let (db, org) = (db.clone(), org.clone());
        async move {
            let filter = filter?;
            let rows = match read(&db, &org, &filter, CHUNK).await {
                Ok(rows) => rows,
                // Cutting the answer off is all that can still be said.
                Err(error) => return Some((Err(error), None)),
            };
            let text: String = rows.iter().map(csv).collect();
            Some((Ok(Bytes::from(text)), rest(&rows, filter)))
        }
    });
    let whole = futures_util::stream::once(std::future::ready(Ok(Bytes::from(begin)))).chain(more);
    let mut response = Response::new(Body::from_stream(whole));
    let set = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8")),
        (header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"audit-log.csv\"")),
    ];
    response.headers_mut().extend(set);
    Ok(response)
}

/// The filter for what comes after these rows, where there may be more.
fn rest(rows: &[Row], filter: Filter) -> Option<Filter> {
    let last = rows.last().filter(|_| rows.len() == CHUNK as usize)?;
    Some(Filter { before: Some(last.id.clone()), ..filter })
}

/// One line. A value that a spreadsheet would take for a formula gets an apostrophe in front.
fn csv(row: &Row) -> String {
    let details = Value::Object(row.details.clone()).to_string();
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
        details,
    ];
    let quoted = cells.map(|cell| {
        let guard = if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
        format!("\"{guard}{}\"", cell.replace('"', "\"\""))
    });
    quoted.join(",") + "\r\n"
}
