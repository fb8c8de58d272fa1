//! The platform's own routes, under `/api`.

mod audit;
mod auth;
mod connectors;
mod dashboards;
mod dbt;
mod docs;
mod groups;
mod health;
mod invitations;
mod members;
mod plugins;
mod records;
pub(crate) use records::samples;
mod session;
mod tenants;

pub(crate) use docs::describe;
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
        .merge(invitations::router())
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
    ("0007_invitations.sql", include_str!("../../migrations/0007_invitations.sql"), ["", ""]),
    ("0010_runs_of_many.sql", include_str!("../../migrations/0010_runs_of_many.sql"), ["", ""]),
    ("0013_runs_of_dbt.sql", include_str!("../../migrations/0013_runs_of_dbt.sql"), ["", ""]),
    ("0016_lives_of_hosts.sql", include_str!("../../migrations/0016_lives_of_hosts.sql"), ["", ""]),
    (
        "0019_origins_of_switches.sql",
        include_str!("../../migrations/0019_origins_of_switches.sql"),
        [
            include_str!("../../migrations/0019_origins_of_switches.sqlite.sql"),
            include_str!("../../migrations/0019_origins_of_switches.postgres.sql"),
        ],
    ),
];

/// The last migration of each release, the oldest first. What follows the last one belongs to the release that is being
/// made. A release's migrations may do as they like with what they made themselves, and leave to the release before all
/// that it knows: a test holds them to it. The first release has none before it.
#[cfg(test)]
const RELEASED: &[(&str, &str)] = &[("0.1.0", "0006_runs.sql")];

/// The same for the engine of this database.
pub(crate) fn migrations(db: &Db) -> Vec<Migration> {
    let engine = usize::from(db.is_postgres());
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

    use super::*;
    use crate::db::Tx;
    use crate::db::migrate::{self, Owner};
    use crate::db::schema::Schema;

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

    /// Runs the migrations release by release; what each takes away from the one before it.
    async fn taken_away(tx: &mut Tx, owner: Owner<'_>, all: &[Migration], last: &[&str]) -> Vec<String> {
        let mut taken = Vec::new();
        let mut from = 0;
        let mut before: Option<Schema> = None;
        let ends = last.iter().map(|last| all.iter().position(|m| m.name == *last).expect(last) + 1);
        for end in ends.chain([all.len()]) {
            migrate::run_in(tx, owner, &all[..end]).await.unwrap();
            let after = Schema::read(tx).await.unwrap();
            if let Some(before) = before {
                let names: Vec<&str> = all[from..end].iter().map(|m| m.name.as_str()).collect();
                taken.extend(before.taken_away(&after).into_iter().map(|text| format!("{names:?}: {text}")));
            }
            (before, from) = (Some(after), end);
        }
        taken
    }

    /// After a rollback, and while a cluster is upgraded, a release works on the database of the next one.
    #[tokio::test]
    async fn the_release_before_can_work_with_every_migration() {
        let fresh = async || {
            let mut tx = Db::open_memory().await.unwrap().begin().await.unwrap();
            migrate::prepare_in(&mut tx).await.unwrap();
            tx
        };
        let mut tx = fresh().await;
        let newest = RELEASED.last().map(|(version, _)| *version);
        assert_eq!(
            newest,
            Some(env!("CARGO_PKG_VERSION")),
            "add the new version with its last migration to RELEASED"
        );
        let last: Vec<&str> = RELEASED.iter().map(|(_, last)| *last).collect();
        let none: [String; 0] = [];
        let all = migrations(&Db::open_memory().await.unwrap());
        assert_eq!(taken_away(&mut tx, Owner::Platform, &all, &last).await, none);
        // The plugins of the repository, which are of its releases too. Their copies in a build are not looked at.
        let plugins = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins");
        for (slug, last) in
            [("crm", "0002_of_organisations.sql"), ("healthcare", "0002_of_organisations.sql")]
        {
            let folder = plugins.join(slug).join("migrations");
            if !folder.is_dir() {
                continue;
            }
            let all = migrate::read_folder(&folder).unwrap();
            assert_eq!(taken_away(&mut tx, Owner::Plugin(slug), &all, &[last]).await, none);
        }
        // And it is found out where one does not keep to it.
        let mut wrong = all;
        let sql = "-- hub: removes hub_records\nALTER TABLE hub_records DROP COLUMN subtitle".to_owned();
        wrong.push(Migration { name: "0999_wrong.sql".to_owned(), sql });
        let found = taken_away(&mut fresh().await, Owner::Platform, &wrong, &last).await;
        let [found] = found.as_slice() else { panic!("{found:?}") };
        assert!(
            found.ends_with(r#""0999_wrong.sql"]: the column `hub_records.subtitle` is gone"#),
            "{found}"
        );
    }
}
