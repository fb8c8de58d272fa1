//! Migrations, tried on an empty database in memory as the host runs them at its first start: what fails here would make
//! the plugin invalid there.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use hub_manifest::codes;
use hub_manifest::diagnostic::{Diagnostic, Span};
use hub_manifest::migrations::{
    Engine, Foreign, SQLITE_TABLES, Unordered, engine, foreign, runs_on, table_prefix,
};
use hub_manifest::rules::files::join;
use hub_manifest::statements::{blank, unfit};
use rusqlite::fallible_iterator::FallibleIterator;
use rusqlite::limits::Limit;
use rusqlite::{Batch, Connection, Error};

use super::{Context, Platform};
use crate::load::LoadedPlugin;

/// Steps of SQLite's machine after which a migration is taken for one that never ends: about a second.
const MOST_STEPS: u32 = 20_000_000;
/// Steps between two looks at their number.
const PULSE: u32 = 10_000;
/// Most pages of the database, of 4 KiB each.
const MOST_PAGES: u32 = 32_768;

/// Finds migrations without a clear order, and those that fail.
pub fn check(context: &mut Context<'_>, platform: &Platform) {
    let plugins = context.plugins.clone();
    let mut found = Vec::new();
    for plugin in &plugins {
        found.extend(plugin.migrations.unordered.iter().map(|wrong| unordered(plugin, wrong)));
    }
    if plugins.iter().any(|plugin| !plugin.migrations.files.is_empty()) {
        match Database::open(platform) {
            Ok(database) => {
                for plugin in &plugins {
                    let failure = failure(&database, plugin);
                    found.extend(unfits(plugin, failure.as_ref()));
                    found.extend(failure);
                }
            }
            Err((file, why)) => {
                found.push(untried(&file, &why));
                found.extend(plugins.iter().flat_map(|plugin| unfits(plugin, None)));
            }
        }
    }
    found.extend(plugins.iter().flat_map(|plugin| one_sided(plugin)));
    context.diagnostics.extend(found);
}

/// Nothing was tried: that is never taken for nothing found.
pub(crate) fn untried(file: &Path, why: &str) -> Diagnostic {
    Diagnostic::error(
        codes::MIGRATIONS_NOT_TRIED,
        format!("the migrations of plugins cannot be tried: {why}"),
    )
    .at(file, Span::START)
    .help("mend this migration of the platform, on which those of plugins build")
}

/// Where a migration of a plugin lies.
pub(crate) fn file(plugin: &LoadedPlugin, name: &str) -> PathBuf {
    let folder = plugin.manifest.migrations.as_ref().map_or(".", |folder| folder.value.as_str());
    plugin.shown(&join(folder, name))
}

fn unordered(plugin: &LoadedPlugin, wrong: &Unordered) -> Diagnostic {
    let help = match wrong {
        Unordered::NoNumber(_) => "name it like 0001_what_it_does.sql: the number sets the order",
        Unordered::SameNumber(..) => "give each migration a number of its own",
    };
    let found = Diagnostic::error(codes::MIGRATION_ORDER, wrong.to_string()).plugin(plugin.slug()).help(help);
    let found = found.at(file(plugin, wrong.file()), Span::START);
    match wrong {
        Unordered::SameNumber(first, _) => found.related(file(plugin, first), Span::START, "the other one"),
        Unordered::NoNumber(_) => found,
    }
}

/// What works on one engine alone, in migrations that are for both.
fn one_sided(plugin: &LoadedPlugin) -> Vec<Diagnostic> {
    let both = plugin.migrations.files.iter().filter(|migration| engine(&migration.name).is_none());
    let readable = both.filter_map(|migration| Some((&migration.name, migration.sql.as_ref().ok()?)));
    let found = readable.flat_map(|(name, sql)| {
        super::one_sided::find(sql).into_iter().map(move |one| {
            let (what, whose) = (&one.what, one.engine.name());
            let message =
                format!("the migration {name} says `{what}`{}, which is {whose}'s alone", one.remark);
            Diagnostic::warning(codes::ONE_DATABASE_SQL, message)
                .plugin(plugin.slug())
                .at(file(plugin, name), Span::at(sql, one.at, one.len))
                .help(one.portable)
        })
    });
    found.collect()
}

/// In each migration of a plugin the first statement that the host refuses before it runs anything, for whichever engine.
fn unfits(plugin: &LoadedPlugin, failure: Option<&Diagnostic>) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for migration in &plugin.migrations.files {
        // What cannot be read is told when it is tried.
        let Ok(sql) = &migration.sql else { continue };
        let on = [Engine::Postgres, Engine::Sqlite].into_iter().filter(|on| runs_on(&migration.name, *on));
        let mut by_engine = on.filter_map(|on| Some((on, unfit(sql, on)?)));
        let Some((by, unfit)) = by_engine.next() else { continue };
        let shown = file(plugin, &migration.name);
        // Behind the quotes of a function's body SQLite sees statements; it says itself that it has no functions.
        let nonsense =
            |failure: &Diagnostic| failure.file.as_ref() == Some(&shown) && failure.span.offset < unfit.at;
        if by == Engine::Sqlite && engine(&migration.name).is_none() && failure.is_some_and(nonsense) {
            continue;
        }
        found.push(
            Diagnostic::error(codes::MIGRATION_FAILS, format!("the migration {} {unfit}", migration.name))
                .plugin(plugin.slug())
                .at(shown, Span::at(sql, unfit.at, unfit.len))
                .help(unfit.help()),
        );
    }
    found
}

/// The first migration of a plugin that fails: those behind it would not run. One that would end the transaction is tried up
/// to there.
fn failure(database: &Database, plugin: &LoadedPlugin) -> Option<Diagnostic> {
    for migration in plugin.migrations.files.iter().filter(|one| runs_on(&one.name, Engine::Sqlite)) {
        let told = |what: &str| format!("the migration {} {what}", migration.name);
        let error = |message: String, span: Span, help: &str| {
            Some(
                Diagnostic::error(codes::MIGRATION_FAILS, message)
                    .plugin(plugin.slug())
                    .at(file(plugin, &migration.name), span)
                    .help(help),
            )
        };
        let sql = match &migration.sql {
            Ok(sql) => sql,
            Err((why, span)) => {
                return error(
                    told(&format!("cannot be read: {why}")),
                    *span,
                    "write it as a UTF-8 text file that the user who builds may read",
                );
            }
        };
        let unfit = unfit(sql, Engine::Sqlite);
        let tried = unfit.as_ref().map_or(sql.as_str(), |unfit| &sql[..unfit.at]);
        match database.run(plugin.slug(), tried) {
            Ok(()) if unfit.is_some() => return None,
            Ok(()) => {}
            Err(Failed::Sql { message, span }) => {
                return error(
                    told(&format!("fails: {message}")),
                    span,
                    "mend the statement: the host runs the file in one transaction on SQLite",
                );
            }
            Err(Failed::Endless { span }) => {
                return error(
                    told("takes too long on an empty database"),
                    span,
                    "make the statement smaller: the host does not serve before it ends",
                );
            }
            Err(Failed::Foreign(foreign)) => {
                let (what, span, help) = out_of_bounds(plugin.slug(), sql, &foreign);
                return error(told(&what), span, &help);
            }
        }
    }
    None
}

/// What is said of a migration that does something to tables of others: what it does, where, and what to do instead.
pub(crate) fn out_of_bounds(slug: &str, sql: &str, foreign: &Foreign) -> (String, Span, String) {
    let prefix = table_prefix(slug);
    let (table, what, help) = match foreign {
        Foreign::Made(table) => {
            let rest = table.strip_prefix("plugin_").unwrap_or(table);
            let what = format!("makes the table `{table}`, which is not named as the plugin's");
            (table, what, format!("name it `{prefix}{}`", rest.to_ascii_lowercase()))
        }
        Foreign::Dropped(table) => {
            let what = format!("drops the table `{table}`, which is not the plugin's");
            (table, what, format!("leave it alone: the plugin's tables are named `{prefix}*`"))
        }
    };
    let span = sql.find(table.as_str()).map_or(Span::START, |at| Span::at(sql, at, table.len()));
    (what, span, help)
}

/// Why a migration does not run.
enum Failed {
    Sql { message: String, span: Span },
    Endless { span: Span },
    Foreign(Foreign),
}

/// A database in memory.
struct Database {
    connection: Connection,
    /// Looks at the number of steps since the present migration began.
    pulses: Arc<AtomicU32>,
}

impl Database {
    /// An empty one as the host sets it up, after the platform's own migrations.
    fn open(platform: &Platform) -> Result<Database, (PathBuf, String)> {
        if let Some(trouble) = &platform.migrations.trouble {
            return Err(trouble.clone());
        }
        let at_folder = |error: Error| {
            (platform.migrations.folder.clone(), format!("no database can be made in memory: {error}"))
        };
        let connection = Database::empty().map_err(at_folder)?;
        for (name, sql) in platform.migrations.on(Engine::Sqlite) {
            connection.execute_batch(sql).map_err(|error| {
                let why = match &error {
                    Error::SqlInputError { msg, .. } => msg.clone(),
                    other => other.to_string(),
                };
                (platform.migrations.folder.join(name), format!("this one of the platform fails: {why}"))
            })?;
        }
        let pulses = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&pulses);
        let pulse = move || count.fetch_add(1, Ordering::Relaxed) >= MOST_STEPS / PULSE;
        connection
            .progress_handler(i32::try_from(PULSE).unwrap_or(i32::MAX), Some(pulse))
            .map_err(at_folder)?;
        Ok(Database { connection, pulses })
    }

    fn empty() -> Result<Connection, Error> {
        let connection = Connection::open_in_memory()?;
        // As around migrations in the host: nothing follows from a reference when a table is rebuilt.
        connection.execute_batch("PRAGMA foreign_keys = OFF; PRAGMA recursive_triggers = ON")?;
        connection.execute_batch(&format!("PRAGMA max_page_count = {MOST_PAGES}"))?;
        // No SQL text of a plugin gets at files.
        connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
        Ok(connection)
    }

    /// Runs one migration, or leaves the database as it was.
    fn run(&self, slug: &str, sql: &str) -> Result<(), Failed> {
        self.pulses.store(0, Ordering::Relaxed);
        let result = self.transaction(slug, sql);
        if result.is_err() && !self.connection.is_autocommit() {
            self.pulses.store(0, Ordering::Relaxed);
            let _ = self.connection.execute_batch("ROLLBACK");
        }
        result
    }

    fn transaction(&self, slug: &str, sql: &str) -> Result<(), Failed> {
        let at_start = |error: Error| self.failed(&error, Span::START);
        self.connection.execute_batch("BEGIN IMMEDIATE").map_err(at_start)?;
        let before = self.tables().map_err(at_start)?;
        self.statements(sql)?;
        let after = self.tables().map_err(at_start)?;
        if let Some(foreign) = foreign(slug, &before, &after) {
            return Err(Failed::Foreign(foreign));
        }
        let sql = "SELECT \"table\", parent FROM pragma_foreign_key_check LIMIT 1";
        let broken = self.connection.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)));
        match broken {
            Ok((child, parent)) => {
                let (child, parent): (String, String) = (child, parent);
                let message = format!("it leaves rows of `{child}` that refer to nothing in `{parent}`");
                return Err(Failed::Sql { message, span: Span::START });
            }
            Err(Error::QueryReturnedNoRows) => {}
            Err(error) => return Err(at_start(error)),
        }
        self.connection.execute_batch("COMMIT").map_err(at_start)
    }

    /// Runs the statements of a text one by one, each to its end.
    fn statements(&self, sql: &str) -> Result<(), Failed> {
        let mut batch = Batch::new(&self.connection, sql);
        let mut done = 0;
        loop {
            let place = place(sql, done);
            let statement = batch.next().map_err(|error| match &error {
                Error::SqlInputError { sql: rest, offset, .. } => {
                    // The offset is that in the rest of the text which begins with the statement.
                    let begin = sql.len().saturating_sub(rest.len());
                    let offset = begin + usize::try_from(*offset).unwrap_or_default();
                    let word = sql.get(offset..).unwrap_or_default();
                    let len = word.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(word.len());
                    self.failed(&error, Span::at(sql, offset, len.max(1)))
                }
                _ => self.failed(&error, place),
            })?;
            let Some(mut statement) = statement else { return Ok(()) };
            let text = statement.expanded_sql().unwrap_or_default();
            let mut rows = statement.raw_query();
            while rows.next().map_err(|error| self.failed(&error, place))?.is_some() {}
            let begin = sql.get(done..).and_then(|rest| rest.find(text.trim())).unwrap_or_default();
            done = (done + begin + text.trim().len()).min(sql.len());
        }
    }

    fn tables(&self) -> Result<Vec<String>, Error> {
        let mut statement = self.connection.prepare(SQLITE_TABLES)?;
        let names = statement.query_map([], |row| row.get(0))?;
        names.collect()
    }

    fn failed(&self, error: &Error, span: Span) -> Failed {
        if self.pulses.load(Ordering::Relaxed) > MOST_STEPS / PULSE {
            return Failed::Endless { span };
        }
        let message = match error {
            Error::SqlInputError { msg, .. } => msg.clone(),
            Error::SqliteFailure(_, Some(message)) => message.clone(),
            other => other.to_string(),
        };
        Failed::Sql { message, span }
    }
}

/// Where the statement behind the first `done` bytes begins: after white space, comments and the end of the last one.
fn place(sql: &str, done: usize) -> Span {
    let mut at = done;
    loop {
        let rest = sql.get(at..).unwrap_or_default();
        let skipped = if rest.starts_with(';') { 1 } else { blank(rest, Engine::Sqlite) };
        if skipped == 0 {
            let line = rest.lines().next().unwrap_or_default();
            return Span::at(sql, at, line.trim_end().len());
        }
        at += skipped;
    }
}

#[cfg(test)]
mod tests {
    use semver::Version;

    use super::*;
    use crate::load::migrations::{OfPlatform, of_platform};

    fn platform(migrations: OfPlatform) -> Platform {
        Platform {
            version: Version::new(0, 1, 0),
            release: Version::new(0, 1, 0),
            shell: Vec::new(),
            shared: crate::load::shared::OfShell::default(),
            migrations,
        }
    }

    /// D1: the check stands on what the host really runs.
    #[test]
    fn d1_the_platforms_own_migrations_run_where_plugins_are_tried() {
        let folder =
            std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../host-template/runtime/migrations");
        let migrations = of_platform(&folder);
        assert!(migrations.files.len() > 6, "{migrations:?}");
        let database = Database::open(&platform(migrations)).expect("they run");
        let told = match database.run("crm", "CREATE TABLE plugin_crm_a (name TEXT NOT NUL)") {
            Err(Failed::Sql { message, .. }) => message,
            _ => "nothing".to_string(),
        };
        assert_eq!(told, "near \"NUL\": syntax error");
        // Its own failure is told, whatever it is.
        let broken = OfPlatform {
            files: vec![("0001_a.sql".to_string(), "CREATE FUNCTION x".to_string())],
            ..OfPlatform::default()
        };
        let (file, why) = Database::open(&platform(broken)).err().unwrap_or_default();
        assert_eq!(file, PathBuf::from("0001_a.sql"));
        assert_eq!(why, "this one of the platform fails: near \"FUNCTION\": syntax error");
        let trouble = Some((PathBuf::from("x"), "it cannot be read".to_string()));
        let unread = OfPlatform { trouble: trouble.clone(), ..OfPlatform::default() };
        assert_eq!(Database::open(&platform(unread)).err(), trouble);
        let one_missing = tempfile::tempdir().unwrap();
        std::fs::create_dir(one_missing.path().join("0001_a.sql")).unwrap();
        assert!(of_platform(one_missing.path()).trouble.is_some());
        let none = of_platform(&one_missing.path().join("none"));
        assert_eq!((none.files, none.trouble), (Vec::new(), None));
    }

    fn run(sql: &[&str]) -> Vec<String> {
        let records = OfPlatform {
            files: vec![("0001_a.sql".to_string(), "CREATE TABLE hub_records (id TEXT)".to_string())],
            ..OfPlatform::default()
        };
        let database = Database::open(&platform(records)).expect("a database in memory");
        let told = |sql: &&str| match database.run("crm", sql) {
            Ok(()) => "runs".to_string(),
            Err(Failed::Sql { message, span }) => format!("{}:{} {message}", span.line, span.column),
            Err(Failed::Endless { span }) => format!("{}:{} has no end", span.line, span.column),
            Err(Failed::Foreign(foreign)) => foreign.to_string(),
        };
        sql.iter().map(told).collect()
    }

    #[track_caller]
    fn check(sql: &[&str], expect: &[&str]) {
        assert_eq!(run(sql), expect, "{sql:?}");
    }

    #[test]
    fn what_the_host_would_refuse_is_refused() {
        check(
            &["CREATE TABLE plugin_crm_a (id TEXT);", "INSERT INTO plugin_crm_a VALUES ('x')"],
            &["runs", "runs"],
        );
        check(&["", "-- nothing\n;;"], &["runs", "runs"]);
        check(&["SELECT 1;\n\nCREATE TABEL x;"], &["3:8 near \"TABEL\": syntax error"]);
        check(
            &[
                "CREATE TABLE plugin_crm_a (id TEXT UNIQUE);\n-- twice\nINSERT INTO plugin_crm_a VALUES ('x'), ('x');",
            ],
            &["3:1 UNIQUE constraint failed: plugin_crm_a.id"],
        );
        check(
            &["CREATE TABLE plugin_crm_a (id TEXT); COMMIT;"],
            &["1:1 cannot commit - no transaction is active"],
        );
        check(&["CREATE TABLE customers (id TEXT)"], &["it makes the table `customers`"]);
        check(&["DROP TABLE hub_records"], &["it drops the table `hub_records`"]);
        check(
            &[
                "CREATE TABLE plugin_crm_a (id TEXT PRIMARY KEY); CREATE TABLE plugin_crm_b (a TEXT REFERENCES plugin_crm_a (id) ON DELETE CASCADE);
                 INSERT INTO plugin_crm_a VALUES ('x'); INSERT INTO plugin_crm_b VALUES ('x');",
                "DELETE FROM plugin_crm_a",
            ],
            &["runs", "1:1 it leaves rows of `plugin_crm_b` that refer to nothing in `plugin_crm_a`"],
        );
        check(&["ATTACH '/nowhere/x.db' AS x"], &["1:1 too many attached databases - max 0"]);
    }

    #[test]
    fn what_failed_leaves_nothing_behind() {
        let first = "CREATE TABLE plugin_crm_a (id TEXT); CREATE TABLE b (id TEXT);";
        check(&[first, "CREATE TABLE plugin_crm_a (id TEXT);"], &["it makes the table `b`", "runs"]);
    }

    #[test]
    fn a_migration_without_an_end_is_stopped() {
        let endless =
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n;";
        check(&[endless, "SELECT 1"], &["1:1 has no end", "runs"]);
    }
}
