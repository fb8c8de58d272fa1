//! `GET /api/openapi.json`, and `GET /api/docs`, a page that shows it and needs no other host.

use axum::body::Bytes;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};

use crate::base::Base;
use crate::ctx::Ctx;
use crate::extract::json_response;
use crate::mount::Mounted;
use crate::openapi;
use crate::registry::Registry;
use crate::router::{Router, get};
use crate::web::headers;

pub(super) fn router() -> Router {
    Router::new()
        .route("/openapi.json", get(description))
        .route("/docs", get(page))
        .route("/docs/docs.js", get(script))
        .route("/docs/docs.css", get(style))
}

/// Made when first asked for: nobody waits for it at start.
async fn description(ctx: Ctx) -> Response {
    let hub = ctx.hub();
    json_response(hub.description.text(&hub.live.snapshot().registry))
}

/// The text of it, for routes that are served below a base path.
pub(crate) fn describe(version: &str, routes: &[Mounted], base: &Base, registry: &Registry) -> Bytes {
    let mut document = openapi::document(version, routes, &|route| route.is_public(registry));
    if !base.is_root() {
        document["servers"] = serde_json::json!([{ "url": base.prefix() }]);
    }
    Bytes::from(document.to_string())
}

async fn page() -> Response {
    file("text/html; charset=utf-8", include_str!("docs/index.html"))
}

async fn script() -> Response {
    file("text/javascript; charset=utf-8", include_str!("docs/docs.js"))
}

async fn style() -> Response {
    file("text/css; charset=utf-8", include_str!("docs/docs.css"))
}

fn file(kind: &'static str, text: &'static str) -> Response {
    let mut response = text.into_response();
    headers::secure(response.headers_mut(), kind.starts_with("text/html"));
    let set: [(HeaderName, HeaderValue); 2] = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    response.headers_mut().extend(set);
    response
}
