//! `GET /api/_demo/ping`.

use hub::prelude::*;

/// Mounted by the line in `plugin.yaml`.
#[hub::router]
pub fn router() -> Router {
    Router::new().routes(routes!(ping))
}

/// Says that the plugin is there.
#[utoipa::path(get, path = "/ping", responses((status = 200, body = String)))]
async fn ping() -> Json<&'static str> {
    Json("pong")
}
