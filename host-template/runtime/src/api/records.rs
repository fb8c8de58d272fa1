//! `/api/records`: an organisation's records, of whatever kind; samples that belong to none are everybody's.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::access::Allowed;
use crate::args;
use crate::ctx::Ctx;
use crate::extract::{Created, Json, Path};
use crate::page::{Page, Paged};
use crate::problem::{Problem, Result};
use crate::router::Router;
use crate::validate::Check;

crate::permission!(Read = "records.read", Write = "records.write");

pub(super) fn router() -> Router {
    Router::new().routes(crate::routes!(list, create)).routes(crate::routes!(read))
}

const STATUSES: &[&str] = &["open", "waiting", "done"];

/// A record.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Record {
    id: String,
    title: String,
    subtitle: Option<String>,
    /// `open`, `waiting` or `done`.
    status: String,
    /// Who made it: `api`, `sample`, or a plugin's slug.
    source: String,
    /// Whatever else there is to say.
    #[serde(with = "crate::db::json")]
    fields: Map<String, Value>,
    /// RFC 3339, in UTC.
    created_at: String,
}

/// What a new record consists of.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewRecord {
    /// 1 to 200 characters.
    title: String,
    subtitle: Option<String>,
    /// `open` unless told otherwise.
    #[serde(default = "open")]
    status: String,
    #[serde(default)]
    fields: Map<String, Value>,
}

fn open() -> String {
    STATUSES[0].to_owned()
}

impl NewRecord {
    fn check(&self) -> Result<()> {
        Check::new()
            .name("title", &self.title, 1..=200)
            .name("subtitle", self.subtitle.as_deref().unwrap_or_default(), 0..=200)
            .one_of("status", &self.status, STATUSES)
            .that("fields", self.fields.len() <= 50, "must have at most 50 entries")
            .done()
    }
}

/// The newest records first.
#[utoipa::path(
    get,
    path = "/records",
    operation_id = "records_list",
    params(Page),
    responses((status = 200, body = Paged<Record>)),
)]
async fn list(ctx: Ctx, caller: Allowed<Read>, page: Page) -> Result<Json<Paged<Record>>> {
    let items = ctx
        .db()
        .all(
            "SELECT id, title, subtitle, status, source, fields, created_at FROM hub_records
             WHERE (org_id IS NULL OR org_id = $1)
             ORDER BY created_at DESC, id DESC LIMIT $2 OFFSET $3",
            args![&caller.org().id, page.limit, page.offset],
        )
        .await?;
    let sql = "SELECT count(*) FROM hub_records WHERE (org_id IS NULL OR org_id = $1)";
    let total = ctx.db().value(sql, args![&caller.org().id]).await?;
    Ok(Json(page.of(items, total)))
}

/// One record.
#[utoipa::path(
    get,
    path = "/records/{id}",
    operation_id = "records_read",
    params(("id" = String, Path)),
    responses((status = 200, body = Record)),
)]
async fn read(ctx: Ctx, caller: Allowed<Read>, Path(id): Path<String>) -> Result<Json<Record>> {
    let record = ctx
        .db()
        .one(
            "SELECT id, title, subtitle, status, source, fields, created_at FROM hub_records
             WHERE id = $1 AND (org_id IS NULL OR org_id = $2)",
            args![&id, &caller.org().id],
        )
        .await?;
    record.map(Json).ok_or_else(|| Problem::not_found(format!("there is no record `{id}`")))
}

/// Adds a record.
#[utoipa::path(
    post,
    path = "/records",
    operation_id = "records_create",
    request_body = NewRecord,
    responses((status = 201, body = Record)),
)]
async fn create(ctx: Ctx, caller: Allowed<Write>, Json(new): Json<NewRecord>) -> Result<Created<Record>> {
    new.check()?;
    let record = Record {
        id: crate::new_id(),
        title: new.title.trim().to_owned(),
        subtitle: new.subtitle,
        status: new.status,
        source: "api".to_owned(),
        fields: new.fields,
        created_at: crate::now(),
    };
    ctx.db()
        .execute(
            "INSERT INTO hub_records (id, title, subtitle, status, source, fields, created_at, org_id)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            args![
                &record.id,
                &record.title,
                record.subtitle.as_ref(),
                &record.status,
                &record.source,
                &record.fields,
                &record.created_at,
                &caller.org().id
            ],
        )
        .await?;
    Ok(Created { location: format!("/api/records/{}", record.id), body: record })
}
