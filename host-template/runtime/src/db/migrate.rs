//! SQL migrations, of the platform and of each plugin: each file once, with the checksum of its text; what is to run
//! runs in one transaction.

mod folder;

use std::collections::BTreeSet;

pub use folder::{Migration, read_folder};
use hub_manifest::migrations::{Engine, Foreign, foreign, runs_on, table_prefix};
use hub_manifest::statements::{UNFIT_HELP, unfit};
use hub_release::hash;
use serde::Deserialize;

use super::broken::Broken;
use super::budget::Budget;
use super::census::Census;
use super::effects::{self, Texts};
use super::foreign::Watch;
use super::loss::Loss;
use super::own::{Named, Own, names_around};
use super::shape::Shape;
use super::{Db, Error, Patience, Tx};
use crate::args;

/// Whose tables they are.
#[derive(Debug, Clone, Copy)]
pub enum Owner<'a> {
    /// The platform: its tables are named `hub_*`.
    Platform,
    /// A plugin: its tables are named `plugin_<slug>_*`.
    Plugin(&'a str),
}

impl Owner<'_> {
    pub(super) fn key(&self) -> &str {
        match self {
            // No slug has parentheses.
            Owner::Platform => "(platform)",
            Owner::Plugin(slug) => slug,
        }
    }

    /// What the names of its tables begin with.
    fn prefix(&self) -> String {
        match self {
            Owner::Platform => "hub_".to_owned(),
            Owner::Plugin(slug) => table_prefix(slug),
        }
    }
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

/// What to do where the platform's own have failed.
pub(crate) const UNCHANGED: &str = "nothing was changed: the release that worked with this database still does, so start that \
    one; then mend what the message names, or take a build that does not fail on it";

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
    if !is_pending(db, owner, migrations).await? {
        return Ok(0);
    }
    let unreferenced = db.for_migrations().await.map_err(text)?;
    let ran = run_on(&unreferenced.db, owner, migrations).await;
    unreferenced.end().await.map_err(text)?;
    ran
}

async fn run_on(db: &Db, owner: Owner<'_>, migrations: &[Migration]) -> Result<usize, String> {
    let text = |e: Error| format!("cannot run migrations: {e}");
    let mut tx = db.begin().await.map_err(text)?;
    let ran = run_in(&mut tx, owner, migrations).await?;
    tx.commit().await.map_err(text)?;
    Ok(ran)
}

/// Whether some have not run. Asked before anything else, because mostly there is nothing to do.
pub(crate) async fn is_pending(db: &Db, owner: Owner<'_>, migrations: &[Migration]) -> Result<bool, String> {
    Ok(!outstanding(db, owner, migrations).await?.is_empty())
}

/// The names of those that have not run. Nothing is written, and nobody is held up: a database that is only read will do.
pub(crate) async fn outstanding(
    db: &Db,
    owner: Owner<'_>,
    migrations: &[Migration],
) -> Result<Vec<String>, String> {
    let applied: Vec<Applied> = db.all(APPLIED, args![owner.key()]).await.map_err(unread)?;
    let pending = unapplied(&applied, of_engine(db.is_postgres(), migrations))?;
    Ok(pending.into_iter().map(|migration| migration.name.clone()).collect())
}

/// The same as part of a transaction, for what may only happen together with it. Begun on a [`Db::for_migrations`].
pub(crate) async fn run_in(tx: &mut Tx, owner: Owner<'_>, migrations: &[Migration]) -> Result<usize, String> {
    let mut counted = Counted::default();
    let mut budget = Budget::of(Patience::get().census);
    let ran = run_counting(tx, owner, migrations, &mut budget, &mut counted).await?;
    for loss in counted.lost {
        tracing::warn!(owner = owner.key(), "a migration {}, as it says: {loss}", loss.does());
    }
    for column in counted.shorter {
        tracing::warn!(owner = owner.key(), "after a migration values hold less than before: {column}");
    }
    for column in counted.changed {
        tracing::warn!(owner = owner.key(), "a migration changed values of {column}");
    }
    for table in counted.unread {
        tracing::warn!(
            owner = owner.key(),
            "the values of {table} could not all be compared around a migration: HUB_MIGRATION_COUNT_SECONDS gives it more time"
        );
    }
    for table in counted.estimated {
        tracing::warn!(
            owner = owner.key(),
            "{table} was too large to be counted around a migration: nothing was removed there by the server's estimate"
        );
    }
    Ok(ran)
}

/// What was found by counting before and after migrations.
#[derive(Debug, Default)]
pub(crate) struct Counted {
    /// What they remove, or may remove for all that is known, and say that they remove.
    pub(crate) lost: Vec<Loss>,
    /// Tables that were too large, where an estimate says that nothing was removed.
    pub(crate) estimated: BTreeSet<String>,
    /// Columns whose values are all there still, and hold less.
    pub(crate) shorter: BTreeSet<String>,
    /// Columns that hold as many values as before, and others; or more of them, and not all those of before.
    pub(crate) changed: BTreeSet<String>,
    /// Tables that they may change, and whose values could not be compared.
    pub(crate) unread: BTreeSet<String>,
}

/// The same within so much time for counting; what they remove, and say that they remove, is added to `counted`.
pub(crate) async fn run_counting(
    tx: &mut Tx,
    owner: Owner<'_>,
    migrations: &[Migration],
    budget: &mut Budget,
    counted: &mut Counted,
) -> Result<usize, String> {
    // Asked before waiting for other hosts: mostly there is nothing to do.
    if pending(tx, owner, migrations).await?.is_empty() {
        return Ok(0);
    }
    tx.one_migrator().await.map_err(|e| format!("cannot wait for other hosts' migrations: {e}"))?;
    let pending = pending(tx, owner, migrations).await?;
    // Before any runs: in a dry run what ends the transaction would make all of it last.
    for migration in &pending {
        if let Some(unfit) = unfit(&migration.sql, engine(tx.is_postgres())) {
            return Err(format!("migration {}: it {unfit}; {}", migration.name, unfit.help()));
        }
    }
    let text = |e: Error| format!("cannot look at the references between tables: {e}");
    let (broken, tables) = (Broken::find(tx).await.map_err(text)?, tx.tables().await.map_err(text)?);
    let mut census = None;
    budget.begin(pending.len());
    for migration in &pending {
        apply(tx, owner, migration, budget, &mut census, counted)
            .await
            .map_err(|e| format!("migration {}: {e}", migration.name))?;
    }
    if let Some(wrong) = Broken::find(tx).await.map_err(text)?.since(&broken, &tables) {
        let names: Vec<&str> = pending.iter().map(|migration| migration.name.as_str()).collect();
        return Err(format!("migration {}: {wrong}", names.join(", ")));
    }
    Ok(pending.len())
}

/// Whether a plugin's migrations have ever run here.
pub(crate) async fn has_run(db: &Db, slug: &str) -> Result<bool, Error> {
    let count: i64 =
        db.value("SELECT count(*) FROM hub_plugin_migrations WHERE plugin = $1", args![slug]).await?;
    Ok(count > 0)
}

/// Those that are for the engine at hand.
pub(crate) fn of_engine(postgres: bool, migrations: &[Migration]) -> impl Iterator<Item = &Migration> {
    migrations.iter().filter(move |migration| runs_on(&migration.name, engine(postgres)))
}

fn engine(postgres: bool) -> Engine {
    if postgres { Engine::Postgres } else { Engine::Sqlite }
}

const APPLIED: &str = "SELECT name, checksum FROM hub_plugin_migrations WHERE plugin = $1";

fn unread(error: Error) -> String {
    format!("cannot read which migrations have run: {error}")
}

/// Those that have not run, unless one that did was changed since. What has run and is not among them is a later
/// release's, and takes nothing away from this one ([`super::schema`]).
pub(crate) async fn pending<'m>(
    tx: &mut Tx,
    owner: Owner<'_>,
    migrations: &'m [Migration],
) -> Result<Vec<&'m Migration>, String> {
    let applied: Vec<Applied> = tx.all(APPLIED, args![owner.key()]).await.map_err(unread)?;
    unapplied(&applied, of_engine(tx.is_postgres(), migrations))
}

/// The same where it is known what has run.
fn unapplied<'m>(
    applied: &[Applied],
    migrations: impl Iterator<Item = &'m Migration>,
) -> Result<Vec<&'m Migration>, String> {
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

async fn apply(
    tx: &mut Tx,
    owner: Owner<'_>,
    migration: &Migration,
    budget: &mut Budget,
    census: &mut Option<Census>,
    counted: &mut Counted,
) -> Result<(), String> {
    let text = |e: Error| e.to_string();
    let tables = Named::all(tx).await.map_err(text)?;
    let counts = may_remove(&migration.sql) || effects::may_follow(tx, &migration.sql).await.map_err(text)?;
    // The values of its own tables are read; of others' it is watched whether a plugin changes anything at all.
    let prefix = owner.prefix();
    // What the one before counted after itself is what is there before this one.
    let before = match census.take() {
        _ if !counts => None,
        Some(known) => Some(known),
        None => Some(Census::take(tx, budget, None, &prefix).await.map_err(text)?),
    };
    let texts = Texts::of(tx, &migration.sql).await.map_err(text)?;
    let watch = match (owner, &before) {
        (Owner::Plugin(slug), Some(_)) => Watch::begin(tx, &table_prefix(slug)).await.map_err(text)?,
        _ => Watch::default(),
    };
    let shape = match owner {
        Owner::Plugin(slug) => Some((slug, Shape::read(tx, &table_prefix(slug)).await.map_err(text)?)),
        Owner::Platform => None,
    };
    let number = transaction(tx).await.map_err(text)?;
    tx.script(migration.sql.clone()).await.map_err(text)?;
    budget.ran();
    if number != transaction(tx).await.map_err(text)? {
        return Err(format!(
            "it has ended the transaction that it runs in, and what it did lasts; {UNFIT_HELP}"
        ));
    }
    let seen = watch.end(tx).await.map_err(text)?;
    if let Owner::Plugin(slug) = owner {
        let after = Named::all(tx).await.map_err(text)?;
        let own = Own::read(tx).await.map_err(text)?;
        let (before, after) = names_around(&own, &tables, &after);
        check_names(slug, &before, &after)?;
    }
    if let Some(before) = before {
        let after = Census::take(tx, budget, Some(&before), &prefix).await.map_err(text)?;
        let compared = before.lost(&after);
        for loss in compared.lost {
            may_lose(owner, migration, &loss)?;
            counted.lost.push(loss);
        }
        counted.estimated.extend(compared.estimated);
        counted.shorter.extend(compared.shorter);
        counted.changed.extend(compared.changed);
        counted.unread.extend(compared.unread.into_iter().filter(|table| texts.may_touch(table)));
        if let Owner::Plugin(slug) = owner {
            let tables = before.meddled(&after, &table_prefix(slug), &seen);
            if !tables.is_empty() {
                let tables = tables.join("`, `");
                return Err(format!(
                    "it changes or removes rows of `{tables}`, which is not vertical plugin `{slug}`'s"
                ));
            }
        }
        *census = Some(after);
    }
    if let Some((slug, before)) = shape {
        let after = before.again(tx).await.map_err(text)?;
        let own = Own::read(tx).await.map_err(text)?;
        if let Some(what) = before.changed(&after, &own) {
            return Err(format!("it changes what is not vertical plugin `{slug}`'s ({what})"));
        }
    }
    tx.execute(
        "INSERT INTO hub_plugin_migrations (plugin, name, checksum, applied_at) VALUES ($1, $2, $3, $4)",
        args![owner.key(), &migration.name, checksum(&migration.sql), crate::now()],
    )
    .await
    .map_err(text)?;
    Ok(())
}

/// The number of the transaction on PostgreSQL: another one once it was ended, by what no reading of the text has found.
async fn transaction(tx: &mut Tx) -> Result<Option<i64>, Error> {
    if !tx.is_postgres() {
        return Ok(None);
    }
    tx.value("SELECT txid_current()", args![]).await.map(Some)
}

/// Whether a text could remove something by what it says. Without any of these words it only adds; what may follow from that
/// is another matter ([`effects`]).
fn may_remove(sql: &str) -> bool {
    const WORDS: &[&str] = &[
        "delete", "drop", "truncate", "replace", "update", "merge", "rename", "trigger", "do", "call",
        "execute", "select", "rule", "instead", "alter",
    ];
    let only_adds = |statement: &str| {
        let words: Vec<&str> = statement.split_whitespace().collect();
        matches!(words.as_slice(), ["alter", "table", _, "add", ..])
    };
    let lower = sql.to_ascii_lowercase();
    lower.split(';').any(|statement| {
        let statement = match only_adds(statement) {
            true => statement.trim_start().strip_prefix("alter").unwrap_or(statement),
            false => statement,
        };
        statement.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| WORDS.contains(&word))
    })
}

/// The comment by which a migration says that it means to remove something: `-- hub: removes TABLE, TABLE.COLUMN`.
const REMOVES: &str = "hub: removes ";

/// Data is only removed by a migration that says so, and never another owner's.
fn may_lose(owner: Owner<'_>, migration: &Migration, loss: &Loss) -> Result<(), String> {
    if let Owner::Plugin(slug) = owner
        && !loss.table.starts_with(&table_prefix(slug))
    {
        return Err(match loss.is_unknown() {
            true => format!(
                "it cannot be told whether it removes what is not vertical plugin `{slug}`'s ({loss}): let counting take \
                 longer, HUB_MIGRATION_COUNT_SECONDS"
            ),
            false => format!("it removes what is not vertical plugin `{slug}`'s ({loss})"),
        });
    }
    let name = loss.name();
    let said = migration.sql.lines().filter_map(|line| line.trim().strip_prefix("--")).any(|line| {
        let names = line.trim().strip_prefix(REMOVES).unwrap_or_default();
        names.split([',', ' ']).any(|said| said.trim() == name || said.trim() == loss.table)
    });
    if said {
        return Ok(());
    }
    Err(match loss.is_unknown() {
        true => format!(
            "it cannot be told whether it removes data ({loss}): let counting take longer, HUB_MIGRATION_COUNT_SECONDS; or, \
             where it means to remove some, write the comment `-- {REMOVES}{name}` into it"
        ),
        false if loss.alike => format!(
            "it {} ({loss}) and does not say so: keep them apart, or write the comment `-- {REMOVES}{name}` into it, which goes \
             for values that become the same too",
            loss.does()
        ),
        false => format!(
            "it removes data ({loss}) and does not say so: keep the data, or write the comment `-- {REMOVES}{name}` into it"
        ),
    })
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
    hash::of_bytes(sql.replace("\r\n", "\n").as_bytes())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const TIME: Duration = Duration::from_secs(9);

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

    #[tokio::test]
    async fn d2_a_file_that_ends_its_transaction_is_refused_before_any_runs() {
        let db = database().await;
        let first = file("0001_a.sql", "CREATE TABLE plugin_crm_a (id TEXT)");
        for (owner, sql, word) in [
            (Owner::Plugin("crm"), "COMMIT; CREATE INDEX plugin_crm_b ON plugin_crm_a (id); BEGIN", "COMMIT"),
            (
                Owner::Platform,
                "/* ; */\nbegin; CREATE INDEX plugin_crm_b ON plugin_crm_a (id); COMMIT",
                "BEGIN",
            ),
        ] {
            let refused = run(&db, owner, &[first.clone(), file("0002_b.sql", sql)]).await.unwrap_err();
            let why = format!(
                "migration 0002_b.sql: it controls the transaction that it runs in (`{word}`); leave it out: "
            );
            assert!(refused.starts_with(&why), "{refused}");
            let mut tx = db.begin().await.unwrap();
            assert_eq!(tx.tables().await.unwrap(), ["hub_plugin_migrations"]);
        }
        // One that is for the other engine is none here, and a trigger's body is no transaction.
        let body = "CREATE TRIGGER plugin_crm_c AFTER INSERT ON plugin_crm_a BEGIN SELECT 1; END;";
        let all = [first, file("0002_b.postgres.sql", "COMMIT"), file("0003_c.sql", body)];
        assert_eq!(run(&db, Owner::Plugin("crm"), &all).await, Ok(2));
    }

    #[tokio::test]
    async fn d2_a_table_that_is_rebuilt_the_wrong_way_round_is_refused() {
        let db = database().await;
        let before = "CREATE TABLE plugin_crm_a (id TEXT PRIMARY KEY); INSERT INTO plugin_crm_a VALUES ('x');
            CREATE TABLE plugin_crm_b (a TEXT REFERENCES plugin_crm_a (id) ON DELETE CASCADE);";
        let owner = Owner::Plugin("crm");
        let first = file("0001_a.sql", before);
        assert_eq!(run(&db, owner, std::slice::from_ref(&first)).await, Ok(1));
        // References follow the first renaming, and nothing brings them back.
        let wrong = "ALTER TABLE plugin_crm_a RENAME TO plugin_crm_old; CREATE TABLE plugin_crm_a (id TEXT PRIMARY KEY);
            INSERT INTO plugin_crm_a SELECT id FROM plugin_crm_old; DROP TABLE plugin_crm_old;";
        let refused = run(&db, owner, &[first.clone(), file("0002_b.sql", wrong)]).await.unwrap_err();
        assert!(
            refused.starts_with(
                "migration 0002_b.sql: `plugin_crm_b` now refers to the table `plugin_crm_old`, which is not there"
            ),
            "{refused}"
        );
        // Nothing of it has happened, and references are enforced again.
        let count: i64 = db.value("SELECT count(*) FROM plugin_crm_a", args![]).await.unwrap();
        assert_eq!(count, 1);
        assert!(db.execute("INSERT INTO plugin_crm_b VALUES ('none')", args![]).await.is_err());
        // A file for the other engine is none here.
        let other = file("0002_b.postgres.sql", "CREATE EXTENSION x");
        assert_eq!(run(&db, owner, &[first, other]).await, Ok(0));
    }

    #[tokio::test]
    async fn d2_a_reference_that_was_broken_before_stops_no_migration() {
        let db = database().await;
        let mut tx = db.begin().await.unwrap();
        let others = "CREATE TABLE p (x TEXT); CREATE TABLE \"a \"\"c\" (x TEXT REFERENCES p (x))";
        tx.script(others.to_owned()).await.unwrap();
        tx.commit().await.unwrap();
        let platform = [file("0001_a.sql", "CREATE TABLE hub_a (id TEXT)")];
        assert_eq!(run(&db, Owner::Platform, &platform).await, Ok(1));
        // What is broken by a migration is seen beside it.
        let owner = Owner::Plugin("crm");
        let first = file(
            "0001_a.sql",
            "CREATE TABLE plugin_crm_a (id TEXT PRIMARY KEY); INSERT INTO plugin_crm_a VALUES ('x');
             CREATE TABLE plugin_crm_b (a TEXT REFERENCES plugin_crm_a (id)); INSERT INTO plugin_crm_b VALUES ('x');",
        );
        assert_eq!(run(&db, owner, std::slice::from_ref(&first)).await, Ok(1));
        for (sql, said) in [
            (
                "-- hub: removes plugin_crm_a\nDELETE FROM plugin_crm_a",
                "it leaves 1 rows of `plugin_crm_b` that refer to nothing in `plugin_crm_a`",
            ),
            (
                "CREATE TABLE plugin_crm_c (id TEXT); CREATE TABLE plugin_crm_d (c TEXT REFERENCES plugin_crm_c (id))",
                "`plugin_crm_d` refers to columns that are not unique (foreign key mismatch - \"plugin_crm_d\" referencing \
                 \"plugin_crm_c\"): make them the key of the table that they are in, or give them a unique index",
            ),
        ] {
            let refused = run(&db, owner, &[first.clone(), file("0002_b.sql", sql)]).await.unwrap_err();
            assert_eq!(refused, format!("migration 0002_b.sql: {said}"));
        }
    }

    #[tokio::test]
    async fn d2_what_a_trigger_of_an_earlier_file_removes_is_counted() {
        let owner = Owner::Plugin("crm");
        let tables = "CREATE TABLE plugin_crm_a (id TEXT PRIMARY KEY ON CONFLICT REPLACE, x TEXT UNIQUE ON CONFLICT REPLACE);
            INSERT INTO plugin_crm_a VALUES ('1', 'a'), ('2', 'b'); CREATE TABLE plugin_crm_log (id TEXT);";
        let of = |table: &str| {
            format!(
                "CREATE TRIGGER plugin_crm_t AFTER INSERT ON plugin_crm_log BEGIN DELETE FROM {table}; END;"
            )
        };
        let add = "INSERT INTO plugin_crm_log VALUES ('1')";
        for (trigger, next, said) in [
            (
                of("plugin_crm_a"),
                add,
                "it removes data (plugin_crm_a: 2 rows before, 0 after) and does not say so",
            ),
            (
                of("hub_records"),
                add,
                "it removes what is not vertical plugin `crm`'s (hub_records: 1 rows before, 0 after)",
            ),
            (
                String::new(),
                "INSERT INTO plugin_crm_a VALUES ('1', 'b')",
                "it removes data (plugin_crm_a: 2 rows before, 1 after) and does not say so",
            ),
        ] {
            let db = database().await;
            let records = file(
                "0001_a.sql",
                "CREATE TABLE hub_records (id TEXT); INSERT INTO hub_records VALUES ('1')",
            );
            assert_eq!(run(&db, Owner::Platform, &[records]).await, Ok(1));
            let all = [file("0001_a.sql", &format!("{tables} {trigger}")), file("0002_b.sql", next)];
            // Whether it was made just now or is there already.
            let at_once = run(&db, owner, &all).await.unwrap_err();
            assert_eq!(run(&db, owner, &all[..1]).await, Ok(1));
            let later = run(&db, owner, &all).await.unwrap_err();
            assert_eq!(at_once, later);
            assert!(later.starts_with(&format!("migration 0002_b.sql: {said}")), "{later}");
        }
    }

    #[tokio::test]
    async fn d2_what_cannot_be_counted_in_time_has_to_be_named() {
        let db = database().await;
        let owner = Owner::Plugin("crm");
        let first =
            file("0001_a.sql", "CREATE TABLE plugin_crm_a (id TEXT); INSERT INTO plugin_crm_a VALUES ('x')");
        assert_eq!(run(&db, owner, std::slice::from_ref(&first)).await, Ok(1));
        let attempt = async |sql: &str| {
            let mut counted = Counted::default();
            let mut tx = db.begin().await.unwrap();
            let all = [first.clone(), file("0002_b.sql", sql)];
            let mut budget = Budget::of(Duration::ZERO);
            let ran = run_counting(&mut tx, owner, &all, &mut budget, &mut counted).await;
            tx.rollback().await.unwrap();
            ran.map(|_| counted.lost.iter().map(Loss::to_string).collect::<Vec<_>>())
        };
        // What only adds needs no counting.
        assert_eq!(attempt("CREATE TABLE plugin_crm_b (id TEXT)").await, Ok(vec![]));
        assert_eq!(attempt("INSERT INTO plugin_crm_a VALUES ('y')").await, Ok(vec![]));
        let why = "cannot be told whether it removes what is not vertical plugin `crm`'s (hub_plugin_migrations: its rows \
            were not counted in time): let counting take longer, HUB_MIGRATION_COUNT_SECONDS";
        let refused = attempt("UPDATE plugin_crm_a SET id = 'y'").await.unwrap_err();
        assert_eq!(refused, format!("migration 0002_b.sql: it {why}"));
        let loss = |table: &str| Loss {
            table: table.to_owned(),
            column: None,
            before: None,
            after: Some(0),
            about: true,
            alike: false,
        };
        let said = file("0002_b.sql", "-- hub: removes plugin_crm_a\nDELETE FROM plugin_crm_a");
        assert_eq!(may_lose(owner, &said, &loss("plugin_crm_a")), Ok(()));
        let unsaid = may_lose(owner, &file("0002_b.sql", "DELETE FROM plugin_crm_a"), &loss("plugin_crm_a"))
            .unwrap_err();
        assert_eq!(
            unsaid,
            "it cannot be told whether it removes data (plugin_crm_a: its rows were not counted in time): let counting take \
             longer, HUB_MIGRATION_COUNT_SECONDS; or, where it means to remove some, write the comment `-- hub: removes \
             plugin_crm_a` into it"
        );
    }

    #[tokio::test]
    async fn d2_what_could_not_be_compared_is_told_where_a_migration_touches_it() {
        let db = database().await;
        let owner = Owner::Plugin("crm");
        let first = file(
            "0001_a.sql",
            "CREATE TABLE plugin_crm_a (x TEXT); INSERT INTO plugin_crm_a VALUES ('x');
             CREATE TABLE plugin_crm_b (x TEXT); INSERT INTO plugin_crm_b VALUES ('x');",
        );
        assert_eq!(run(&db, owner, std::slice::from_ref(&first)).await, Ok(1));
        let all = [first, file("0002_b.sql", "UPDATE plugin_crm_a SET x = 'y'")];
        let attempt = async |mut budget: Budget| {
            let mut counted = Counted::default();
            let mut tx = db.begin().await.unwrap();
            assert_eq!(run_counting(&mut tx, owner, &all, &mut budget, &mut counted).await, Ok(1));
            tx.rollback().await.unwrap();
            let names = |set: BTreeSet<String>| set.into_iter().collect::<Vec<_>>().join(" ");
            (names(counted.changed), names(counted.unread))
        };
        let told = |changed: &str, unread: &str| (changed.to_owned(), unread.to_owned());
        assert_eq!(attempt(Budget::of(TIME)).await, told("plugin_crm_a.x", ""));
        // Where others wait for what the migration has locked, there is no time afterwards.
        let mut held = Budget::of(TIME);
        held.held = Some(Duration::ZERO);
        assert_eq!(attempt(held).await, told("", "plugin_crm_a"));
    }

    #[tokio::test]
    async fn d2_of_the_platforms_migrations_values_of_its_own_tables_are_compared() {
        let db = database().await;
        let made = "CREATE TABLE hub_a (x TEXT); INSERT INTO hub_a VALUES ('x');
            CREATE TABLE plugin_crm_a (x TEXT); INSERT INTO plugin_crm_a VALUES ('x'); CREATE TABLE dbt (x TEXT);";
        let all = [
            file("0001_a.sql", made),
            file(
                "0002_b.sql",
                "UPDATE hub_a SET x = 'y'; UPDATE plugin_crm_a SET x = 'y'; UPDATE dbt SET x = 'y'",
            ),
        ];
        let mut counted = Counted::default();
        let mut tx = db.begin().await.unwrap();
        let ran = run_counting(&mut tx, Owner::Platform, &all, &mut Budget::of(TIME), &mut counted).await;
        assert_eq!((ran, counted.unread.len()), (Ok(2), 0));
        assert_eq!(counted.changed.into_iter().collect::<Vec<_>>(), ["hub_a.x"]);
        tx.rollback().await.unwrap();
    }

    #[tokio::test]
    async fn d2_values_that_become_the_same_are_told_as_that() {
        let db = database().await;
        let rows: Vec<String> = (10..50).map(|row| format!("('x{row}')")).collect();
        let made = format!(
            "CREATE TABLE plugin_crm_a (x TEXT); INSERT INTO plugin_crm_a VALUES {}",
            rows.join(", ")
        );
        let same = "UPDATE plugin_crm_a SET x = 'xxx'";
        let attempt = async |sql: &str| {
            run(&db, Owner::Plugin("crm"), &[file("0001_a.sql", &made), file("0002_b.sql", sql)]).await
        };
        let refused = attempt(same).await.unwrap_err();
        let begins =
            "migration 0002_b.sql: it makes many different values the same (plugin_crm_a.x: at least ";
        let ends = "or write the comment `-- hub: removes plugin_crm_a.x` into it, which goes for values that become the same too";
        assert!(refused.starts_with(begins) && refused.ends_with(ends), "{refused}");
        assert_eq!(attempt(&format!("-- hub: removes plugin_crm_a.x\n{same}")).await, Ok(2));
    }
}
