//! SQL migrations, of the platform and of each plugin: each file once, with the checksum of its text; what is to run
//! runs in one transaction.

use std::fs;
use std::path::Path;

use hub_manifest::migrations::{Foreign, Unordered, foreign, in_order, table_prefix};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::{Db, Error, Tx};
use crate::args;

/// One migration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migration {
    /// File name, such as `0001_records.sql`; the number in front of it sets the order.
    pub name: String,
    /// Several statements, separated by `;`.
    pub sql: String,
}

/// Whose tables they are.
#[derive(Debug, Clone, Copy)]
pub enum Owner<'a> {
    /// The platform: its tables are named as it likes.
    Platform,
    /// A plugin: its tables are named `plugin_<slug>_*`.
    Plugin(&'a str),
}

impl Owner<'_> {
    fn key(&self) -> &str {
        match self {
            // No slug has parentheses.
            Owner::Platform => "(platform)",
            Owner::Plugin(slug) => slug,
        }
    }
}

/// The migrations of a folder, in order.
pub fn read_folder(folder: &Path) -> Result<Vec<Migration>, String> {
    let shown = folder.display();
    let entries = fs::read_dir(folder).map_err(|e| format!("cannot read the migrations in {shown}: {e}"))?;
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|e| format!("cannot read the migrations in {shown}: {e}"))?;
        names.extend(entry.file_name().into_string().ok());
    }
    let (order, unordered) = in_order(names);
    match unordered.first() {
        Some(Unordered::NoNumber(name)) => {
            return Err(format!(
                "migration {name} has no number: name it like 0001_what_it_does.sql, so that the order is clear"
            ));
        }
        Some(Unordered::SameNumber(first, second)) => {
            return Err(format!("migrations {first} and {second} have the same number"));
        }
        None => {}
    }
    let read = |name: String| match fs::read_to_string(folder.join(&name)) {
        Ok(sql) => Ok(Migration { name, sql }),
        Err(e) => Err(format!("cannot read the migration {}: {e}", folder.join(&name).display())),
    };
    order.into_iter().map(read).collect()
}

#[derive(Deserialize)]
struct Applied {
    name: String,
    checksum: String,
}

const TABLE: &str = "CREATE TABLE IF NOT EXISTS hub_plugin_migrations (
    plugin TEXT NOT NULL,
    name TEXT NOT NULL,
    checksum TEXT NOT NULL,
    applied_at TEXT NOT NULL,
    PRIMARY KEY (plugin, name)
)";

/// Makes the table that remembers what ran.
pub async fn prepare(db: &Db) -> Result<(), Error> {
    let mut tx = db.begin().await?;
    prepare_in(&mut tx).await?;
    tx.commit().await
}

/// The same as part of a transaction.
pub(crate) async fn prepare_in(tx: &mut Tx) -> Result<(), Error> {
    tx.one_migrator().await?;
    tx.execute(TABLE, args![]).await.map(drop)
}

/// Runs what has not run yet, all of it or nothing; gives the number of files that it ran. The error says which file
/// and why.
pub async fn run(db: &Db, owner: Owner<'_>, migrations: &[Migration]) -> Result<usize, String> {
    let text = |e: Error| format!("cannot run migrations: {e}");
    let mut tx = db.begin().await.map_err(text)?;
    let ran = run_in(&mut tx, owner, migrations).await?;
    tx.commit().await.map_err(text)?;
    Ok(ran)
}

/// The same as part of a transaction, for what may only happen together with it.
pub(crate) async fn run_in(tx: &mut Tx, owner: Owner<'_>, migrations: &[Migration]) -> Result<usize, String> {
    // Asked before waiting for other hosts: mostly there is nothing to do.
    if pending(tx, owner, migrations).await?.is_empty() {
        return Ok(0);
    }
    tx.one_migrator().await.map_err(|e| format!("cannot wait for other hosts' migrations: {e}"))?;
    let pending = pending(tx, owner, migrations).await?;
    for migration in &pending {
        apply(tx, owner, migration).await.map_err(|e| format!("migration {}: {e}", migration.name))?;
    }
    Ok(pending.len())
}

/// Whether a plugin's migrations have ever run here.
pub(crate) async fn has_run(db: &Db, slug: &str) -> Result<bool, Error> {
    let count: i64 =
        db.value("SELECT count(*) FROM hub_plugin_migrations WHERE plugin = $1", args![slug]).await?;
    Ok(count > 0)
}

/// Those that have not run, unless one that did was changed since. What has run and is not among them is a later
/// release's, and takes nothing away from this one ([`super::schema`]).
pub(crate) async fn pending<'m>(
    tx: &mut Tx,
    owner: Owner<'_>,
    migrations: &'m [Migration],
) -> Result<Vec<&'m Migration>, String> {
    let applied: Vec<Applied> = tx
        .all("SELECT name, checksum FROM hub_plugin_migrations WHERE plugin = $1", args![owner.key()])
        .await
        .map_err(|e| format!("cannot read which migrations have run: {e}"))?;
    let mut pending = Vec::new();
    for migration in migrations {
        match applied.iter().find(|a| a.name == migration.name) {
            None => pending.push(migration),
            Some(a) if a.checksum == checksum(&migration.sql) => {}
            Some(_) => {
                return Err(format!(
                    "migration {} was changed after it had run: put it back as it was, and write a new one",
                    migration.name
                ));
            }
        }
    }
    Ok(pending)
}

async fn apply(tx: &mut Tx, owner: Owner<'_>, migration: &Migration) -> Result<(), String> {
    let text = |e: Error| e.to_string();
    let before = tx.tables().await.map_err(text)?;
    tx.script(migration.sql.clone()).await.map_err(text)?;
    if let Owner::Plugin(slug) = owner {
        let after = tx.tables().await.map_err(text)?;
        check_names(slug, &before, &after)?;
    }
    tx.execute(
        "INSERT INTO hub_plugin_migrations (plugin, name, checksum, applied_at) VALUES ($1, $2, $3, $4)",
        args![owner.key(), &migration.name, checksum(&migration.sql), crate::now()],
    )
    .await
    .map_err(text)?;
    Ok(())
}

/// A plugin keeps to tables of its own name, and leaves the others alone.
fn check_names(slug: &str, before: &[String], after: &[String]) -> Result<(), String> {
    match foreign(slug, before, after) {
        None => Ok(()),
        Some(made @ Foreign::Made(_)) => {
            let prefix = table_prefix(slug);
            Err(format!("{made}; the tables of vertical plugin `{slug}` are named `{prefix}*`"))
        }
        Some(dropped @ Foreign::Dropped(_)) => {
            Err(format!("{dropped}, which is not vertical plugin `{slug}`'s"))
        }
    }
}

fn checksum(sql: &str) -> String {
    // Line ends are not what a migration does.
    let digest = Sha256::digest(sql.replace("\r\n", "\n"));
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, sql: &str) -> Migration {
        Migration { name: name.to_owned(), sql: sql.to_owned() }
    }

    async fn database() -> Db {
        let db = Db::open_memory().await.unwrap();
        prepare(&db).await.unwrap();
        db
    }

    #[tokio::test]
    async fn each_file_runs_once() {
        let db = database().await;
        let one =
            file("0001_a.sql", "CREATE TABLE plugin_a_b_t (id TEXT); INSERT INTO plugin_a_b_t VALUES ('x');");
        let two = file("0002_b.sql", "INSERT INTO plugin_a_b_t VALUES ('y')");
        let owner = Owner::Plugin("a-b");
        assert_eq!(run(&db, owner, std::slice::from_ref(&one)).await, Ok(1));
        assert_eq!(run(&db, owner, &[one.clone(), two]).await, Ok(1));
        let count: i64 = db.value("SELECT count(*) FROM plugin_a_b_t", args![]).await.unwrap();
        assert_eq!(count, 2);
        let changed = file("0001_a.sql", "CREATE TABLE plugin_a_b_u (id TEXT)");
        assert_eq!(
            run(&db, owner, &[changed]).await.unwrap_err(),
            "migration 0001_a.sql was changed after it had run: put it back as it was, and write a new one"
        );
    }

    #[tokio::test]
    async fn a_failed_file_leaves_nothing_behind() {
        let db = database().await;
        let check = async |sql: &str, want: &str| {
            let got = run(&db, Owner::Plugin("crm"), &[file("0001_a.sql", sql)]).await;
            assert_eq!(got.unwrap_err(), want);
            let mut tx = db.begin().await.unwrap();
            assert_eq!(tx.tables().await.unwrap(), ["hub_plugin_migrations"]);
        };
        check(
            "CREATE TABLE plugin_crm_t (id TEXT); CREATE TABEL x;",
            "migration 0001_a.sql: near \"TABEL\": syntax error",
        )
        .await;
        check(
            "CREATE TABLE customers (id TEXT);",
            "migration 0001_a.sql: it makes the table `customers`; the tables of vertical plugin `crm` are named `plugin_crm_*`",
        )
        .await;
        check(
            "DROP TABLE hub_plugin_migrations;",
            "migration 0001_a.sql: it drops the table `hub_plugin_migrations`, which is not vertical plugin `crm`'s",
        )
        .await;
    }

    #[test]
    fn files_are_read_in_the_order_of_their_numbers() {
        let folder = std::env::temp_dir().join(format!("hub-migrations-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        for name in ["0010_c.sql", "0002_b.sql", "README.md"] {
            fs::write(folder.join(name), name).unwrap();
        }
        let names: Vec<_> = read_folder(&folder).unwrap().into_iter().map(|m| m.name).collect();
        assert_eq!(names, ["0002_b.sql", "0010_c.sql"]);
        fs::write(folder.join("2_d.sql"), "").unwrap();
        assert_eq!(
            read_folder(&folder).unwrap_err(),
            "migrations 0002_b.sql and 2_d.sql have the same number"
        );
        fs::remove_dir_all(&folder).unwrap();
    }
}
