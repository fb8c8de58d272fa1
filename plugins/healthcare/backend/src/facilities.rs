//! `/api/healthcare/facilities`: hospitals, clinics and practices.

use hub::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{Read, Write};

/// Mounted by the line in `plugin.yaml`.
#[hub::router]
pub fn router() -> Router {
    Router::new().routes(routes!(list, create)).routes(routes!(read))
}

const KINDS: &[&str] = &["hospital", "clinic", "practice"];

/// A place where patients are treated.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Facility {
    id: String,
    name: String,
    /// `hospital`, `clinic` or `practice`.
    kind: String,
    city: String,
    beds: u32,
    /// RFC 3339, in UTC.
    created_at: String,
}

/// What a new facility consists of.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewFacility {
    name: String,
    kind: String,
    city: String,
    #[serde(default)]
    beds: u32,
}

/// Which facilities are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Filter {
    /// `hospital`, `clinic` or `practice`.
    kind: Option<String>,
}

/// Facilities by name.
#[utoipa::path(get, path = "/facilities", params(Filter, Page), responses((status = 200, body = Paged<Facility>)))]
async fn list(
    ctx: Ctx,
    caller: Allowed<Read>,
    Query(filter): Query<Filter>,
    page: Page,
) -> Result<Json<Paged<Facility>>> {
    let kind = filter.kind.as_deref();
    if let Some(kind) = kind {
        Check::new().one_of("kind", kind, KINDS).done()?;
    }
    let items = ctx
        .db()
        .all(
            "SELECT id, name, kind, city, beds, created_at FROM plugin_healthcare_facilities
             WHERE (org_id IS NULL OR org_id = $1) AND (CAST($2 AS TEXT) IS NULL OR kind = $2)
             ORDER BY name, id LIMIT $3 OFFSET $4",
            args![&caller.org().id, kind, page.limit, page.offset],
        )
        .await?;
    let total = ctx
        .db()
        .value(
            "SELECT count(*) FROM plugin_healthcare_facilities
             WHERE (org_id IS NULL OR org_id = $1) AND (CAST($2 AS TEXT) IS NULL OR kind = $2)",
            args![&caller.org().id, kind],
        )
        .await?;
    Ok(Json(page.of(items, total)))
}

/// One facility.
#[utoipa::path(get, path = "/facilities/{id}", params(("id" = String, Path)), responses((status = 200, body = Facility)))]
async fn read(ctx: Ctx, caller: Allowed<Read>, Path(id): Path<String>) -> Result<Json<Facility>> {
    let found = ctx
        .db()
        .one(
            "SELECT id, name, kind, city, beds, created_at FROM plugin_healthcare_facilities
             WHERE id = $1 AND (org_id IS NULL OR org_id = $2)",
            args![&id, &caller.org().id],
        )
        .await?;
    found.map(Json).ok_or_else(|| Problem::not_found(format!("there is no facility `{id}`")))
}

/// Adds a facility.
#[utoipa::path(post, path = "/facilities", request_body = NewFacility, responses((status = 201, body = Facility)))]
async fn create(ctx: Ctx, caller: Allowed<Write>, Json(new): Json<NewFacility>) -> Result<Created<Facility>> {
    Check::new()
        .name("name", &new.name, 1..=200)
        .one_of("kind", &new.kind, KINDS)
        .name("city", &new.city, 1..=100)
        .range("beds", new.beds, 0..=10_000)
        .done()?;
    let facility = Facility {
        id: hub::new_id(),
        name: new.name.trim().to_owned(),
        kind: new.kind,
        city: new.city.trim().to_owned(),
        beds: new.beds,
        created_at: hub::now(),
    };
    ctx.db()
        .execute(
            "INSERT INTO plugin_healthcare_facilities (id, name, kind, city, beds, created_at, org_id)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
            args![
                &facility.id,
                &facility.name,
                &facility.kind,
                &facility.city,
                facility.beds,
                &facility.created_at,
                &caller.org().id
            ],
        )
        .await?;
    Ok(Created { location: format!("/api/healthcare/facilities/{}", facility.id), body: facility })
}
