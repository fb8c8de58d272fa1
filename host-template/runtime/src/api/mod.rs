//! The platform's own routes, under `/api`.

mod docs;
mod health;
mod plugins;
mod records;
mod session;

pub(crate) use plugins::plugin_views;

use crate::router::{Router, get};

/// All of them; `dev` adds what reloads the page.
pub(crate) fn router(dev: bool) -> Router {
    let router = Router::new()
        .merge(health::router())
        .merge(plugins::router())
        .merge(session::router())
        .merge(records::router())
        .merge(docs::router());
    if dev {
        router
            .route("/_dev/events", get(crate::web::dev::events))
            .route("/_dev/reload.js", get(crate::web::dev::script))
    } else {
        router
    }
}

/// Whether one of the platform's own routes answers anonymous callers.
pub(crate) fn is_public(path: &str) -> bool {
    path == "/api/health" || docs::PATHS.iter().any(|below| path.strip_prefix("/api") == Some(below))
}

/// SQL of the platform's own tables, in order.
pub(crate) const MIGRATIONS: &[(&str, &str)] =
    &[("0001_records.sql", include_str!("../../migrations/0001_records.sql"))];
