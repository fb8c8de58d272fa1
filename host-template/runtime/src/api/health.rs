//! `GET /api/health`: that the host answers, and what it is.

use serde::Serialize;
use utoipa::ToSchema;

use crate::ctx::Ctx;
use crate::extract::Json;
use crate::registry::Counts;
use crate::router::Router;

pub(super) fn router() -> Router {
    Router::new().routes(crate::routes!(health))
}

/// The host's state.
#[derive(Serialize, ToSchema)]
pub(crate) struct Health {
    /// `ok` while the host answers.
    status: &'static str,
    /// Version of the platform.
    version: String,
    /// A word that changes with every start of the host: who restarts it knows by it which one answers.
    run: String,
    plugins: Counts,
}

/// That the host answers, its version, and how many plugins it has.
#[utoipa::path(get, path = "/health", responses((status = 200, body = Health)))]
async fn health(ctx: Ctx) -> Json<Health> {
    let hub = ctx.hub();
    Json(Health {
        status: "ok",
        version: hub.version.clone(),
        run: hub.started.clone(),
        plugins: hub.counts(),
    })
}
