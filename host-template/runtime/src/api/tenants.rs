//! `/api/tenants`: the parts of the caller's organisation.

use serde::Deserialize;
use utoipa::ToSchema;

use crate::access::Admin;
use crate::audit::{self, Actor, Event};
use crate::ctx::Ctx;
use crate::extract::{Created, Json};
use crate::identity::{Tenant, near, store};
use crate::problem::{Problem, Result};
use crate::router::Router;
use crate::validate::{Check, tidy};

pub(super) fn router() -> Router {
    Router::new().routes(crate::routes!(list, create))
}

/// The tenants of the caller's organisation, by name.
#[utoipa::path(get, path = "/tenants", operation_id = "tenants_list", responses((status = 200, body = Vec<Tenant>)))]
async fn list(ctx: Ctx, Admin(caller): Admin) -> Result<Json<Vec<Tenant>>> {
    Ok(Json(store::tenants(ctx.db(), &caller.org().id).await?))
}

/// What a new tenant consists of.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewTenant {
    /// 1 to 100 characters, unique in the organisation.
    name: String,
}

/// Adds a tenant.
#[utoipa::path(
    post,
    path = "/tenants",
    operation_id = "tenants_create",
    request_body = NewTenant,
    responses((status = 201, body = Tenant)),
)]
async fn create(ctx: Ctx, Admin(caller): Admin, Json(new): Json<NewTenant>) -> Result<Created<Tenant>> {
    Check::new().name("name", &new.name, 1..=100).done()?;
    let name = &tidy(&new.name);
    let mut tx = ctx.db().begin().await?;
    let org = &caller.org().id;
    store::hold_org(&mut tx, org).await?;
    let there = store::tenant_names(&mut tx, org).await?;
    if let Some(twin) = near::twin(name, there.iter().map(String::as_str)) {
        return Err(Problem::name_taken("tenant", twin));
    }
    let (tenant, is_new) = store::ensure_tenant(&mut tx, org, name).await?;
    if !is_new {
        return Err(Problem::name_taken("tenant", name));
    }
    let event = Event { tenant: Some(&tenant.id), ..Event::new("tenant_created") };
    audit::record(&mut tx, org, &Actor::from(&caller), event.with("name", name.as_str())).await?;
    ctx.hub().live.commit(tx, ctx.db()).await?;
    Ok(Created { location: format!("/api/tenants/{}", tenant.id), body: tenant })
}
