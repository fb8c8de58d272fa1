//! `/api/healthcare/records`: patient records, each at one facility.

use hub::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{Read, Write};

/// Mounted by the line in `plugin.yaml`.
#[hub::router]
pub fn router() -> Router {
    Router::new().routes(routes!(list, create)).routes(routes!(read))
}

const STATUSES: &[&str] = &["admitted", "outpatient", "discharged"];

/// A patient's record.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Record {
    id: String,
    patient: String,
    /// As a clerk enters it, such as `J45.9 Asthma`.
    diagnosis: String,
    /// `admitted`, `outpatient` or `discharged`.
    status: String,
    facility_id: String,
    facility: String,
    /// RFC 3339, in UTC.
    created_at: String,
}

/// What a new record consists of.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRecord {
    patient: String,
    diagnosis: String,
    /// `outpatient` unless told otherwise.
    #[serde(default = "outpatient")]
    status: String,
    /// Identifier of a facility.
    facility_id: String,
}

fn outpatient() -> String {
    "outpatient".to_owned()
}

/// Which records are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Filter {
    /// `admitted`, `outpatient` or `discharged`.
    status: Option<String>,
    /// Identifier of a facility.
    facility_id: Option<String>,
}

/// Patient records, the newest first.
#[utoipa::path(get, path = "/records", params(Filter, Page), responses((status = 200, body = Paged<Record>)))]
async fn list(
    ctx: Ctx,
    caller: Allowed<Read>,
    Query(filter): Query<Filter>,
    page: Page,
) -> Result<Json<Paged<Record>>> {
    if let Some(status) = &filter.status {
        Check::new().one_of("status", status, STATUSES).done()?;
    }
    let Filter { status, facility_id } = filter;
    let items = ctx
        .db()
        .all(
            "SELECT r.id, r.patient, r.diagnosis, r.status, r.facility_id, f.name AS facility, r.created_at
             FROM plugin_healthcare_records r JOIN plugin_healthcare_facilities f ON f.id = r.facility_id
             WHERE (r.org_id IS NULL OR r.org_id = $1)
               AND (CAST($2 AS TEXT) IS NULL OR r.status = $2)
               AND (CAST($3 AS TEXT) IS NULL OR r.facility_id = $3)
             ORDER BY r.created_at DESC, r.id DESC LIMIT $4 OFFSET $5",
            args![&caller.org().id, status.as_ref(), facility_id.as_ref(), page.limit, page.offset],
        )
        .await?;
    let total = ctx
        .db()
        .value(
            "SELECT count(*) FROM plugin_healthcare_records
             WHERE (org_id IS NULL OR org_id = $1)
               AND (CAST($2 AS TEXT) IS NULL OR status = $2)
               AND (CAST($3 AS TEXT) IS NULL OR facility_id = $3)",
            args![&caller.org().id, status, facility_id],
        )
        .await?;
    Ok(Json(page.of(items, total)))
}

/// One patient's record.
#[utoipa::path(get, path = "/records/{id}", params(("id" = String, Path)), responses((status = 200, body = Record)))]
async fn read(ctx: Ctx, caller: Allowed<Read>, Path(id): Path<String>) -> Result<Json<Record>> {
    find(&ctx, &caller, &id).await.map(Json)
}

async fn find(ctx: &Ctx, caller: &Caller, id: &str) -> Result<Record> {
    let found = ctx
        .db()
        .one(
            "SELECT r.id, r.patient, r.diagnosis, r.status, r.facility_id, f.name AS facility, r.created_at
             FROM plugin_healthcare_records r JOIN plugin_healthcare_facilities f ON f.id = r.facility_id
             WHERE r.id = $1 AND (r.org_id IS NULL OR r.org_id = $2)",
            args![id, &caller.org().id],
        )
        .await?;
    found.ok_or_else(|| Problem::not_found(format!("there is no patient record `{id}`")))
}

/// Adds a patient's record.
#[utoipa::path(post, path = "/records", request_body = NewRecord, responses((status = 201, body = Record)))]
async fn create(ctx: Ctx, caller: Allowed<Write>, Json(new): Json<NewRecord>) -> Result<Created<Record>> {
    let facilities: u32 = ctx
        .db()
        .value(
            "SELECT count(*) FROM plugin_healthcare_facilities WHERE id = $1 AND (org_id IS NULL OR org_id = $2)",
            args![&new.facility_id, &caller.org().id],
        )
        .await?;
    Check::new()
        .name("patient", &new.patient, 1..=200)
        .text("diagnosis", &new.diagnosis, 1..=500)
        .one_of("status", &new.status, STATUSES)
        .that("facility_id", facilities == 1, "must be the identifier of a facility")
        .done()?;
    let id = hub::new_id();
    ctx.db()
        .execute(
            "INSERT INTO plugin_healthcare_records (id, patient, diagnosis, status, facility_id, created_at, org_id)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
            args![
                &id,
                new.patient.trim(),
                new.diagnosis.trim(),
                new.status,
                new.facility_id,
                hub::now(),
                &caller.org().id
            ],
        )
        .await?;
    let body = find(&ctx, &caller, &id).await?;
    Ok(Created { location: format!("/api/healthcare/records/{id}"), body })
}
