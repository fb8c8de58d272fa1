//! The migrations of this release, tried without a trace: on a copy of a SQLite file, or in a transaction of PostgreSQL
//! that is rolled back.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use hub_manifest::limits::Limits;
use rustix::fs::statvfs;
use serde::{Deserialize, Serialize};

use super::switched::{self, On};
use super::{Asked, Finding, Purpose};
use crate::api;
use crate::args;
use crate::db::budget::Budget;
use crate::db::copy::Copy;
use crate::db::loss::Loss;
use crate::db::migrate::{self, Counted, Migration, Owner};
use crate::db::rights::Lacking;
use crate::db::schema::Schema;
use crate::db::standing::{Standing, WHICH};
use crate::db::{AssertSqlSafe, Db, Error, Patience, Tx, unguarded};
use crate::settings::{self, Database, reason};

/// What a copy needs besides the size of the file: what the migrations write, at the least.
const SPARE: u64 = 16 << 20;

/// A migration that this release would run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pending {
    /// Slug of the plugin; none where it is the platform's.
    pub(crate) plugin: Option<String>,
    /// Name of its file.
    pub(crate) name: String,
}

/// What came of it.
#[derive(Default)]
pub(super) struct Tried {
    pub(super) pending: Vec<Pending>,
    /// Bytes of the copy.
    pub(super) copied: Option<u64>,
    /// What the migrations remove, and say that they remove.
    pub(super) losses: Vec<Removed>,
    /// Plugins that are on for somebody.
    pub(super) used: Vec<On>,
    pub(super) errors: Vec<Finding>,
    pub(super) warnings: Vec<Finding>,
}

/// Tries the platform's migrations, and those of each plugin (its slug and the folder) that has run any here. What they
/// remove is an error, unless the operator has `accepted` it by its name. A database that no host has begun is an error where
/// one is expected.
pub(super) async fn run(
    database: &Database,
    data: &Path,
    plugins: &[(String, PathBuf)],
    limits: &Limits,
    Asked { accepted, purpose, .. }: &Asked,
) -> Tried {
    Patience::set(limits);
    let mut tried = Tried::default();
    let done = match database {
        Database::Sqlite(file) => on_copy(file, data, plugins, *purpose, &mut tried).await,
        Database::Postgres(url) => on_server(url, plugins, limits, *purpose, &mut tried).await,
    };
    tried.errors.extend(done.err());
    if let (Database::Postgres(url), Purpose::Doctor) = (database, purpose)
        && let Some((what, help)) = unguarded(url).await
    {
        tried.warnings.push(Finding::machine(what, help));
    }
    for loss in &tried.losses {
        let (name, whose) = (loss.name(), loss.whose());
        let what = format!("a migration of {whose} {}, as it says: {}", loss.loss.does(), loss.loss);
        if accepted.contains(&name) || accepted.contains(&loss.loss.table) {
            tried.warnings.push(Finding::machine(what, "it was accepted with --accept-loss"));
        } else {
            let help = match loss.loss.is_unknown() {
                true => format!(
                    "let counting take longer, HUB_MIGRATION_COUNT_SECONDS; or keep a copy, and name it where that is meant: \
                     upgrade --accept-loss {name}"
                ),
                false => {
                    format!("keep a copy, and name it where that is meant: upgrade --accept-loss {name}")
                }
            };
            tried.errors.push(Finding::machine(what, help));
        }
    }
    tried
}

fn unusable(shown: &str, error: &Error, postgres: bool) -> Finding {
    Finding::machine(format!("cannot use the database {shown}: {error}"), error.cure(postgres))
}

/// What a migration removes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Removed {
    /// Slug of the plugin; none where it is the platform's.
    pub(crate) plugin: Option<String>,
    #[serde(flatten)]
    pub(crate) loss: Loss,
}

impl Removed {
    fn name(&self) -> String {
        self.loss.name()
    }

    fn whose(&self) -> String {
        whose(self.plugin.as_deref())
    }
}

fn whose(plugin: Option<&str>) -> String {
    plugin.map_or("the platform".to_owned(), |slug| format!("vertical plugin `{slug}`"))
}

/// Sees that the database is the platform's; nothing is made in it.
async fn known(
    db: &Db,
    shown: &str,
    purpose: Purpose,
    tried: &mut Tried,
) -> Result<Result<(), Finding>, Error> {
    let standing = Standing::find(db).await?;
    let Some(what) = standing.told(shown) else {
        return match purpose {
            Purpose::Doctor => whole(db, shown).await,
            Purpose::TakeOver => Ok(Ok(())),
        };
    };
    let finding = Finding::machine(what, standing.help());
    match purpose {
        Purpose::TakeOver if standing == Standing::Empty => {}
        Purpose::TakeOver if standing.may_begin() => tried.warnings.push(finding),
        // A start would refuse it.
        Purpose::TakeOver | Purpose::Doctor => return Ok(Err(finding)),
    }
    Ok(Ok(()))
}

/// Sees that the tables are all there, and that the host may use them. Those of a later release are not there yet.
async fn whole(db: &Db, shown: &str) -> Result<Result<(), Finding>, Error> {
    let up_to_date = migrate::outstanding(db, Owner::Platform, &api::migrations(db)).await;
    // What is wrong with the migrations is told when they are tried.
    if !up_to_date.is_ok_and(|names| names.is_empty()) {
        return Ok(Ok(()));
    }
    let lacking = Lacking::find(db).await?;
    Ok(match lacking.any() {
        true => Err(Finding::machine(format!("the database {shown}: {}", lacking.detail()), lacking.help())),
        false => Ok(()),
    })
}

async fn on_server(
    url: &str,
    plugins: &[(String, PathBuf)],
    limits: &Limits,
    purpose: Purpose,
    tried: &mut Tried,
) -> Result<(), Finding> {
    let shown = settings::without_password(url);
    let no_database = |e: Error| unusable(&shown, &e, true);
    let db = Db::open_postgres(url, limits).await.map_err(no_database)?;
    known(&db, &shown, purpose, tried).await.map_err(no_database)??;
    on(&db, plugins, tried).await.map_err(no_database)
}

async fn on_copy(
    file: &Path,
    data: &Path,
    plugins: &[(String, PathBuf)],
    purpose: Purpose,
    tried: &mut Tried,
) -> Result<(), Finding> {
    let shown = file.display().to_string();
    let no_database = |e: Error| unusable(&shown, &e, false);
    match (fs::metadata(file), purpose) {
        (Ok(_), _) => {}
        (Err(e), Purpose::TakeOver) if e.kind() == io::ErrorKind::NotFound => {
            // A start makes it.
            let db = Db::open_memory().await.map_err(no_database)?;
            return on(&db, plugins, tried).await.map_err(no_database);
        }
        (Err(e), _) if e.kind() == io::ErrorKind::NotFound => {
            return Err(Finding::machine(format!("there is no database {shown}"), WHICH));
        }
        (Err(e), _) => {
            let what = format!("cannot look at the database {shown}: {}", reason(&e));
            return Err(Finding::machine(what, "let the user that runs the host enter its folder"));
        }
    }
    let source = Db::open_unchanged(file).await.map_err(no_database)?;
    let copied = match known(&source, &shown, purpose, tried).await {
        Ok(Ok(())) => copy(&source, data, tried).await,
        Ok(Err(finding)) => Err(finding),
        Err(error) => Err(no_database(error)),
    };
    source.close().await;
    let copy = copied?;
    let db = Db::open_copy(&copy.file()).await.map_err(no_database)?;
    let done = on(&db, plugins, tried).await.map_err(no_database);
    db.close().await;
    done
}

/// Copies what is committed, while a host works on it: into the data folder, else where temporary files go.
async fn copy(source: &Db, data: &Path, tried: &mut Tried) -> Result<Copy, Finding> {
    let cannot = |e: &dyn std::fmt::Display| {
        Finding::machine(
            format!("cannot copy the database to try the migrations on: {e}"),
            "see that its file can be read to its end (`PRAGMA integrity_check`), and that the data folder, or the one that TMPDIR names, is \
             writable",
        )
    };
    let sql = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()";
    let size: u64 = source.value(sql, args![]).await.map_err(|e| cannot(&e))?;
    let needed = size + size / 5 + SPARE;
    // Of a data folder that is only read, doctor has something to tell too.
    let own = settings::may_write(data).then(|| data.to_path_buf());
    let places: Vec<PathBuf> = own.into_iter().chain([std::env::temp_dir()]).collect();
    for place in &places {
        Copy::sweep(place);
    }
    let free = |place: &PathBuf| statvfs(place).map_or(0, |fs| fs.f_bavail.saturating_mul(fs.f_frsize));
    let Some(place) = places.iter().find(|place| free(place) >= needed) else {
        let free: Vec<String> =
            places.iter().map(|place| format!("{} in {}", mega(free(place)), place.display())).collect();
        return Err(Finding::machine(
            format!(
                "there is no room for a copy of the database to try the migrations on: it takes {}, and {} are free",
                mega(needed),
                free.join(" and ")
            ),
            "make room there, or name another folder in TMPDIR",
        ));
    };
    let copy = Copy::begin(place).map_err(|e| cannot(&reason(&e)))?;
    let file = copy.file();
    // Made first, with no rights for others.
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&file);
    made.map_err(|e| cannot(&reason(&e)))?;
    let to = file.to_string_lossy().into_owned();
    source.execute("VACUUM INTO $1", args![to]).await.map_err(|e| cannot(&e))?;
    tried.copied = Some(size);
    Ok(copy)
}

fn mega(bytes: u64) -> String {
    format!("{} MB", bytes.div_ceil(1_000_000))
}

/// All of it in one transaction, which is rolled back.
async fn on(db: &Db, plugins: &[(String, PathBuf)], tried: &mut Tried) -> Result<(), Error> {
    let unreferenced = db.for_migrations().await?;
    let done = rolled_back(&unreferenced.db, plugins, tried).await;
    unreferenced.end().await?;
    done
}

async fn rolled_back(db: &Db, plugins: &[(String, PathBuf)], tried: &mut Tried) -> Result<(), Error> {
    let mut tx = db.begin().await?;
    migrate::prepare_in(&mut tx).await?;
    let budget = Budget::of(Patience::get().census);
    // A copy of a file is nobody else's.
    let mut budget = if db.is_postgres() { budget.among_others() } else { budget };
    if one(&mut tx, Owner::Platform, &api::migrations(db), &mut budget, tried).await? {
        // A start would refuse it, and what is lacking no migration brings.
        let lacking = Lacking::parts(&mut tx).await?;
        if lacking.any() {
            tried
                .errors
                .push(Finding::machine(format!("the database: {}", lacking.detail()), lacking.help()));
        }
        let begun = names(&mut tx, "SELECT DISTINCT plugin AS name FROM hub_plugin_migrations").await?;
        for (slug, folder) in plugins.iter().filter(|(slug, _)| begun.contains(slug)) {
            match migrate::read_folder(folder) {
                Ok(migrations) => {
                    one(&mut tx, Owner::Plugin(slug), &migrations, &mut budget, tried).await?;
                }
                Err(error) => tried.errors.push(of_plugin(slug, &error)),
            }
        }
        tried.used = tx.all(switched::ALL, args![]).await?;
    }
    tx.rollback().await
}

async fn names(tx: &mut Tx, sql: &'static str) -> Result<BTreeSet<String>, Error> {
    #[derive(Deserialize)]
    struct Row {
        name: String,
    }
    Ok(tx.all::<Row>(AssertSqlSafe(sql), args![]).await?.into_iter().map(|row| row.name).collect())
}

/// One owner's; gives whether they can run. What they did stays in the transaction then.
async fn one(
    tx: &mut Tx,
    owner: Owner<'_>,
    migrations: &[Migration],
    budget: &mut Budget,
    tried: &mut Tried,
) -> Result<bool, Error> {
    let slug = match owner {
        Owner::Platform => None,
        Owner::Plugin(slug) => Some(slug.to_owned()),
    };
    let wrong = |error: &str| match &slug {
        Some(slug) => of_plugin(slug, error),
        None => Finding::machine(
            format!("this release cannot bring the database up to date: {error}"),
            migrate::UNCHANGED,
        ),
    };
    let pending = match migrate::pending(tx, owner, migrations).await {
        Ok(pending) => pending,
        Err(error) => {
            tried.errors.push(wrong(&error));
            return Ok(false);
        }
    };
    let fresh = migrate::of_engine(tx.is_postgres(), migrations).count() == pending.len();
    let names =
        pending.iter().map(|migration| Pending { plugin: slug.clone(), name: migration.name.clone() });
    tried.pending.extend(names);
    if pending.is_empty() {
        return Ok(true);
    }
    let before = Schema::read(tx).await?;
    tx.execute("SAVEPOINT preflight", args![]).await?;
    let mut counted = Counted::default();
    if let Err(error) = migrate::run_counting(tx, owner, migrations, budget, &mut counted).await {
        tx.execute("ROLLBACK TO SAVEPOINT preflight", args![]).await?;
        tried.errors.push(wrong(&error));
        return Ok(false);
    }
    tx.execute("RELEASE SAVEPOINT preflight", args![]).await?;
    tried.warnings.extend(counted.estimated.into_iter().map(|table| {
        Finding::machine(
            format!(
                "{table} is too large to be counted in time: that a migration removes nothing there is an estimate of the \
                 server's"
            ),
            "let it take longer: HUB_MIGRATION_COUNT_SECONDS",
        )
    }));
    tried.warnings.extend(counted.shorter.into_iter().map(|column| {
        let whose = whose(slug.as_deref());
        Finding::machine(
            format!("after a migration of {whose} values hold less than before: {column}"),
            "see that this is meant (the plugin's authors know), or keep a copy of the database",
        )
    }));
    tried.warnings.extend(counted.changed.into_iter().map(|column| {
        let whose = whose(slug.as_deref());
        Finding::machine(
            format!("a migration of {whose} changes values of {column}"),
            "see that this is meant (the plugin's authors know), or keep a copy of the database",
        )
    }));
    let help = match tx.is_postgres() {
        true => {
            "see what the start says that runs it: it takes HUB_MIGRATION_COUNT_SECONDS for that; a preflight takes 2 s, because \
             others wait for its locks"
        }
        false => "let it take longer: HUB_MIGRATION_COUNT_SECONDS",
    };
    tried.warnings.extend(counted.unread.into_iter().map(|table| {
        let whose = whose(slug.as_deref());
        Finding::machine(
            format!(
                "the values of {table} could not all be compared: a migration of {whose} may change them"
            ),
            help,
        )
    }));
    tried.losses.extend(counted.lost.into_iter().map(|loss| Removed { plugin: slug.clone(), loss }));
    if !fresh {
        let taken = before.taken_away(&Schema::read(tx).await?);
        tried.warnings.extend(taken.into_iter().map(|text| {
            let whose = whose(slug.as_deref());
            Finding::machine(
                format!("a migration of {whose} takes away what the release before needs: {text}"),
                "a rollback will not do: keep a copy of the database",
            )
        }));
    }
    Ok(true)
}

fn of_plugin(slug: &str, error: &str) -> Finding {
    Finding::plugin(
        format!("vertical plugin `{slug}` would be invalid: {error}"),
        "take a build of the platform whose migrations fit this database",
    )
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;
    use crate::scratch::Scratch;

    async fn begun(source: &Db, place: &Path) -> Copy {
        let mut tried = Tried::default();
        let begun = copy(source, place, &mut tried).await.unwrap_or_else(|finding| panic!("{finding:?}"));
        assert!(tried.copied.is_some_and(|bytes| bytes > 0));
        begun
    }

    // S3, S12
    #[tokio::test]
    async fn s12_a_copy_follows_nothing_that_is_planted_and_leaves_nothing() {
        let folder = Scratch::new("trial");
        let data = folder.join("data");
        fs::create_dir(&data).unwrap();
        let source = Db::open_sqlite(&folder.join("hub.db")).await.unwrap();
        source.execute("CREATE TABLE t (id INTEGER)", args![]).await.unwrap();
        let victim = folder.join("victim");
        fs::write(&victim, "kept").unwrap();
        let planted = format!(".preflight-{}.db", std::process::id());
        symlink(&victim, data.join(&planted)).unwrap();
        let names = |place: &Path| -> Vec<String> {
            let entries = fs::read_dir(place).unwrap().map(|entry| entry.unwrap().file_name());
            entries.map(|name| name.into_string().unwrap()).collect()
        };
        let mode = |path: &Path| fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777;

        let (beside, another) = (begun(&source, &data).await, begun(&source, &data).await);
        assert_eq!(fs::read_to_string(&victim).unwrap(), "kept");
        let (file, private) = (beside.file(), beside.file().parent().unwrap().to_path_buf());
        assert_eq!((private.parent(), mode(&private), mode(&file)), (Some(&*data), 0o700, 0o600));
        assert_eq!(names(&private).len(), 1, "{:?}", names(&private));
        assert_ne!(file, another.file(), "the name can be guessed");
        drop((beside, another));
        assert_eq!(names(&data), [planted]);

        // Of a data folder that is only read, or is not there, the copy is where temporary files go.
        let elsewhere = begun(&source, &folder.join("none")).await;
        let private = elsewhere.file().parent().unwrap().to_path_buf();
        assert_eq!((private.parent(), mode(&private)), (Some(&*std::env::temp_dir()), 0o700));
        drop(elsewhere);
        assert!(!private.exists());
        source.close().await;
    }
}
