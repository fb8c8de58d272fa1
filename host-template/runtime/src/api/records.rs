//! `/api/records`: an organisation's records, of whatever kind; samples that belong to none are everybody's.

use hub_manifest::limits::{Limit, Limits};
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::access::Allowed;
use crate::args;
use crate::ctx::Ctx;
use crate::db::{Db, Error, Tx};
use crate::extract::{Created, Json, Path};
use crate::page::{Page, Paged};
use crate::problem::{Problem, Result};
use crate::router::Router;
use crate::validate::{Check, tidy};

crate::permission!(Read = "records.read", Write = "records.write");

pub(super) fn router() -> Router {
    Router::new().routes(crate::routes!(list, create)).routes(crate::routes!(read))
}

const STATUSES: &[&str] = &["open", "waiting", "done"];

/// The samples of the first migration: identifier, title, subtitle, status, fields, time.
type Sample = (&'static str, &'static str, &'static str, &'static str, &'static str, &'static str);

const SAMPLES: [Sample; 3] = [
    (
        "sample-1",
        "Northwind Clinics",
        "Renewal of the service contract",
        "open",
        r#"{"owner":"Ada Brandt","value":48000,"region":"North"}"#,
        "2026-01-12T08:30:00Z",
    ),
    (
        "sample-2",
        "Harbour Logistics",
        "Quarterly review",
        "done",
        r#"{"owner":"Noah Silva","value":12500,"region":"Coast"}"#,
        "2026-01-15T13:05:00Z",
    ),
    (
        "sample-3",
        "Alder Street Practice",
        "First call",
        "waiting",
        r#"{"owner":"Mei Tanaka","value":7300,"region":"City"}"#,
        "2026-01-19T10:45:00Z",
    ),
];

/// Sees that the samples are there, for a demonstration, or are not: a migration of the first release has put them into
/// every database.
pub(crate) async fn samples(db: &Db, shown: bool) -> std::result::Result<(), Error> {
    let sql = "SELECT count(*) FROM hub_records WHERE source = 'sample' AND org_id IS NULL";
    let there: i64 = db.value(sql, args![]).await?;
    if !shown && there > 0 {
        let sql = "DELETE FROM hub_records WHERE source = 'sample' AND org_id IS NULL";
        db.execute(sql, args![]).await?;
    }
    if shown && there == 0 {
        for (id, title, subtitle, status, fields, at) in SAMPLES {
            db.execute(
                "INSERT INTO hub_records (id, title, subtitle, status, source, fields, created_at)
                 VALUES ($1, $2, $3, $4, 'sample', $5, $6) ON CONFLICT DO NOTHING",
                args![id, title, subtitle, status, fields, at],
            )
            .await?;
        }
    }
    Ok(())
}

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
    #[schema(value_type = Map<String, Value>)]
    fields: Box<RawValue>,
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
    fn check(&self, limits: &Limits) -> Result<()> {
        Check::new()
            .name("title", &self.title, 1..=200)
            .name("subtitle", self.subtitle.as_deref().unwrap_or_default(), 0..=200)
            .one_of("status", &self.status, STATUSES)
            .that("fields", self.fields.len() <= 50, "must have at most 50 entries")
            .visible("fields", &self.fields)
            .size("fields", &self.fields, limits.size(Limit::FieldBytes))
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
    let org = &caller.org().id;
    // Of one moment: a record that is added meanwhile would move the others, and be measured by another one's size.
    let mut tx = ctx.db().begin_to_read().await?;
    let (total, part) = fitting(&mut tx, org, page, ctx.hub().limits.get(Limit::PageBytes)).await?;
    // Last of all the rows, so that nothing is waited for with them in hand.
    let items = rows(&mut tx, org, part).await?;
    drop(tx);
    Ok(Json(page.of(items, total)))
}

/// How many records there are, and how much of a page has no more than so many bytes. By their sizes: what does not fit is never
/// in memory.
async fn fitting(tx: &mut Tx, org: &str, page: Page, most: u64) -> std::result::Result<(u64, Page), Error> {
    let sql = "SELECT count(*) FROM hub_records WHERE (org_id IS NULL OR org_id = $1)";
    let total = tx.value(sql, args![org]).await?;
    let sizes: Vec<(i64,)> = tx
        .all(
            "SELECT octet_length(fields) + 512 FROM hub_records
             WHERE (org_id IS NULL OR org_id = $1)
             ORDER BY created_at DESC, id DESC LIMIT $2 OFFSET $3",
            args![org, page.limit, page.offset],
        )
        .await?;
    let sizes: Vec<u64> = sizes.into_iter().map(|(size,)| size.unsigned_abs()).collect();
    Ok((total, page.within(most, &sizes)))
}

async fn rows(tx: &mut Tx, org: &str, part: Page) -> std::result::Result<Vec<Record>, Error> {
    tx.all(
        "SELECT id, title, subtitle, status, source, fields, created_at FROM hub_records
         WHERE (org_id IS NULL OR org_id = $1)
         ORDER BY created_at DESC, id DESC LIMIT $2 OFFSET $3",
        args![org, part.limit, part.offset],
    )
    .await
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
    new.check(&ctx.hub().limits)?;
    let record = Record {
        id: crate::new_id(),
        title: tidy(&new.title),
        subtitle: new.subtitle.map(|text| tidy(&text)),
        status: new.status,
        source: "api".to_owned(),
        fields: to_raw_value(&new.fields).map_err(Problem::internal)?,
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
                record.fields.get(),
                &record.created_at,
                &caller.org().id
            ],
        )
        .await?;
    Ok(Created { location: format!("/api/records/{}", record.id), body: record })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    // S14
    #[tokio::test]
    async fn s14_a_page_of_records_is_of_one_moment() {
        let folder = Scratch::new("records");
        let db = Db::open_sqlite(&folder.join("hub.db")).await.unwrap();
        let table = "CREATE TABLE hub_records (id TEXT, title TEXT, subtitle TEXT, status TEXT, source TEXT, fields TEXT,
                     created_at TEXT, org_id TEXT)";
        db.execute(table, args![]).await.unwrap();
        let add = async |id: &str, fields: String| {
            let sql = "INSERT INTO hub_records (id, title, status, source, fields, created_at, org_id)
                       VALUES ($1, 't', 'open', 'api', $2, $1, 'o')";
            db.execute(sql, args![id, fields]).await.unwrap();
        };
        add("1", "{}".to_owned()).await;
        let page = Page { limit: 50, offset: 0 };
        let mut tx = db.begin_to_read().await.unwrap();
        let (total, part) = fitting(&mut tx, "o", page, 10_000).await.unwrap();
        // It would come first, and is larger than the page.
        add("2", format!("{{\"a\":\"{}\"}}", "x".repeat(20_000))).await;
        let items = rows(&mut tx, "o", part).await.unwrap();
        drop(tx);
        let ids: Vec<&str> = items.iter().map(|record| record.id.as_str()).collect();
        assert_eq!((total, part.limit, ids), (1, 1, vec!["1"]));
        let mut tx = db.begin_to_read().await.unwrap();
        assert_eq!(fitting(&mut tx, "o", page, 10_000).await.unwrap().0, 2);
        drop(tx);
        db.close().await;
    }
}
