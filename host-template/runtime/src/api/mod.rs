//! The platform's own routes, under `/api`.

mod audit;
mod auth;
mod connectors;
mod dashboards;
mod dbt;
mod docs;
mod groups;
mod health;
mod members;
mod plugins;
mod records;
mod session;
mod tenants;

pub(crate) use plugins::plugin_views;

use crate::db::Db;
use crate::db::migrate::Migration;
use crate::router::{Router, get};

/// All of them; `dev` adds what reloads the page.
pub(crate) fn router(dev: bool) -> Router {
    let router = Router::new()
        .merge(health::router())
        .merge(auth::router())
        .merge(plugins::router())
        .merge(session::router())
        .merge(audit::router())
        .merge(tenants::router())
        .merge(members::router())
        .merge(groups::router())
        .merge(dbt::router())
        .merge(dashboards::router())
        .merge(records::router())
        .merge(connectors::router())
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
    let public = |below: &str| below == "/health" || below == auth::LOGIN || docs::PATHS.contains(&below);
    path.strip_prefix("/api").is_some_and(|below| public(below) || below.starts_with("/_dev/"))
}

/// SQL of the platform's own tables, in order: what both engines understand, and what each has a word of its own for.
const MIGRATIONS: &[(&str, &str, [&str; 2])] = &[
    ("0001_records.sql", include_str!("../../migrations/0001_records.sql"), ["", ""]),
    ("0002_identity.sql", include_str!("../../migrations/0002_identity.sql"), ["", ""]),
    ("0003_enablement.sql", include_str!("../../migrations/0003_enablement.sql"), ["", ""]),
    (
        "0004_audit.sql",
        include_str!("../../migrations/0004_audit.sql"),
        [
            include_str!("../../migrations/0004_audit.sqlite.sql"),
            include_str!("../../migrations/0004_audit.postgres.sql"),
        ],
    ),
    ("0005_records_of_orgs.sql", include_str!("../../migrations/0005_records_of_orgs.sql"), ["", ""]),
    ("0006_runs.sql", include_str!("../../migrations/0006_runs.sql"), ["", ""]),
];

/// The same for the engine of this database.
pub(crate) fn migrations(db: &Db) -> Vec<Migration> {
    let engine = match db {
        Db::Sqlite(_) => 0,
        Db::Postgres(_) => 1,
    };
    MIGRATIONS
        .iter()
        .map(|(name, both, own)| Migration {
            name: (*name).to_owned(),
            sql: format!("{both}{}", own[engine]),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use hub_manifest::grammar::PLATFORM_PERMISSIONS;

    /// An admin who grants a permission believes that it protects something.
    #[test]
    fn every_permission_of_the_platform_gates_something() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/api");
        let sources: String = fs::read_dir(folder)
            .unwrap()
            .map(|file| fs::read_to_string(file.unwrap().path()).unwrap_or_default())
            .collect();
        for permission in PLATFORM_PERMISSIONS {
            assert!(sources.contains(&format!(" = \"{permission}\"")), "no route asks for {permission}");
        }
    }
}
