//! `GET /api/_demo/ping`, which anybody may ask, and the same behind the sign-in.

use hub::prelude::*;

/// Mounted by the line in `plugin.yaml`.
#[hub::router]
pub fn router() -> Router {
    Router::new().routes(routes!(ping)).routes(routes!(signed_in_ping))
}

/// Says that the plugin is there.
#[utoipa::path(get, path = "/ping", responses((status = 200, body = String, content_type = "application/json")))]
async fn ping() -> Json<&'static str> {
    Json("pong")
}

/// Says so to those for whom the plugin is enabled.
#[utoipa::path(get, path = "/signed-in-ping", responses((status = 200, body = String, content_type = "application/json")))]
async fn signed_in_ping() -> Json<&'static str> {
    Json("pong")
}
